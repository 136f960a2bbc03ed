metadata description = 'How long published packages are kept, and who publishes by hand.'

@description('The account that has the container.')
param accountName string

@description('The container of the packages.')
param containerName string

@description('Days after which a package is deleted.')
param retentionDays int

@description('Who works with the command lines.')
param operator principal?

import { principal } from '../types.bicep'

var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2026-09-01' existing = {
  name: accountName

  resource blobService 'blobServices' existing = {
    name: 'default'

    resource container 'containers' existing = {
      name: containerName
    }
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2026-09-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-old-packages'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${containerName}/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: retentionDays } } }
          }
        }
      ]
    }
  }
}

resource operatorAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (operator != null) {
  scope: account::blobService::container
  name: guid(account::blobService::container.id, operator!.id, blobContributor)
  properties: {
    principalId: operator!.id
    principalType: operator!.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
  }
}
