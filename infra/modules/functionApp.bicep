metadata description = 'The Flex Consumption plan and the Function App with its settings.'

@description('The name of the plan.')
param planName string

@description('The name of the app.')
param appName string

@description('Where they lie.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('The resource id of the app\'s identity.')
param identityId string

@description('The client id of the app\'s identity.')
param identityClientId string

@description('How instances are made and used.')
param scaling scalingChoice

@description('What happens to running instances when code or settings change.')
param siteUpdateStrategy 'Recreate' | 'RollingUpdate'

@description('Whether instances are spread over zones.')
param zoneRedundant bool

@description('The name of the container from which the platform starts the app.')
param deploymentContainerName string

@description('The Blob service of the host\'s account.')
param hostBlobServiceUri string

@description('The Table service of the host\'s account.')
param hostTableServiceUri string

@description('The Table service of the first data account.')
param tableServiceUri string

@description('The Queue service of the first data account.')
param queueServiceUri string

@description('The data accounts beside the first, each as its name, an equals sign and its Table service.')
param furtherDataAccounts string[]

@description('The data accounts that new directories are placed in; none for all there are.')
param newDirectoriesIn dataAccount[]

@description('The address of the Key Vault.')
param vaultUri string

@description('The address that callers use; empty for the default host name.')
param publicBaseUrl string

@description('What the portal shows of the application.')
param portal portalChoice

@description('Whether the app sends traces and metrics to Application Insights.')
param telemetry bool

@description('The name of the Application Insights component.')
param componentName string

@description('How many traces a second each instance sends at most.')
param tracesPerSecond int

@description('Whether the app is in the private network.')
param privateNetwork bool

@description('The subnet that the app is in.')
param appSubnetId string

@description('Whether only Entra ID and the allowed addresses may call.')
param restrictCallers bool

@description('Addresses that may call although callers are restricted.')
param allowedIpRanges string[]

@description('The workspace to which the app\'s log goes when asked for.')
param workspaceId string

@description('Whether the app\'s log goes to the workspace.')
param logsToWorkspace bool

import { dataAccount, portalChoice, scalingChoice, tagSet } from '../types.bicep'

var bodyLimit = 4 * 1024 * 1024
var entraRule = {
  name: 'Entra ID'
  description: 'Where the provisioning service calls from.'
  action: 'Allow'
  tag: 'ServiceTag'
  ipAddress: 'AzureActiveDirectory'
  priority: 100
}
var addressRules = [
  for (range, i) in allowedIpRanges: {
    name: 'allowed ${i + 1}'
    description: 'Administrators, the application, the smoke test.'
    action: 'Allow'
    tag: 'Default'
    ipAddress: contains(range, '/') ? range : '${range}/32'
    priority: 200 + i
  }
]
var telemetrySettings = telemetry
  ? {
      APPLICATIONINSIGHTS_CONNECTION_STRING: component!.properties.ConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
      PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
      PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME: 'scim'
      OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3'
      OTEL_TRACES_SAMPLER: 'microsoft.rate_limited'
      OTEL_TRACES_SAMPLER_ARG: string(tracesPerSecond)
    }
  : {}

resource component 'Microsoft.Insights/components@2020-02-02' existing = if (telemetry) {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: appName
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: privateNetwork ? appSubnetId : null
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostBlobServiceUri}${deploymentContainerName}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: scaling.instanceMemoryMB
        maximumInstanceCount: scaling.maximumInstanceCount
        alwaysReady: scaling.alwaysReadyInstances > 0
          ? [{ name: 'http', instanceCount: scaling.alwaysReadyInstances }]
          : []
        triggers: { http: { perInstanceConcurrency: scaling.httpConcurrency } }
      }
      #disable-next-line BCP037 // documented for this version of the API, but in none of its types
      siteUpdateStrategy: { type: siteUpdateStrategy }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      remoteDebuggingEnabled: false
      ipSecurityRestrictionsDefaultAction: restrictCallers ? 'Deny' : 'Allow'
      ipSecurityRestrictions: restrictCallers ? concat([entraRule], addressRules) : []
      // Publishing has its own sign-in and comes from anywhere.
      scmIpSecurityRestrictionsUseMain: false
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    {
      AzureWebJobsStorage__blobServiceUri: hostBlobServiceUri
      AzureWebJobsStorage__tableServiceUri: hostTableServiceUri
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identityClientId
      AzureWebJobsDisableHomepage: 'true'
      DataStorage__tableServiceUri: tableServiceUri
      DataStorage__queueServiceUri: queueServiceUri
      DataStorage__credential: 'managedidentity'
      DataStorage__clientId: identityClientId
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: string(bodyLimit)
      SCIM_FURTHER_DATA_ACCOUNTS: join(furtherDataAccounts, ',')
      SCIM_NEW_DIRECTORIES_IN: join(newDirectoriesIn, ',')
      SCIM_SECRET_STORE: vaultUri
      SCIM_PUBLIC_BASE_URL: empty(publicBaseUrl) ? 'https://${app.properties.defaultHostName}' : publicBaseUrl
      SCIM_PORTAL_NAME: portal.name
      SCIM_PORTAL_SUPPORT: portal.support
      SCIM_PORTAL_LOGO: portal.logo
      SCIM_PORTAL_RETURN_HOSTS: join(portal.returnHosts, ',')
    },
    telemetrySettings
  )
}

resource ftpPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource scmPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

#disable-next-line use-recent-api-versions // the stable version of 2016 knows no log categories
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (logsToWorkspace) {
  scope: app
  name: 'logs'
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FunctionAppLogs', enabled: true }]
  }
}

@description('The address that callers use.')
output baseUrl string = empty(publicBaseUrl) ? 'https://${app.properties.defaultHostName}' : publicBaseUrl
