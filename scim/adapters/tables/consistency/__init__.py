"""Checking and mending the rows of a directory: for the maintenance command and for tests."""
