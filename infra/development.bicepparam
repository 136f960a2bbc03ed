// The least that works: nothing waits, nothing is private, nothing is locked.
// SCIM_OPERATOR_ID: the object id of who works with the command lines (az ad signed-in-user show --query id).
// SCIM_OPERATOR_TYPE: what that is: User unless set, Group or ServicePrincipal.
using 'main.bicep'

var operatorId = readEnvironmentVariable('SCIM_OPERATOR_ID', '')

param tags = { service: 'directory-sync', stage: 'development' }
param operator = empty(operatorId) ? null : { id: operatorId, type: readEnvironmentVariable('SCIM_OPERATOR_TYPE', 'User') }
