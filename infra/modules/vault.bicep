metadata description = 'The Key Vault that holds the values of bearer tokens, and who may use it.'

@description('The name of the vault.')
param name string

@description('Where it lies.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('The resource id of the app\'s identity, which names its role assignment.')
param appIdentityId string

@description('The principal id of the app\'s identity.')
param appPrincipalId string

@description('Who works with the command lines.')
param operator principal?

@description('Whether the vault is reached through a private endpoint.')
param privateNetwork bool

@description('The subnet of the private endpoint.')
param endpointSubnetId string

@description('Addresses from which the vault is reached beside the private network.')
param operatorIpRanges string[]

@description('Whether a lock keeps the vault from being deleted.')
param lock bool

@description('The workspace to which the audit log goes.')
param workspaceId string

import { principal, tagSet } from '../types.bicep'

// Officer, since the app sets, disables and recovers versions of secrets.
var secretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
var closed = privateNetwork && empty(operatorIpRanges)
// A vault's private zone is named after its service, not after the public suffix (.vault.azure.net).
var zoneName = 'privatelink.${replace(environment().suffixes.keyvaultDns, '.vault.', 'vaultcore.')}'

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: closed ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
      ipRules: [for range in privateNetwork ? operatorIpRanges : []: { value: range }]
    }
  }
}

resource appAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, appIdentityId, secretsOfficer)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
  }
}

resource operatorAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (operator != null) {
  scope: vault
  name: guid(vault.id, operator!.id, secretsOfficer)
  properties: {
    principalId: operator!.id
    principalType: operator!.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
  }
}

module endpoint 'privateEndpoint.bicep' = if (privateNetwork) {
  params: {
    name: 'pe-${name}'
    location: location
    tags: tags
    subnetId: endpointSubnetId
    targetId: vault.id
    service: 'vault'
    zoneName: zoneName
  }
}

resource deleteLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: vault
  name: 'keep'
  properties: { level: 'CanNotDelete', notes: 'Remove this lock before you delete the vault.' }
}

#disable-next-line use-recent-api-versions // the stable version of 2016 knows no log categories
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}

@description('The address of the vault.')
output uri string = vault.properties.vaultUri
