metadata description = 'Where logs and measurements go: a workspace, and with telemetry Application Insights over it, both with Entra ID only.'

@description('The name of the workspace.')
param workspaceName string

@description('The name of the Application Insights component.')
param componentName string

@description('Where they lie.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('Whether there is Application Insights.')
param telemetry bool

@description('How many days logs are kept.')
param retentionDays int

@description('How many GB a day are taken before the workspace takes no more until the next day; -1 for any number.')
param dailyCapGb int

@description('The resource id of the app\'s identity, which names its role assignment.')
param appIdentityId string

@description('The principal id of the app\'s identity.')
param appPrincipalId string

import { tagSet } from '../types.bicep'

var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
    features: { disableLocalAuth: true, enableLogAccessUsingOnlyResourcePermissions: true }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = if (telemetry) {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource appAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (telemetry) {
  scope: component
  name: guid(component.id, appIdentityId, metricsPublisher)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
  }
}

@description('The workspace.')
output workspaceId string = workspace.id
