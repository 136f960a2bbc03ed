"""The storage contract of scim2-server, on the store that production uses, over Azurite."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from scim2_models import ScimProvider
from scim2_server.storage import ScimStorage
from scim2_server.testing import AsyncScimStorageContract, BlockingStorage

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.resource_store import TableResourceStore
from scim.composed_stores import RESOURCES_TABLE
from scim.local_host.azurite import Azurite
from scim.resources.directory_schemas import directory_schemas
from tests.contract.engine_storage import EngineStorage, engine_provider
from tests.service import MAPPINGS

SERVED = directory_schemas(MAPPINGS)
PROVIDER = engine_provider(SERVED)


class TestScimStorageContract(AsyncScimStorageContract):
    """All of the contract, nothing skipped: what the suite would skip fails here."""

    @staticmethod
    def require(supported: bool, feature: str) -> None:
        assert supported, f"the service does not support {feature}"

    def search_request_or_skip(self, models: Any, **parameters: Any) -> Any:
        return self.search_request(models, **parameters)

    def search_or_skip(self, storage: Any, resource_types: Any, search_request: Any) -> Any:
        return self.search(storage, resource_types, search_request)

    @pytest.fixture
    def provider(self) -> Iterator[ScimProvider]:
        with PROVIDER:
            yield PROVIDER

    @pytest.fixture
    def storage(self, provider: ScimProvider, azurite: Azurite) -> Iterator[ScimStorage]:
        account = StorageAccount.from_connection_string(azurite.connection_string)
        partition = Partition(account.table(RESOURCES_TABLE), f"dir_{uuid4().hex}", "org_1")
        storage = EngineStorage(TableResourceStore(partition, Mock()), SERVED, provider)
        with asyncio.Runner() as runner:
            runner.run(account.create_table(RESOURCES_TABLE))
            yield BlockingStorage(storage, runner)
            runner.run(account.close())
