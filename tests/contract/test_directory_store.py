"""What every store of directories promises, checked for the one on Table Storage over both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from scim.adapters.tables.activity_rows import TableActivityStore
from scim.adapters.tables.directories import TableDirectoryStore
from scim.adapters.tables.directory_rows import entry_key
from scim.adapters.tables.organization_feed import TableOrganizationFeed
from scim.adapters.tables.table import Table, Value, delete, insert, merge
from scim.adapters.tables.token_rows import TableTokenUses
from scim.directories.activity import LastTimes, Load, Seen
from scim.directories.actor import Actor
from scim.directories.attribute_mapping import (
    MAX_DESCRIPTION_LENGTH,
    MAX_NAME_LENGTH,
    AttributeMapping,
)
from scim.directories.bearer_token import TokenRecord
from scim.directories.change_event import ChangeEvent, updated_event
from scim.directories.directory import MAX_MAPPINGS, Directory, DirectoryReference, secret_name_of
from scim.directories.errors import (
    DirectoryBusyError,
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    IdUsedError,
    InvalidValueError,
    OrganizationExistsError,
    OrganizationNotEmptyError,
    OrganizationNotFoundError,
)
from scim.directories.interfaces import DirectoryStore
from scim.directories.organization import Organization
from scim.directories.service import DirectoryService
from scim.resources import attempts
from scim.resources.storage_scope import storage_scope
from tests.builders import beginning, end
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import MemoryTable
from tests.faults import FaultyTransport, answer, anything, drop_after_commit, empty_page, queries

NOW = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)
PREFIX = "urn:ietf:params:scim:schemas:extension:Acme:2.0:User:"


@pytest.fixture(name="store")
def _store(table: Table) -> DirectoryStore:
    return TableDirectoryStore(table)


@pytest.fixture(name="organization")
async def _organization(store: DirectoryStore) -> Organization:
    organization = new_organization()
    await create(store, organization)
    return organization


async def create(store: DirectoryStore, organization: Organization) -> None:
    await store.create_organization(organization, beginning(organization))


def new_organization(external_id: str | None = None) -> Organization:
    return Organization(f"org_{uuid4().hex}", "Zoë & Söhne 👩‍🚀", external_id, NOW)


def new_directory(organization: Organization) -> Directory:
    token = TokenRecord("", "creating", NOW, "abcd", "0" * 16)
    return Directory(f"dir_{uuid4().hex}", organization.id, "entra_id", "Entra ID", "active", NOW, NOW, tokens=(token,))


def rename(name: str) -> Callable[[Directory], Directory]:
    return lambda directory: replace(directory, name=name)


async def listed(store: DirectoryStore) -> dict[str, DirectoryReference]:
    found: dict[str, DirectoryReference] = {}
    page = await store.list_directories()
    while True:
        found |= {reference.directory_id: reference for reference in page.references}
        if page.continuation is None:
            return found
        page = await store.list_directories(page.continuation)


# -- Organizations ------------------------------------------------------


@pytest.mark.parametrize("external_id", [None, "acme/№ 1?#\\"])
async def test_an_organization_comes_back_as_it_was_kept(store: DirectoryStore, external_id: str | None) -> None:
    organization = new_organization(external_id and external_id + uuid4().hex)
    await create(store, organization)
    assert await store.organization(organization.id) == organization
    if organization.external_id is not None:
        assert await store.organization_by_external_id(organization.external_id) == organization


async def test_what_is_not_there_is_none(store: DirectoryStore) -> None:
    assert await store.organization(f"org_{uuid4().hex}") is None
    assert await store.organization("org_/\\#?") is None
    assert await store.organization_by_external_id(uuid4().hex) is None
    assert await store.directory(f"dir_{uuid4().hex}") is None
    assert await store.directory("dir_/\\#?") is None
    assert await store.directories_of(f"org_{uuid4().hex}") == []


@pytest.mark.parametrize("text", ["", "organizations", "dir_" + "F" * 32, "dir_" + "0" * 33, "o|x", "/\\#?", "\ud800"])
async def test_what_has_not_the_form_of_an_id_costs_no_request(
    store: DirectoryStore, faults: FaultyTransport, text: str
) -> None:
    assert await store.organization(text) is None
    assert await store.directory(text) is None
    assert await store.directories_of(text) == []
    assert faults.count() == 0


async def test_external_ids_are_told_apart_by_letter_case_and_by_form(store: DirectoryStore) -> None:
    unique = uuid4().hex
    await create(store, new_organization(f"caf\N{LATIN SMALL LETTER E WITH ACUTE}{unique}"))
    assert await store.organization_by_external_id(f"CAF\N{LATIN CAPITAL LETTER E WITH ACUTE}{unique}") is None
    assert await store.organization_by_external_id(f"cafe\N{COMBINING ACUTE ACCENT}{unique}") is None


async def test_of_many_at_once_one_gets_an_external_id(store: DirectoryStore) -> None:
    external_id = uuid4().hex
    organizations = [new_organization(external_id) for _ in range(8)]
    results = await asyncio.gather(*(create(store, each) for each in organizations), return_exceptions=True)
    winners = [one for one, result in zip(organizations, results, strict=True) if result is None]
    errors = [result for result in results if result is not None]
    assert len(winners) == 1
    assert {type(error) for error in errors} == {OrganizationExistsError}
    assert {getattr(error, "organization_id", "") for error in errors} == {winners[0].id}
    assert await store.organization_by_external_id(external_id) == winners[0]
    assert [await store.organization(one.id) for one in organizations if one not in winners] == [None] * 7


# -- Directories --------------------------------------------------------


async def test_a_directory_comes_back_as_it_was_kept(store: DirectoryStore, organization: Organization) -> None:
    later = NOW + timedelta(days=7, microseconds=1)
    tokens = tuple(
        TokenRecord(uuid4().hex, "ended", NOW, "wxyz", "f" * 16, ends_at=later, expires_at=None) for _ in range(8)
    )
    mappings = (
        AttributeMapping("Kostenstelle ✓", f"{PREFIX}costCenter", "integer", required=True, description='"é"\n'),
        AttributeMapping("work", 'emails[type eq "work"].value', matching=True),
        AttributeMapping("label", "displayName", multi_valued=True, resource="Group"),
    )
    directory = replace(
        new_directory(organization),
        status="disabled",
        provider="generic_scim",
        changed=later,
        tokens=tokens,
        attribute_mappings=mappings,
        mapping_revision=7,
        data_account="second",
    )
    reference = await store.create_directory(directory)
    assert await store.directory(directory.id) == directory
    assert await store.directories_of(organization.id) == [directory]
    assert reference == DirectoryReference(directory.id, organization.id, "second", NOW, creating=True)
    assert (await listed(store))[directory.id] == reference


async def test_many_mappings_are_kept_and_fewer_take_their_place(
    store: DirectoryStore, organization: Organization
) -> None:
    mapping = AttributeMapping("n" * MAX_NAME_LENGTH, PREFIX + "a" * 50, description='"\n👩🚀' * 50)
    directory = replace(new_directory(organization), attribute_mappings=(mapping,) * 150)
    await store.create_directory(directory)
    assert await store.directory(directory.id) == directory
    for number in (1, 0, 30):
        kept = (mapping,) * number
        fewer = await store.update_directory(directory.id, lambda old, kept=kept: replace(old, attribute_mappings=kept))  # type: ignore[misc]
        assert fewer.attribute_mappings == kept
        assert await store.directory(directory.id) == fewer


async def test_mappings_that_do_not_fit_are_refused_before_anything_is_kept(
    store: DirectoryStore, organization: Organization
) -> None:
    mapping = AttributeMapping("n", f'emails[type eq "{"é" * 400}"].value', description="👩" * MAX_DESCRIPTION_LENGTH)
    directory = replace(new_directory(organization), attribute_mappings=(mapping,) * MAX_MAPPINGS)
    with pytest.raises(InvalidValueError, match="attribute_mappings: are too long together"):
        await store.create_directory(directory)
    assert directory.id not in await listed(store)


async def test_a_directory_of_an_unknown_organization_is_not_kept(store: DirectoryStore) -> None:
    directory = new_directory(new_organization())
    with pytest.raises(OrganizationNotFoundError):
        await store.create_directory(directory)
    assert await store.directory(directory.id) is None
    assert directory.id not in await listed(store)


async def test_directories_are_created_at_once(store: DirectoryStore, organization: Organization) -> None:
    directories = [new_directory(organization) for _ in range(8)]
    await asyncio.gather(*map(store.create_directory, directories))
    assert {one.id for one in await store.directories_of(organization.id)} == {one.id for one in directories}
    assert {one.id for one in directories} <= set(await listed(store))


async def test_the_list_tells_when_a_creation_has_ended(store: DirectoryStore, organization: Organization) -> None:
    reference = await store.create_directory(new_directory(organization))
    await store.confirm_creation(reference)
    await store.confirm_creation(reference)
    assert (await listed(store))[reference.directory_id] == replace(reference, creating=False)
    await store.discard_reference(reference)
    await store.discard_reference(reference)
    await store.confirm_creation(reference)
    assert reference.directory_id not in await listed(store)


async def test_a_link_is_made_once(store: DirectoryStore, organization: Organization) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    await store.link_to_organization(directory)
    assert await store.directories_of(organization.id) == [directory]


async def test_the_lists_continue_over_short_and_empty_pages() -> None:
    store = TableDirectoryStore(MemoryTable(page_size=2, empty_pages=2))
    organization = new_organization()
    await create(store, organization)
    directories = [new_directory(organization) for _ in range(5)]
    for directory in directories:
        await store.create_directory(directory)
    assert set(await listed(store)) == {directory.id for directory in directories}
    assert len(await store.directories_of(organization.id)) == 5


async def test_an_empty_page_does_not_end_the_directories_of_an_organization(
    store: DirectoryStore, organization: Organization, faults: FaultyTransport
) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    faults.when(queries, empty_page(), times=2)
    assert await store.directories_of(organization.id) == [directory]


# -- Updates ------------------------------------------------------------


async def test_an_update_is_kept_and_costs_two_requests(
    store: DirectoryStore, organization: Organization, faults: FaultyTransport
) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    faults.reset()
    updated = await store.update_directory(directory.id, rename("Renamed"))
    assert faults.count() == 2
    assert updated == replace(directory, name="Renamed")
    assert await store.directory(directory.id) == updated


async def test_an_update_that_changes_nothing_writes_nothing(
    store: DirectoryStore, organization: Organization, faults: FaultyTransport
) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    faults.reset()
    assert await store.update_directory(directory.id, rename(directory.name)) == directory
    assert faults.count() == 1


async def test_updates_at_once_all_act(store: DirectoryStore, organization: Organization) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)

    def add(number: int) -> Awaitable[Directory]:
        token = TokenRecord(str(number), "active", NOW, "abcd", f"{number:016x}")
        return store.update_directory(directory.id, lambda old: replace(old, tokens=(*old.tokens, token)))

    await asyncio.gather(*map(add, range(4)))
    kept = await store.directory(directory.id)
    assert kept is not None
    assert sorted(token.version for token in kept.tokens) == ["", "0", "1", "2", "3"]


async def test_an_update_gives_up_when_others_never_stop(
    store: DirectoryStore, organization: Organization, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "PATIENCE", 0.3)
    directory = new_directory(organization)
    await store.create_directory(directory)
    numbers = iter(range(1000))

    class Meddling(TableDirectoryStore):
        async def _replaced(self, *arguments: object) -> bool:
            await table.commit(directory.id, [merge("directory", {"meddled": next(numbers)})])
            return await TableDirectoryStore._replaced(self, *arguments)  # type: ignore[arg-type]

    with pytest.raises(DirectoryBusyError):
        await Meddling(table).update_directory(directory.id, rename("Renamed"))
    assert await store.directory(directory.id) == directory


async def test_an_update_keeps_columns_that_this_version_does_not_know(
    store: DirectoryStore, organization: Organization, table: Table
) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    await table.commit(directory.id, [merge("directory", {"of_a_later_version": "kept"})])
    await store.update_directory(directory.id, rename("Renamed"))
    row = await table.read(directory.id, "directory")
    assert row is not None
    assert row.values["of_a_later_version"] == "kept"


async def test_what_does_not_exist_cannot_be_updated(store: DirectoryStore) -> None:
    with pytest.raises(DirectoryNotFoundError):
        await store.update_directory(f"dir_{uuid4().hex}", rename("Renamed"))


async def test_what_a_change_raises_ends_the_update(store: DirectoryStore, organization: Organization) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)

    def refuse(_: Directory) -> Directory:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await store.update_directory(directory.id, refuse)


# -- Ids are given once -------------------------------------------------


async def rows_of(table: Table, *partitions: str) -> dict[tuple[str, str], object]:
    """Return every row of some partitions, and of the lists."""
    found: dict[tuple[str, str], object] = {}
    for partition in (*partitions, "organizations"):
        found |= {(partition, row.key): row.values for row in (await table.query(partition, " ", "~")).rows}
    return found


async def test_the_id_of_a_directory_of_another_organization_is_refused_and_nothing_is_kept(
    store: DirectoryStore, organization: Organization, table: Table
) -> None:
    directory, other = new_directory(organization), new_organization()
    await store.create_directory(directory)
    await create(store, other)
    before = await rows_of(table, directory.id, organization.id, other.id)

    with pytest.raises(IdUsedError):
        await store.create_directory(replace(directory, organization_id=other.id))

    assert await rows_of(table, directory.id, organization.id, other.id) == before


async def test_the_id_of_a_deleted_directory_is_refused_to_everybody_and_nothing_is_kept(
    store: DirectoryStore, organization: Organization, table: Table
) -> None:
    directory, other = new_directory(organization), new_organization()
    await store.create_directory(directory)
    await create(store, other)
    await store.forget_directory(directory)
    await store.forget_directory(directory)
    before = await rows_of(table, directory.id, organization.id, other.id)
    assert before[directory.id, "directory"] == {"status": "deleted"}

    for claimed in (organization, other):
        with pytest.raises(IdUsedError):
            await store.create_directory(replace(directory, organization_id=claimed.id))

    assert await rows_of(table, directory.id, organization.id, other.id) == before
    await store.delete_organization(organization, end(organization))


async def test_a_deleted_directory_is_gone_for_every_reader(
    store: DirectoryStore, organization: Organization, table: Table
) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    await store.forget_directory(directory)
    uses, activity = TableTokenUses(table), TableActivityStore(table)

    await uses.record_use(directory.id, "0" * 32, NOW)
    await activity.record(directory.id, Load(NOW, NOW, NOW), LastTimes(NOW))
    await activity.mark_seen(directory.id, "authenticated", Seen(NOW))

    assert await store.directory(directory.id) is None
    assert await activity.with_directory(directory.id, NOW) is None
    assert await store.directories_of(organization.id) == []
    assert directory.id not in await listed(store)
    with pytest.raises(DirectoryNotFoundError):
        await store.update_directory(directory.id, rename("Renamed"))
    assert [row.key for row in (await table.query(directory.id, " ", "~")).rows] == ["directory"]


async def test_a_deletion_that_a_crash_ended_before_its_last_row_is_repeated(
    store: DirectoryStore, organization: Organization, table: Table
) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    await table.commit(directory.id, [delete("directory")])

    await store.forget_directory(directory)

    with pytest.raises(IdUsedError):
        await store.create_directory(directory)


async def test_the_id_of_an_organization_is_given_once(store: DirectoryStore, table: Table) -> None:
    organization = new_organization(uuid4().hex)
    await create(store, organization)
    another = replace(organization, external_id=uuid4().hex, created=NOW + timedelta(seconds=1))
    before = await rows_of(table, organization.id)

    with pytest.raises(IdUsedError):
        await create(store, another)
    assert await rows_of(table, organization.id) == before
    await create(store, organization)
    await store.delete_organization(organization, end(organization))
    for claimed in (organization, another):
        with pytest.raises(IdUsedError):
            await create(store, claimed)

    assert await store.organization(organization.id) is None
    assert await store.organization_by_external_id(str(another.external_id)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "dir_",
        "A" * 32,
        "0" * 31,
        "0" * 33,
        "0" * 31 + "F",
        "a'b",
        "x/y",
        "a|b",
        "\x01",
        "é" * 32,
        "٣" * 32,
        "0" * 64,
    ],
)
async def test_what_has_not_the_exact_form_of_an_id_names_nothing_that_is_made(wrong: str) -> None:
    with pytest.raises(InvalidValueError):
        Directory(f"dir_{wrong}", f"org_{'0' * 32}", "entra_id", "Entra ID", "active", NOW, NOW)
    with pytest.raises(InvalidValueError):
        Organization(f"org_{wrong}", "Acme", None, NOW)
    with pytest.raises(DirectoryNotFoundError):
        secret_name_of(f"dir_{wrong}")
    with pytest.raises(DirectoryNotFoundError):
        entry_key(f"dir_{wrong}")


async def test_an_entry_that_names_no_directory_is_left_out_and_keeps_no_organization(
    store: DirectoryStore, organization: Organization, table: Table
) -> None:
    entry: dict[str, Value] = {"organization": organization.id, "data_account": "data", "created": NOW.isoformat()}
    unnameable = f"d|dir_{uuid4().hex}|b"
    await table.commit("organizations", [insert(unnameable, {**entry, "creating": True})])

    assert unnameable.removeprefix("d|") not in await listed(store)
    await store.delete_organization(organization, end(organization))

    assert await store.organization(organization.id) is None
    await table.commit("organizations", [delete(unnameable)])


# -- Faults -------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 13))
async def test_creations_succeed_although_an_answer_is_lost(
    table: Table, store: DirectoryStore, faults: FaultyTransport, number: int
) -> None:
    service = DirectoryService(
        store, MemorySecretStore(), TableOrganizationFeed(table), now=lambda: NOW, new_id=lambda: uuid4().hex
    )
    faults.at(number, drop_after_commit())
    external_id = uuid4().hex
    organization = await service.create_organization("Acme", external_id)
    created = await service.create_directory(organization.id, name="Entra", provider="entra_id")
    assert await service.find_organization(external_id) == organization
    assert await service.directories_of(organization.id) == [created.directory]
    assert len(created.directory.valid_tokens(NOW)) == 1
    assert not (await listed(store))[created.directory.id].creating


async def test_an_update_succeeds_although_its_answer_is_lost(
    store: DirectoryStore, organization: Organization, faults: FaultyTransport
) -> None:
    directory = new_directory(organization)
    await store.create_directory(directory)
    faults.reset()
    faults.at(2, drop_after_commit())
    assert (await store.update_directory(directory.id, rename("Renamed"))).name == "Renamed"


async def test_an_outage_of_storage_is_an_outage_of_the_store(
    store: DirectoryStore, organization: Organization, faults: FaultyTransport
) -> None:
    directory = new_directory(organization)
    reference = await store.create_directory(directory)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: create(store, new_organization()),
        lambda: store.organization(organization.id),
        lambda: store.organization_by_external_id("x"),
        lambda: store.directory(directory.id),
        lambda: store.create_directory(new_directory(organization)),
        lambda: store.link_to_organization(directory),
        lambda: store.confirm_creation(reference),
        lambda: store.discard_reference(reference),
        lambda: store.update_directory(directory.id, rename("Renamed")),
        lambda: store.directories_of(organization.id),
        store.list_directories,
    ]
    faults.when(anything, answer(503, retry_after="7"), times=1000)
    for call in calls:
        with storage_scope(0.1), pytest.raises(DirectoryStoreUnavailableError) as caught:
            await call()
        assert caught.value.retry_after == 7


async def test_organizations_are_listed_page_by_page(store: DirectoryStore) -> None:
    made = [new_organization() for _ in range(3)]
    for each in made:
        await create(store, each)

    expected = sorted(each.id for each in made)
    after = f"{expected[0][:-1]}/"
    first = await store.list_organizations(after, 1)
    listed, page = list(first.organizations), first
    while page.has_more:
        page = await store.list_organizations(listed[-1].id, 2)
        listed += page.organizations

    assert [each.id for each in listed if each.id in expected] == expected
    assert {each.name for each in listed if each.id in expected} == {"Zoë & Söhne 👩‍🚀"}


async def test_directories_of_an_organization_are_listed_page_by_page(
    store: DirectoryStore, organization: Organization
) -> None:
    made = sorted([new_directory(organization) for _ in range(3)], key=lambda each: each.id)
    for each in made:
        await store.create_directory(each)

    first = await store.directory_page(organization.id, "", 2)
    second = await store.directory_page(organization.id, first.last, 2)

    assert [*first.directories, *second.directories] == made
    assert (first.last, second.last) == (made[1].id, "")
    assert (await store.directory_page("nobody", "", 2)).directories == []


def renaming(before: Organization, after: Organization) -> ChangeEvent:
    return updated_event(before, after, uuid4().hex, NOW, Actor("operator", "tests"))


async def test_a_new_name_is_in_the_organization_and_in_the_list(
    store: DirectoryStore, organization: Organization
) -> None:
    renamed = replace(organization, name="Contoso", mappings_by="application")

    changed = await store.update_organization(organization.id, lambda _: renamed, renaming)

    listed = await store.list_organizations(f"{organization.id[:-1]}/", 100)
    assert changed == await store.organization(organization.id) == renamed
    assert renamed in listed.organizations
    with pytest.raises(OrganizationNotFoundError):
        await store.update_organization(new_organization().id, lambda old: old, renaming)


async def test_an_organization_without_directories_is_deleted_and_its_external_id_is_free(
    store: DirectoryStore,
) -> None:
    external_id = uuid4().hex
    organization = new_organization(external_id)
    await create(store, organization)

    await store.delete_organization(organization, end(organization))
    await store.delete_organization(organization, end(organization))

    assert await store.organization(organization.id) is None
    assert await store.organization_by_external_id(external_id) is None
    await create(store, new_organization(external_id))
    with pytest.raises(OrganizationNotFoundError):
        await store.create_directory(new_directory(organization))


async def test_an_organization_with_a_directory_is_kept(store: DirectoryStore, organization: Organization) -> None:
    await store.create_directory(new_directory(organization))

    with pytest.raises(OrganizationNotEmptyError):
        await store.delete_organization(organization, end(organization))

    assert await store.organization(organization.id) == organization


async def test_of_a_deletion_and_a_creation_at_once_one_succeeds(store: DirectoryStore) -> None:
    for _ in range(5):
        organization = new_organization()
        await create(store, organization)
        results = await asyncio.gather(
            store.delete_organization(organization, end(organization)),
            store.create_directory(new_directory(organization)),
            return_exceptions=True,
        )
        failed = [result for result in results if isinstance(result, BaseException)]

        assert len(failed) == 1
        assert isinstance(failed[0], OrganizationNotEmptyError | OrganizationNotFoundError)
