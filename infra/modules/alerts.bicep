metadata description = 'What wakes somebody up: rules on what Azure measures and on what the service writes, and whom they tell.'

@description('What the names of its resources end with.')
param suffix string

@description('Where they lie.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('Addresses that are told.')
param emails string[]

@description('Action groups, existing already, that are told.')
param actionGroupIds string[]

@description('The app.')
param appName string

@description('The data accounts.')
param dataAccountNames string[]

@description('The vault.')
param vaultName string

@description('The workspace that has the service\'s lines.')
param workspaceId string

@description('The table of the workspace that has them.')
param lineTable 'AppTraces' | 'FunctionAppLogs'

@description('Whether a day without a successful request is told.')
param onSilence bool

import { tagSet } from '../types.bicep'

var lines = replace(loadTextContent('../queries/lines.kql'), '{table}', lineTable)
// Every query gives one number, n. 'Total' of no row is 0, which is what the rules on missing lines need.
var lineRules = [
  {
    name: 'failed-requests'
    title: 'More than 5 % of at least 20 requests failed'
    query: loadTextContent('../queries/failed-requests.kql')
    window: 'PT15M'
    every: 'PT5M'
    operator: 'GreaterThan'
    threshold: 5
    severity: 1
    enabled: true
  }
  {
    name: 'refused-tokens'
    title: 'More than 50 requests were refused for their token'
    query: loadTextContent('../queries/refused-tokens.kql')
    window: 'PT5M'
    every: 'PT5M'
    operator: 'GreaterThan'
    threshold: 50
    severity: 2
    enabled: true
  }
  {
    name: 'poison-messages'
    title: 'Messages lie in the poison queue'
    query: loadTextContent('../queries/poison-messages.kql')
    window: 'PT15M'
    every: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
    severity: 2
    enabled: true
  }
  {
    name: 'oldest-outbox-row'
    title: 'A change waits for more than 15 minutes to reach the feed'
    query: loadTextContent('../queries/oldest-outbox-row.kql')
    window: 'PT15M'
    every: 'PT5M'
    operator: 'GreaterThan'
    threshold: 900
    severity: 1
    enabled: true
  }
  {
    name: 'missing-signals'
    title: 'The sweep has told nothing for 30 minutes'
    query: loadTextContent('../queries/missing-signals.kql')
    window: 'PT30M'
    every: 'PT5M'
    operator: 'LessThan'
    threshold: 1
    severity: 1
    enabled: true
  }
  {
    name: 'silence'
    title: 'Entra ID has had no successful answer for a day'
    query: loadTextContent('../queries/silence.kql')
    window: 'P1D'
    every: 'PT1H'
    operator: 'LessThan'
    threshold: 1
    severity: 3
    enabled: onSilence
  }
]

resource newGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: 'ag-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'scim'
    emailReceivers: [
      for (address, i) in emails: { name: 'mail ${i + 1}', emailAddress: address, useCommonAlertSchema: true }
    ]
  }
}

var groupIds = concat(actionGroupIds, empty(emails) ? [] : [newGroup.id])
var metricActions = [for id in groupIds: { actionGroupId: id }]

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
}

resource account 'Microsoft.Storage/storageAccounts@2026-09-01' existing = [
  for name in dataAccountNames: {
    name: name
  }
]

resource serverErrors 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'server-errors-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The platform answered with 5xx, also where no line is written: the app does not start, or is killed.'
    enabled: true
    severity: 1
    scopes: [app.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'errors'
          metricNamespace: 'Microsoft.Web/sites'
          metricName: 'Http5xx'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 20
        }
      ]
    }
    actions: metricActions
  }
}

resource throttledTables 'Microsoft.Insights/metricAlerts@2026-01-01' = [
  for (name, i) in dataAccountNames: {
    name: 'throttled-tables-${name}'
    location: 'global'
    tags: tags
    properties: {
      description: 'Table Storage asked the service to slow down.'
      enabled: true
      severity: 2
      scopes: ['${account[i].id}/tableServices/default']
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'throttled'
            metricNamespace: 'Microsoft.Storage/storageAccounts/tableServices'
            metricName: 'Transactions'
            timeAggregation: 'Total'
            operator: 'GreaterThan'
            threshold: 100
            dimensions: [
              {
                name: 'ResponseType'
                operator: 'Include'
                values: ['ServerBusyError', 'ClientThrottlingError', 'ClientAccountRequestThrottlingError']
              }
            ]
          }
        ]
      }
      actions: metricActions
    }
  }
]

resource refusingVault 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'refusing-vault-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The vault throttles the service (429) or refuses it (403).'
    enabled: true
    severity: 2
    scopes: [vault.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'refused'
          metricNamespace: 'Microsoft.KeyVault/vaults'
          metricName: 'ServiceApiResult'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 10
          dimensions: [{ name: 'StatusCode', operator: 'Include', values: ['403', '429'] }]
        }
      ]
    }
    actions: metricActions
  }
}

resource lineRule 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in lineRules: if (rule.enabled) {
    name: '${rule.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: 'What to do is told in docs/operations.md.'
      enabled: true
      severity: rule.severity
      scopes: [workspaceId]
      evaluationFrequency: rule.every
      windowSize: rule.window
      autoMitigate: true
      // At the first deployment the tables have no column yet that the query could be checked against.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: '${lines}${rule.query}'
            timeAggregation: 'Total'
            metricMeasureColumn: 'n'
            operator: rule.operator
            threshold: rule.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: groupIds }
    }
  }
]
