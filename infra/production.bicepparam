// For customers' data: private, spread over zones and kept in two regions, watched and locked.
// SCIM_OPERATOR_ID: the object id of who works with the command lines (az ad signed-in-user show --query id).
// SCIM_OPERATOR_TYPE: what that is: User unless set, Group or ServicePrincipal.
// SCIM_OPERATOR_IP: the public address of that machine, which the private network lets in.
// SCIM_ALERT_EMAIL: who is told by alerts and the budget.
using 'main.bicep'

var operatorId = readEnvironmentVariable('SCIM_OPERATOR_ID', '')
var operatorIp = readEnvironmentVariable('SCIM_OPERATOR_IP', '')
var alertEmail = readEnvironmentVariable('SCIM_ALERT_EMAIL', '')

param tags = { service: 'directory-sync', stage: 'production' }
param operator = empty(operatorId) ? null : { id: operatorId, type: readEnvironmentVariable('SCIM_OPERATOR_TYPE', 'User') }
param operatorIpRanges = empty(operatorIp) ? [] : [operatorIp]
param alertEmails = empty(alertEmail) ? [] : [alertEmail]
param alwaysReadyInstances = 2
param zoneRedundant = true
param dataRedundancy = 'Standard_GZRS'
param privateNetwork = true
param monthlyBudget = 500
param logRetentionDays = 90
param logDailyCapGb = 10
param locks = true
