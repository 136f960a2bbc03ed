"""The service while storage fails, processes die and requests meet: nothing lost, nothing twice, nothing half done."""
