"""Promises that every implementation of an interface keeps."""
