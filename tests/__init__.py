"""Tests: unit, contract, functional, integration."""
