"""The service at the size of a large customer."""
