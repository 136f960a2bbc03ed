"""Committed changes: their form, and the feed in which each has a number."""
