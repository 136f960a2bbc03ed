"""Fixtures of the functional tests: the whole service, driven through its SCIM endpoint and its API."""

from tests.api import api
from tests.portal import browser
from tests.service import account, connections, rows, scim, service, storage_kind

__all__ = ["account", "api", "browser", "connections", "rows", "scim", "service", "storage_kind"]
