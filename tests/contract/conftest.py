"""Fixtures of the contract tests."""

from tests.contract.table_fixtures import account, faults, partition, shared_transport, table

__all__ = ["account", "faults", "partition", "shared_transport", "table"]
