metadata description = 'The private network: the app on one side, the private endpoints on the other, and one address towards the internet.'

@description('What the names of its resources end with.')
param suffix string

@description('Where it lies.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('The addresses of the network; at least a /24.')
param addressPrefix string

import { tagSet } from '../types.bicep'

var appSubnetName = 'app'
var endpointSubnetName = 'endpoints'
var zoneNames = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  vaultZoneName
]
// A vault's private zone is named after its service, not after the public suffix (.vault.azure.net).
var vaultZoneName = 'privatelink.${replace(environment().suffixes.keyvaultDns, '.vault.', 'vaultcore.')}'

resource publicAddress 'Microsoft.Network/publicIPAddresses@2026-03-01' = {
  name: 'pip-${suffix}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/natGateways@2026-03-01' = {
  name: 'ng-${suffix}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: publicAddress.id }] }
}

resource network 'Microsoft.Network/virtualNetworks@2026-03-01' = {
  name: 'vnet-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: appSubnetName
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 25, 0)
          defaultOutboundAccess: false
          natGateway: { id: gateway.id }
          delegations: [
            // Flex Consumption runs in Container Apps' environments, not in App Service's server farms.
            { name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
      {
        name: endpointSubnetName
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 2)
          defaultOutboundAccess: false
        }
      }
    ]
  }

  resource appSubnet 'subnets' existing = {
    name: appSubnetName
  }

  resource endpointSubnet 'subnets' existing = {
    name: endpointSubnetName
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for name in zoneNames: {
    name: name
    location: 'global'
    tags: tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (name, i) in zoneNames: {
    parent: zone[i]
    name: 'network'
    location: 'global'
    tags: tags
    properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
  }
]

@description('The subnet that the app is in.')
output appSubnetId string = network::appSubnet.id

@description('The subnet of the private endpoints.')
output endpointSubnetId string = network::endpointSubnet.id

@description('The address from which the app calls others.')
output outboundAddress string = publicAddress.properties.?ipAddress ?? ''
