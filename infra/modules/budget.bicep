metadata description = 'A monthly budget of the resource group. It warns; it stops nothing.'

@description('The name of the budget.')
param name string

@description('How much a month may cost, in the currency of the subscription.')
param amount int

@description('The first day of the month in which it begins.')
param start string

@description('Addresses that are told.')
param emails string[]

@description('Action groups that are told.')
param actionGroupIds string[]

var told = { enabled: true, operator: 'GreaterThan', contactEmails: emails, contactGroups: actionGroupIds }

resource budget 'Microsoft.Consumption/budgets@2026-06-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: start }
    notifications: {
      most: union(told, { threshold: 80, thresholdType: 'Actual' })
      forecast: union(told, { threshold: 100, thresholdType: 'Forecasted' })
    }
  }
}
