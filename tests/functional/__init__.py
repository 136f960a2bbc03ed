"""Functional tests: whole parts of the service, from outside."""
