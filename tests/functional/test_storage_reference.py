"""docs/storage.md describes the rows there are: every kind of key, and every property of each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import get_args

from scim.adapters.tables.consistency.row_kind import RowKind, kind_of
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.token_rows import TableTokenUses
from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE
from scim.directories.activity import LastTimes, Load, Seen
from scim.directories.api_key import KEY_SCOPES
from scim.resources.identifiers import new_resource_id
from scim.resources.provisioning_log import Finding, ProvisioningLogEntry
from tests.api import ApiClient
from tests.documents import document
from tests.fakes.memory_table import MemoryTable
from tests.service import ScimClient, add_members

REFERENCE = document("docs/storage.md")
USER, GROUP = "usr_" + "0" * 32, "grp_" + "0" * 32
OTHERS = {"group": GROUP, "member": USER, "operation id": "0" * 32, "number": "0" * 20}
SAMPLES = [{**OTHERS, "id": any_id, "first id": any_id} for any_id in (USER, GROUP)]
PARTITIONS = {"dir_": "directory id", "org_": "organization id", "idem": "`idem|{key id}`"}
HASH = "0" * 40
CHUNK = re.compile(r"d\d+")


def test_every_kind_of_row_is_described() -> None:
    assert {kind for kind, _ in described_rows()} == set(get_args(RowKind))


async def test_every_property_of_a_row_is_described(scim: ScimClient, rows: MemoryTable) -> None:
    described = dict(described_rows())

    unknown = {(kind, name) for kind, name in await written_properties(scim, rows) if name not in described[kind]}

    assert not unknown


async def test_every_row_of_the_directories_is_described(scim: ScimClient) -> None:
    organization = await scim.application.directories.create_organization("Contoso", "contoso")
    link = await scim.application.portal_access.create_link(organization.id)
    await scim.application.portal_access.redeem(link.code)
    made = await scim.application.api_keys.create("backend", KEY_SCOPES)
    api = ApiClient(scim.application, made.value, scim.meter)
    assert (await api.post("organizations", {"name": "Fabrikam"}, idempotency_key="first")).status == 201
    await scim.application.management.key_uses.close()
    await scim.application.background.sweep()
    await scim.application.directories.update_directory(scim.directory.id, mappings=())
    await scim.application.token_watcher.watch()
    await scim.application.service_time()
    await scim.application.background.places.write("sweep", {})
    spare = await scim.application.directories.create_organization("Northwind")
    await scim.application.directories.delete_organization(spare)
    table = scim.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    await TableTokenUses(table).record_use(scim.directory.id, "0" * 32, scim.directory.created)
    now, activity = scim.directory.created, scim.application.activity_store
    await activity.record(scim.directory.id, Load(now, now, now), LastTimes(now))
    await activity.mark_seen(scim.directory.id, "authenticated", Seen(now))
    described = {(cells[0].strip(), first_key(cells[1])) for cells in table_cells(3) if not cells[0].strip().isdigit()}

    written = {
        (PARTITIONS.get(part[:4], f"`{part}`"), fixed(key)) for part in table.partitions() for key in table.rows(part)
    }

    assert written == {(partition, key) for partition, key in described if key}


async def test_every_row_of_the_provisioning_log_is_described(scim: ScimClient) -> None:
    now, one, other = scim.directory.created, new_resource_id("User"), new_resource_id("Group")
    finding = Finding("value_refused", "title", one, other, "No.")
    entry = ProvisioningLogEntry(finding, "PATCH", "patch", "User", 400, "invalidValue", now, now)
    await scim.application.provisioning_log_store.add(scim.directory.id, [entry])
    table = scim.application.account.table(LOG_TABLE)
    assert isinstance(table, MemoryTable)
    described = {first_key(cells[0]): set(re.findall(r"`([^`]+)`", cells[1])) for cells in table_cells(2)}

    written = {fixed(key): set(row.values) for key, row in table.rows(scim.directory.id).items()}

    assert written == {key: names for key, names in described.items() if key in written}


def described_rows() -> Iterator[tuple[RowKind, frozenset[str]]]:
    """Yield the kind of each documented key, with what stands between backticks in its line."""
    for cells in table_cells(4):
        properties = frozenset(re.findall(r"`([^`]+)`", cells[1]))
        if "as `u|`" in cells[1]:
            properties |= {"d0", "version", "created", "modified"}
        if "the outbox row" in cells[1]:
            properties |= {"d0", "time", "users", "active", "groups", "created", "deleted"}
        for key in re.findall(r"`([^`]+)`", cells[0]):
            kind = kind_of_pattern(key)
            assert kind, f"the service has no row {key}"
            yield kind, properties


def table_cells(columns: int) -> Iterator[list[str]]:
    """Yield the cells of each line of the tables that have so many columns."""
    for line in REFERENCE.lines:
        cells = [cell.replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == columns:
            yield cells


def first_key(cell: str) -> str:
    return fixed("".join(re.findall(r"`([^`]+)`", cell)))


def fixed(key: str) -> str:
    """Return a key up to the first part that differs from row to row."""
    return re.sub(r"\|.*", "|", key)


def kind_of_pattern(pattern: str) -> RowKind | None:
    """Return the kind of the keys that a pattern such as ``m|{group}|{member}`` stands for."""
    for samples in SAMPLES:
        key = re.sub(r"\{h\([^)]*\)\}", HASH, pattern)
        for name, value in samples.items():
            key = key.replace(f"{{{name}}}", value)
        if kind := kind_of(key):
            return kind
    return None


async def written_properties(scim: ScimClient, rows: MemoryTable) -> set[tuple[RowKind, str]]:
    """Return which properties the service writes in which rows, after changes of every kind."""
    members = await scim.new_users(32)
    user = (await scim.new_user("anna", externalId="e", emails=[{"type": "work", "value": "anna@example.com"}]))["id"]
    group = (await scim.new_group("Team", members, externalId="t"))["id"]
    await scim.patch(f"/Groups/{group}", add_members(user))
    await scim.relay()
    await scim.delete(f"/Groups/{group}")
    written: dict[str, set[str]] = defaultdict(set)
    partition: Partition = scim.partition
    async for row in partition.rows((" ", "~")):
        written[row.key] |= set(row.values)
    return {(kind, CHUNK.sub("d0", name)) for key, names in written.items() if (kind := kind_of(key)) for name in names}
