// Directories in two data accounts, new ones in the second alone.
using '../main.bicep'

param dataAccountCount = 2
param newDirectoriesIn = ['d2']
param dataRedundancy = 'Standard_GZRS'
param privateNetwork = true
param operator = { id: '55555555-5555-5555-5555-555555555555', type: 'Group' }
param locks = true
