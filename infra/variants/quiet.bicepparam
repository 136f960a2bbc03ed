// Everything off that can be.
using '../main.bicep'

param telemetry = false
param alerts = false
