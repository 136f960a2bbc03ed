metadata description = 'The workbook that answers: what happened to directory X?'

@description('Where it lies.')
param location string

@description('Tags of every resource.')
param tags tagSet

@description('The workspace that its queries read.')
param workspaceId string

@description('The table that has the service\'s lines.')
param lineTable 'AppTraces' | 'FunctionAppLogs'

import { tagSet } from '../types.bicep'

var lines = loadTextContent('../queries/lines.kql')
var panels = [
  {
    title: 'Requests by operation'
    query: '${lines}${loadTextContent('../queries/directory-outcomes.kql')}'
    visualization: 'table'
  }
  {
    title: 'Course'
    query: '${lines}${loadTextContent('../queries/directory-course.kql')}'
    visualization: 'timechart'
  }
  {
    title: 'Refused and failed requests; the correlation id is the one that Entra ID shows'
    query: '${lines}${loadTextContent('../queries/directory-problems.kql')}'
    visualization: 'table'
  }
  {
    title: 'What background work wrote about it'
    query: loadTextContent('../queries/directory-mentions.kql')
    visualization: 'table'
  }
  {
    title: 'Who used its token in the vault'
    query: loadTextContent('../queries/directory-secret.kql')
    visualization: 'table'
  }
]
var choice = {
  type: 9
  name: 'choice'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'above'
    parameters: [
      { id: guid('directory'), version: 'KqlParameterItem/1.0', name: 'Directory', label: 'Directory', type: 1, isRequired: true }
      {
        id: guid('time')
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        label: 'Time'
        type: 4
        isRequired: true
        value: { durationMs: 86400000 }
        typeSettings: {
          selectableValues: [{ durationMs: 3600000 }, { durationMs: 86400000 }, { durationMs: 604800000 }, { durationMs: 2592000000 }]
          allowCustom: true
        }
      }
    ]
  }
}
var items = [
  for panel in panels: {
    type: 3
    name: panel.title
    content: {
      version: 'KqlItem/1.0'
      title: panel.title
      query: replace(panel.query, '{table}', lineTable)
      queryType: 0
      resourceType: 'microsoft.operationalinsights/workspaces'
      timeContextFromParameter: 'TimeRange'
      visualization: panel.visualization
      noDataMessage: 'Nothing in this time.'
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'directory workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'What happened to a directory'
    category: 'workbook'
    sourceId: workspaceId
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([choice], items)
      fallbackResourceIds: [workspaceId]
    })
  }
}
