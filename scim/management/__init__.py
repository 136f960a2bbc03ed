"""The management API below ``/api/v1/``: what the application's backend reads and changes, as JSON."""
