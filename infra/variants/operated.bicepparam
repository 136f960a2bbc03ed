// Development with an operator and a publishing workflow, several data accounts, every log, and silence told.
using '../main.bicep'

param dataAccountCount = 3
param operator = { id: '11111111-1111-1111-1111-111111111111', type: 'User' }
param publisher = { repository: 'example/directory-sync', environment: 'production' }
param costlyLogs = { app: true, tableReads: true, tableWrites: true, queues: true }
param actionGroupIds = [
  '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.Insights/actionGroups/operations'
]
param alertOnSilence = true
param publicBaseUrl = 'https://scim.example.com'
param portal = {
  name: 'Example'
  support: 'help@example.com'
  logo: ''
  returnHosts: ['app.example.com', 'admin.example.com']
}
