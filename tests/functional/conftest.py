"""Fixtures of the functional tests: the whole service, driven through its SCIM endpoint."""

from tests.service import account, connections, rows, scim, service, storage_kind

__all__ = ["account", "connections", "rows", "scim", "service", "storage_kind"]
