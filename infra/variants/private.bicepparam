// The private network, with a way in for the operator, and Entra ID and two known addresses as only callers.
using '../main.bicep'

param privateNetwork = true
param operatorIpRanges = ['203.0.113.7', '198.51.100.0/28']
param operator = { id: '22222222-2222-2222-2222-222222222222', type: 'Group' }
param restrictCallers = true
param allowedIpRanges = ['203.0.113.7', '192.0.2.0/24']
