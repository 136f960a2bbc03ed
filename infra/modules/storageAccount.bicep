metadata description = 'A storage account that is reached with Entra ID only, with what is declared in it and who may use it.'

@description('The name of the account.')
param name string

@description('Where it lies.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('How often, and where, its data is kept.')
param redundancy redundancyName

@description('Containers of the Blob service.')
param containers string[] = []

@description('Tables of the Table service.')
param tables string[] = []

@description('Queues of the Queue service.')
param queues string[] = []

@description('The resource id of the app\'s identity, which names its role assignments.')
param appIdentityId string

@description('The principal id of the app\'s identity.')
param appPrincipalId string

@description('Roles of the app on this account, by their ids.')
param appRoles string[]

@description('Who works with the command lines.')
param operator principal?

@description('Roles of the operator on this account, by their ids.')
param operatorRoles string[] = []

@description('The services that are reached by a private endpoint, when there is a private network.')
param endpointServices ('blob' | 'queue' | 'table')[]

@description('Whether the account is reached through private endpoints.')
param privateNetwork bool

@description('The subnet of the private endpoints.')
param endpointSubnetId string

@description('Addresses from which the account is reached beside the private network.')
param operatorIpRanges string[]

@description('Whether a lock keeps the account from being deleted.')
param lock bool

@description('The workspace to which chosen logs go.')
param workspaceId string

@description('Log categories of the Table service.')
param tableLogs string[] = []

@description('Log categories of the Queue service.')
param queueLogs string[] = []

import { principal, redundancyName, tagSet } from '../types.bicep'

var closed = privateNetwork && empty(operatorIpRanges)

resource account 'Microsoft.Storage/storageAccounts@2026-09-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    allowedCopyScope: 'AAD'
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: closed ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
      ipRules: [for range in privateNetwork ? operatorIpRanges : []: { action: 'Allow', value: range }]
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2026-09-01' = if (!empty(containers)) {
  parent: account
  name: 'default'
  properties: {
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    deleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-09-01' = [
  for each in containers: {
    parent: blobService
    name: each
    properties: { publicAccess: 'None' }
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2026-09-01' = if (!empty(tables)) {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2026-09-01' = [
  for each in tables: {
    parent: tableService
    name: each
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2026-09-01' = if (!empty(queues)) {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-09-01' = [
  for each in queues: {
    parent: queueService
    name: each
  }
]

resource appAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in appRoles: {
    scope: account
    name: guid(account.id, appIdentityId, role)
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource operatorAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in operator == null ? [] : operatorRoles: {
    scope: account
    name: guid(account.id, operator!.id, role)
    properties: {
      principalId: operator!.id
      principalType: operator!.type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

module endpoint 'privateEndpoint.bicep' = [
  for service in privateNetwork ? endpointServices : []: {
    params: {
      name: 'pe-${name}-${service}'
      location: location
      tags: tags
      subnetId: endpointSubnetId
      targetId: account.id
      service: service
      zoneName: 'privatelink.${service}.${environment().suffixes.storage}'
    }
  }
]

resource deleteLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: account
  name: 'keep'
  properties: { level: 'CanNotDelete', notes: 'Remove this lock before you delete the account.' }
}

#disable-next-line use-recent-api-versions // the stable version of 2016 knows no log categories
resource tableDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(tableLogs)) {
  scope: tableService
  name: 'logs'
  properties: {
    workspaceId: workspaceId
    logs: [for each in tableLogs: { category: each, enabled: true }]
  }
}

#disable-next-line use-recent-api-versions // the stable version of 2016 knows no log categories
resource queueDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(queueLogs)) {
  scope: queueService
  name: 'logs'
  properties: {
    workspaceId: workspaceId
    logs: [for each in queueLogs: { category: each, enabled: true }]
  }
}

@description('The address of the Blob service.')
output blobServiceUri string = account.properties.primaryEndpoints.blob

@description('The address of the Table service.')
output tableServiceUri string = account.properties.primaryEndpoints.table

@description('The address of the Queue service.')
output queueServiceUri string = account.properties.primaryEndpoints.queue
