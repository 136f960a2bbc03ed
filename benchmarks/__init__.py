"""What the service costs, measured against itself and a reference: ``make bench``. For development, never deployed."""
