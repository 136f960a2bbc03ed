metadata description = 'A private endpoint of one service of one resource, and its name in the private DNS zone.'

@description('The name of the endpoint.')
param name string

@description('Where it lies.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('The subnet that it takes an address of.')
param subnetId string

@description('The resource that it leads to.')
param targetId string

@description('The service of that resource.')
param service 'blob' | 'queue' | 'table' | 'vault'

@description('The private DNS zone that its name belongs to.')
param zoneName string

import { tagSet } from '../types.bicep'

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' existing = {
  name: zoneName
}

resource endpoint 'Microsoft.Network/privateEndpoints@2026-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    customNetworkInterfaceName: 'nic-${name}'
    privateLinkServiceConnections: [
      { name: service, properties: { privateLinkServiceId: targetId, groupIds: [service] } }
    ]
  }
}

resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2026-03-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: service, properties: { privateDnsZoneId: zone.id } }]
  }
}
