metadata description = 'The identity by which a GitHub workflow publishes code, without any stored secret.'

@description('The name of the identity.')
param name string

@description('Where it lies.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('Which workflow may sign in.')
param workflow publishingWorkflow

@description('The app that it publishes.')
param appName string

import { publishingWorkflow, tagSet } from '../types.bicep'

var websiteContributor = 'de139f84-1756-47ae-9be6-808fbbe84772'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

resource credential 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = {
  parent: identity
  name: 'github'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    subject: 'repo:${workflow.repository}:environment:${workflow.environment}'
    audiences: ['api://AzureADTokenExchange']
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: app
  name: guid(app.id, identity.id, websiteContributor)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', websiteContributor)
  }
}

@description('The client id with which the workflow signs in.')
output clientId string = identity.properties.clientId
