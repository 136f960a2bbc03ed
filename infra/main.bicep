metadata description = 'The directory-sync service: everything it needs in one resource group.'
targetScope = 'resourceGroup'

import { costlyLogChoice, dataAccount, portalChoice, principal, publishingWorkflow, redundancyName, tagSet } from 'types.bicep'

// Names and places

@description('What the names of all resources begin or end with: lower-case letters and digits.')
@minLength(3)
@maxLength(7)
param name string = 'scim'

@description('Changes the end of all names, for a second deployment after the group was deleted: the vault keeps its old name for 90 days.')
param nameSalt string = ''

@description('Where everything lies.')
param location string = resourceGroup().location

@description('Tags of every resource.')
param tags tagSet = {}

// The app

@description('The memory of an instance; 2048 has one core.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('How many instances there may be.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('How many instances wait for requests; at least 2 with zone redundancy.')
@minValue(0)
@maxValue(1000)
param alwaysReadyInstances int = 0

@description('How many requests an instance works on at once. Left out, Python gets 1.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 100

@description('Recreate stops all instances at once when code or settings change; RollingUpdate is a preview.')
param siteUpdateStrategy 'Recreate' | 'RollingUpdate' = 'Recreate'

@description('The address that callers use, such as https://scim.example.com; empty for the default host name.')
param publicBaseUrl string = ''

@description('What the portal shows of the application.')
param portal portalChoice = { name: 'Directory sync', support: '', logo: '', returnHosts: [] }

// Storage

@description('How many storage accounts hold directories. Never fewer than before: directories stay where they are.')
@minValue(1)
@maxValue(10)
param dataAccountCount int = 1

@description('The data accounts that new directories are placed in; none for all there are.')
param newDirectoriesIn dataAccount[] = []

@description('How often, and where, directories are kept.')
param dataRedundancy redundancyName = 'Standard_LRS'

@description('Days for which a published package is kept.')
@minValue(30)
param packageRetentionDays int = 365

@description('Whether instances and the host\'s storage are spread over zones. Chosen once, at the first deployment.')
param zoneRedundant bool = false

// Who reaches what

@description('Whether storage and vault are reached through private endpoints only.')
param privateNetwork bool = false

@description('The addresses of the private network; at least a /24.')
param addressPrefix string = '10.20.0.0/24'

@description('Addresses from which storage and vault are reached beside the private network: single ones without a suffix, or ranges up to /30.')
param operatorIpRanges string[] = []

@description('Whether only Entra ID and allowedIpRanges may call the app.')
param restrictCallers bool = false

@description('Addresses of administrators, the application and the smoke test, when callers are restricted.')
param allowedIpRanges string[] = []

@description('Who works with the command lines.')
param operator principal?

@description('The GitHub workflow that publishes code.')
param publisher publishingWorkflow?

// Watching

@description('Whether there are traces and metrics in Application Insights. Without them there are JSON lines alone.')
param telemetry bool = true

@description('How many traces a second each instance sends at most.')
@minValue(1)
param tracesPerSecond int = 5

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('GB of logs a day after which the workspace takes no more until the next day; -1 for any number.')
@minValue(-1)
param logDailyCapGb int = 1

@description('Logs that cost by the request.')
param costlyLogs costlyLogChoice = { app: false, tableReads: false, tableWrites: false, queues: false }

@description('Whether there are alerts.')
param alerts bool = true

@description('Addresses that alerts and the budget tell.')
param alertEmails string[] = []

@description('Action groups, existing already, that alerts and the budget tell.')
param actionGroupIds string[] = []

@description('Whether a day without a successful request is told. For when a directory is connected.')
param alertOnSilence bool = false

@description('How much a month may cost before it is told, in the currency of the subscription; 0 for no budget. It needs somebody to tell.')
@minValue(0)
param monthlyBudget int = 0

@description('The first day of the month in which the budget begins. Azure lets nobody change it.')
param budgetStart string = utcNow('yyyy-MM-01')

@description('Whether locks keep data accounts and vault from being deleted.')
param locks bool = false

var suffix = uniqueString(resourceGroup().id, nameSalt)
var ending = '${name}-${suffix}'
var hostAccountName = '${name}host${suffix}'
var dataAccountNames = [for i in range(1, dataAccountCount): '${name}d${i}${suffix}']
// By these names the rows of directories know them; the name of the first one is default.
var furtherDataAccounts = [
  for i in range(2, dataAccountCount - 1): 'd${i}=https://${name}d${i}${suffix}.table.${environment().suffixes.storage}'
]
var vaultName = 'kv-${ending}'
var componentName = 'appi-${ending}'
var functionAppName = 'func-${ending}'
var deploymentContainerName = 'deployments'
var packageContainerName = 'packages'
var relayQueueName = 'relay-requests'
var lineTable = telemetry ? 'AppTraces' : 'FunctionAppLogs'
var endpointSubnetId = privateNetwork ? network!.outputs.endpointSubnetId : ''
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var tableLogs = concat(
  costlyLogs.tableReads ? ['StorageRead'] : [],
  costlyLogs.tableWrites ? ['StorageWrite', 'StorageDelete'] : []
)
var queueLogs = costlyLogs.queues ? ['StorageRead', 'StorageWrite', 'StorageDelete'] : []

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${ending}'
  location: location
  tags: tags
}

module network 'modules/network.bicep' = if (privateNetwork) {
  params: { suffix: ending, location: location, tags: tags, addressPrefix: addressPrefix }
}

module monitoring 'modules/monitoring.bicep' = {
  params: {
    workspaceName: 'log-${ending}'
    componentName: componentName
    location: location
    tags: tags
    telemetry: telemetry
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
    appIdentityId: identity.id
    appPrincipalId: identity.properties.principalId
  }
}

module hostStorage 'modules/storageAccount.bicep' = {
  params: {
    name: hostAccountName
    location: location
    tags: tags
    redundancy: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    containers: [deploymentContainerName, packageContainerName]
    appIdentityId: identity.id
    appPrincipalId: identity.properties.principalId
    appRoles: [blobDataOwner, tableDataContributor]
    endpointServices: ['blob', 'table']
    privateNetwork: privateNetwork
    endpointSubnetId: endpointSubnetId
    operatorIpRanges: operatorIpRanges
    lock: false
    workspaceId: monitoring.outputs.workspaceId
  }
}

module packages 'modules/packages.bicep' = {
  params: {
    accountName: hostAccountName
    containerName: packageContainerName
    retentionDays: packageRetentionDays
    operator: operator
  }
  dependsOn: [hostStorage]
}

module dataStorage 'modules/storageAccount.bicep' = [
  for (accountName, i) in dataAccountNames: {
    params: {
      name: accountName
      location: location
      tags: tags
      redundancy: dataRedundancy
      // The first account has the rows of directories, their logs and the queue; every account has resources.
      tables: i == 0 ? ['resources', 'directories', 'provisioninglog'] : ['resources']
      queues: i == 0 ? [relayQueueName, '${relayQueueName}-poison'] : []
      appIdentityId: identity.id
      appPrincipalId: identity.properties.principalId
      appRoles: i == 0 ? [tableDataContributor, queueDataContributor] : [tableDataContributor]
      operator: operator
      operatorRoles: i == 0 ? [tableDataContributor, queueDataContributor] : [tableDataContributor]
      endpointServices: i == 0 ? ['table', 'queue'] : ['table']
      privateNetwork: privateNetwork
      endpointSubnetId: endpointSubnetId
      operatorIpRanges: operatorIpRanges
      lock: locks
      workspaceId: monitoring.outputs.workspaceId
      tableLogs: tableLogs
      queueLogs: i == 0 ? queueLogs : []
    }
  }
]

module vault 'modules/vault.bicep' = {
  params: {
    name: vaultName
    location: location
    tags: tags
    appIdentityId: identity.id
    appPrincipalId: identity.properties.principalId
    operator: operator
    privateNetwork: privateNetwork
    endpointSubnetId: endpointSubnetId
    operatorIpRanges: operatorIpRanges
    lock: locks
    workspaceId: monitoring.outputs.workspaceId
  }
}

module functionApp 'modules/functionApp.bicep' = {
  params: {
    planName: 'plan-${ending}'
    appName: functionAppName
    location: location
    tags: tags
    identityId: identity.id
    identityClientId: identity.properties.clientId
    scaling: {
      instanceMemoryMB: instanceMemoryMB
      maximumInstanceCount: maximumInstanceCount
      alwaysReadyInstances: alwaysReadyInstances
      httpConcurrency: httpConcurrency
    }
    siteUpdateStrategy: siteUpdateStrategy
    zoneRedundant: zoneRedundant
    deploymentContainerName: deploymentContainerName
    hostBlobServiceUri: hostStorage.outputs.blobServiceUri
    hostTableServiceUri: hostStorage.outputs.tableServiceUri
    tableServiceUri: dataStorage[0].outputs.tableServiceUri
    queueServiceUri: dataStorage[0].outputs.queueServiceUri
    furtherDataAccounts: furtherDataAccounts
    newDirectoriesIn: newDirectoriesIn
    vaultUri: vault.outputs.uri
    publicBaseUrl: publicBaseUrl
    portal: portal
    telemetry: telemetry
    componentName: componentName
    tracesPerSecond: tracesPerSecond
    privateNetwork: privateNetwork
    appSubnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    restrictCallers: restrictCallers
    allowedIpRanges: allowedIpRanges
    workspaceId: monitoring.outputs.workspaceId
    logsToWorkspace: !telemetry || costlyLogs.app
  }
  dependsOn: [dataStorage]
}

module publishing 'modules/publisher.bicep' = if (publisher != null) {
  params: {
    name: 'id-publisher-${ending}'
    location: location
    tags: tags
    workflow: publisher!
    appName: functionAppName
  }
  dependsOn: [functionApp]
}

module workbook 'modules/workbook.bicep' = {
  params: { location: location, tags: tags, workspaceId: monitoring.outputs.workspaceId, lineTable: lineTable }
}

module alertRules 'modules/alerts.bicep' = if (alerts) {
  params: {
    suffix: ending
    location: location
    tags: tags
    emails: alertEmails
    actionGroupIds: actionGroupIds
    appName: functionAppName
    dataAccountNames: dataAccountNames
    vaultName: vaultName
    workspaceId: monitoring.outputs.workspaceId
    lineTable: lineTable
    onSilence: alertOnSilence
  }
  dependsOn: [functionApp, dataStorage, vault]
}

// Azure takes no budget that tells nobody.
module budget 'modules/budget.bicep' = if (monthlyBudget > 0 && !(empty(alertEmails) && empty(actionGroupIds))) {
  params: {
    name: 'budget-${ending}'
    amount: monthlyBudget
    start: budgetStart
    emails: alertEmails
    actionGroupIds: actionGroupIds
  }
}

@description('The Function App.')
output functionAppName string = functionAppName

@description('The address that callers use.')
output baseUrl string = functionApp.outputs.baseUrl

@description('The first data account, which has the list of directories.')
output dataAccountName string = dataAccountNames[0]

@description('The Table service of the first data account.')
output tableServiceUri string = dataStorage[0].outputs.tableServiceUri

@description('The Queue service of the first data account.')
output queueServiceUri string = dataStorage[0].outputs.queueServiceUri

@description('The data accounts beside the first, as the service and the command lines are told them; empty for none.')
output furtherDataAccounts string = join(furtherDataAccounts, ',')

@description('The data accounts that new directories are placed in; empty for all there are.')
output newDirectoriesIn string = join(newDirectoriesIn, ',')

@description('The Key Vault\'s name.')
output vaultName string = vaultName

@description('The Key Vault\'s address.')
output vaultUri string = vault.outputs.uri

@description('The account that keeps published packages.')
output packageAccountName string = hostAccountName

@description('The container of that account.')
output packageContainerName string = packageContainerName

@description('The Log Analytics workspace.')
output workspaceName string = 'log-${ending}'

@description('The client id with which the workflow signs in; empty without one.')
output publisherClientId string = publishing.?outputs.clientId ?? ''
