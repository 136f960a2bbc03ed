"""An attempt to change organizations, links and keys that storage carries out late undoes nothing that was answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

import pytest

from scim.adapters.tables.api_keys import TableApiKeyStore
from scim.adapters.tables.failures import AttemptFailedError
from scim.adapters.tables.retrying_table import RetryingTable
from scim.adapters.tables.table import TransactionRefusedError, Write
from scim.composed_stores import DIRECTORIES_TABLE
from tests.api import ApiClient
from tests.fakes.memory_account import MemoryAccount
from tests.fakes.memory_table import MemoryTable


async def no_pause(_seconds: float) -> None:
    """Try again at once."""


class LateTable(MemoryTable):
    """A table that keeps some transactions for later when it is told to, and does not answer them."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, Sequence[Write]]] = []
        self.at: re.Pattern[str] | None = None
        """The keys of rows: the next transaction that writes one of them is kept."""

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        if self.at is not None and any(self.at.fullmatch(write.key) for write in writes):
            self.at = None
            self.kept.append((partition, writes))
            raise AttemptFailedError("carried out later", may_be_applied=True)
        return await super().commit(partition, writes)

    async def arrive(self) -> None:
        """Carry out what was kept, as far as it is not refused."""
        assert self.kept
        for partition, writes in self.kept:
            try:
                await super().commit(partition, writes)
            except TransactionRefusedError:
                continue


class LateAccount(MemoryAccount):
    """A storage account whose directories lie in such a table, with repetition as in production."""

    late: LateTable

    def table(self, name: str) -> MemoryTable:
        if name != DIRECTORIES_TABLE:
            return super().table(name)
        if name not in self.tables:
            self.late = LateTable()
            self.tables[name] = RetryingTable(self.late, no_pause)  # type: ignore[assignment]  # as in production
        return self.tables[name]

    def requests(self) -> int:
        return 0


@pytest.fixture
def account() -> LateAccount:
    return LateAccount()


@pytest.mark.parametrize("row", ["o", r"o\|.*"])
async def test_an_organization_that_was_deleted_stays_deleted(api: ApiClient, account: LateAccount, row: str) -> None:
    account.late.at = re.compile(row)
    created = await api.post("organizations", {"name": "Contoso", "external_id": "42"})
    one = f"organizations/{created.json['id']}"
    assert (await api.delete(one)).status == HTTPStatus.NO_CONTENT

    await account.late.arrive()

    assert created.status == HTTPStatus.CREATED
    assert (await api.get(one)).status == HTTPStatus.NOT_FOUND
    assert (await api.get("organizations")).json["data"] == []
    assert (await api.post("organizations", {"name": "Fabrikam", "external_id": "42"})).status == HTTPStatus.CREATED


@pytest.mark.parametrize("row", ["o", r"o\|.*"])
async def test_a_name_that_was_changed_again_stays(api: ApiClient, account: LateAccount, row: str) -> None:
    one = f"organizations/{(await api.post('organizations', {'name': 'One'})).json['id']}"
    account.late.at = re.compile(row)
    assert (await api.patch(one, {"name": "Two"})).status == HTTPStatus.OK
    assert (await api.patch(one, {"name": "Three"})).status == HTTPStatus.OK

    await account.late.arrive()

    assert (await api.get(one)).json["name"] == "Three"
    assert [each["name"] for each in (await api.get("organizations")).json["data"]] == ["Three"]


async def test_a_link_that_was_revoked_stays_revoked(api: ApiClient, account: LateAccount) -> None:
    links = f"organizations/{(await api.post('organizations', {'name': 'One'})).json['id']}/portal-links"
    account.late.at = re.compile(r"p\|.*")
    created = await api.post(links, {})
    assert (await api.delete(f"{links}/{created.json['id']}")).status == HTTPStatus.NO_CONTENT

    await account.late.arrive()

    (link,) = (await api.get(links)).json["data"]
    assert link["revoked_at"] is not None


async def test_a_key_that_was_revoked_stays_revoked(api: ApiClient, account: LateAccount) -> None:
    account.late.at = re.compile(r"k\|.*")
    created = await api.post("keys", {"name": "reader", "scopes": ["read"], "expires_at": "2099-01-01T00:00:00Z"})
    assert (await api.delete(f"keys/{created.json['id']}")).status == HTTPStatus.NO_CONTENT

    await account.late.arrive()

    keys = {each["id"]: each for each in (await api.get("keys")).json["data"]}
    assert keys[created.json["id"]]["revoked_at"] is not None


async def test_a_key_that_was_renewed_again_keeps_its_last_value(account: LateAccount, api: ApiClient) -> None:
    store = TableApiKeyStore(account.table(DIRECTORIES_TABLE))
    (key,) = await store.list()
    account.late.at = re.compile(re.escape(f"k|{key.id}"))
    assert await store.renew(replace(key, digest_hex="1" * 64))
    assert await store.renew(replace(key, digest_hex="2" * 64))

    await account.late.arrive()

    (key,) = await store.list()
    assert key.digest_hex == "2" * 64
