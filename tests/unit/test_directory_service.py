"""Organizations and directories, with a crash between any two steps of a creation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from scim.adapters.tables.directories import TableDirectoryStore
from scim.adapters.tables.organization_feed import TableOrganizationFeed
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.bearer_token import digest, fingerprint
from scim.directories.directory import MAX_MAPPINGS, DirectoryReference
from scim.directories.errors import (
    DirectoryNotFoundError,
    InvalidValueError,
    OrganizationExistsError,
    OrganizationNotFoundError,
    SecretDisabledError,
    SecretStoreUnavailableError,
    TokenEndedError,
)
from scim.directories.interfaces import DirectoryStore, SecretStore
from scim.directories.organization import Organization
from scim.directories.service import ABANDONED_AFTER, DirectoryService
from tests.fakes.crashing import CrashError, Crashing
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import MemoryTable, Request, fail_at

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
MAPPING = AttributeMapping(name="tag", path="urn:ietf:params:scim:schemas:extension:Acme:2.0:User:tag")


@dataclass(slots=True)
class World:
    """A service over stores in memory, and a clock to turn."""

    table: MemoryTable = field(default_factory=MemoryTable)
    secrets: MemorySecretStore = field(default_factory=MemorySecretStore)
    time: datetime = NOW
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def service(self, store: DirectoryStore | None = None, secrets: SecretStore | None = None) -> DirectoryService:
        return DirectoryService(
            store or TableDirectoryStore(self.table),
            secrets or self.secrets,
            TableOrganizationFeed(self.table),
            now=lambda: self.time,
            new_id=lambda: f"{next(self.ids):032x}",
        )

    def crashing_service(self, at: int, *, after: bool) -> DirectoryService:
        steps = count()
        return self.service(
            Crashing(TableDirectoryStore(self.table), steps, at, after), Crashing(self.secrets, steps, at, after)
        )

    async def references(self) -> list[DirectoryReference]:
        return list((await self.service().list_directories()).references)

    async def sweep(self) -> None:
        for reference in await self.references():
            await self.service().complete_creation(reference)


@pytest.fixture(name="world")
def _world() -> World:
    return World()


@pytest.fixture(name="organization")
async def _organization(world: World) -> Organization:
    return await world.service().create_organization("Acme", "acme-1")


# -- Organizations ------------------------------------------------------


async def test_an_organization_is_found_by_id_and_external_id(world: World, organization: Organization) -> None:
    service = world.service()
    assert organization == Organization("org_" + "1".zfill(32), "Acme", "acme-1", NOW)
    assert await service.get_organization(organization.id) == organization
    assert await service.find_organization("acme-1") == organization
    assert await service.find_organization("ACME-1") is None


async def test_an_external_id_belongs_to_one_organization(world: World, organization: Organization) -> None:
    with pytest.raises(OrganizationExistsError) as caught:
        await world.service().create_organization("Other", "acme-1")
    assert caught.value.organization_id == organization.id
    assert world.table.partitions() == sorted(["organizations", organization.id])


async def test_organizations_without_external_id_do_not_collide(world: World) -> None:
    first = await world.service().create_organization("Acme")
    second = await world.service().create_organization("Acme")
    assert first.id != second.id
    assert first.external_id is None


@pytest.mark.parametrize(("name", "external_id"), [("", None), ("  ", None), ("x" * 201, None), ("Acme", " ")])
async def test_a_malformed_organization_is_refused(world: World, name: str, external_id: str | None) -> None:
    with pytest.raises(InvalidValueError):
        await world.service().create_organization(name, external_id)
    assert world.table.partitions() == []


@pytest.mark.parametrize("organization_id", ["org_" + "f" * 32, "organizations", "", "org_" + "F" * 32, "a/b"])
async def test_an_unknown_organization_is_not_found(world: World, organization_id: str) -> None:
    service = world.service()
    with pytest.raises(OrganizationNotFoundError):
        await service.get_organization(organization_id)
    with pytest.raises(OrganizationNotFoundError):
        await service.create_directory(organization_id, name="Entra", provider="entra_id")
    assert await service.directories_of(organization_id) == []
    assert world.table.partitions() == []
    assert await world.references() == []


# -- Directories --------------------------------------------------------


async def test_a_directory_is_created_with_a_token_that_only_the_secret_store_holds(
    world: World, organization: Organization
) -> None:
    service = world.service()
    created = await service.create_directory(organization.id, name=" Entra ", provider="entra_id", mappings=[MAPPING])
    directory = created.directory
    assert await service.get_directory(directory.id) == directory
    assert (directory.organization_id, directory.provider, directory.name) == (organization.id, "entra_id", "Entra")
    assert (directory.status, directory.created, directory.changed) == ("active", NOW, NOW)
    assert directory.attribute_mappings == (MAPPING,)
    (record,) = directory.valid_tokens(NOW)
    assert record.fingerprint == fingerprint(digest(created.token))
    assert await world.secrets.get(directory.secret_name, record.version) == created.token
    assert await service.current_token(directory) == created.token
    assert created.token.startswith(f"scimdt_{directory.id[4:]}_")
    everything = repr([world.table.rows(partition) for partition in world.table.partitions()])
    assert created.token not in everything + repr(created)


async def test_a_first_token_may_expire(world: World, organization: Organization) -> None:
    service, expiry = world.service(), NOW + timedelta(days=90)
    created = await service.create_directory(organization.id, name="Entra", provider="entra_id", expires_at=expiry)
    assert len(created.directory.valid_tokens(expiry - timedelta(seconds=1))) == 1
    assert created.directory.valid_tokens(expiry) == ()
    (version,) = await world.secrets.list_versions(created.directory.secret_name)
    assert version.expires == expiry


async def test_a_directory_is_listed_with_its_organization_and_for_the_sweep(
    world: World, organization: Organization
) -> None:
    service = world.service()
    first = await service.create_directory(organization.id, name="A", provider="entra_id")
    second = await service.create_directory(organization.id, name="B", provider="okta")
    assert await service.directories_of(organization.id) == [first.directory, second.directory]
    assert [(one.directory_id, one.organization_id, one.creating) for one in await world.references()] == [
        (first.directory.id, organization.id, False),
        (second.directory.id, organization.id, False),
    ]


async def test_a_creation_costs_ten_storage_requests_and_one_secret(world: World, organization: Organization) -> None:
    before = len(world.table.requests)
    await world.service().create_directory(organization.id, name="Entra", provider="entra_id")
    assert [request.operation for request in world.table.requests[before:]] == [
        *["commit"] * 3,  # listed, kept, listed with the organization
        *["read", "commit"],  # the token is active
        "commit",  # created
        *["read", "commit"] * 2,  # told
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"name": " ", "provider": "entra_id"},
        {"name": "Entra", "provider": "ping"},
        {"name": "Entra", "provider": "okta", "expires_at": NOW},
        {"name": "Entra", "provider": "okta", "mappings": [MAPPING] * (MAX_MAPPINGS + 1)},
    ],
)
async def test_a_malformed_directory_is_refused_before_anything_is_stored(
    world: World, organization: Organization, values: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValueError):
        await world.service().create_directory(organization.id, **values)
    assert await world.references() == []


async def test_the_status_changes_with_the_time_of_change(world: World, organization: Organization) -> None:
    service = world.service()
    directory = (await service.create_directory(organization.id, name="Entra", provider="entra_id")).directory
    world.time += timedelta(hours=1)
    disabled = await service.set_status(directory.id, "disabled")
    assert (disabled.status, disabled.changed) == ("disabled", world.time)
    assert disabled.valid_tokens(world.time) == ()
    world.time += timedelta(hours=1)
    assert await service.set_status(directory.id, "disabled") == disabled
    enabled = await service.set_status(directory.id, "active")
    assert enabled.valid_tokens(world.time) == directory.tokens


async def test_an_unknown_directory_is_not_found(world: World) -> None:
    with pytest.raises(DirectoryNotFoundError):
        await world.service().get_directory("dir_" + "f" * 32)
    with pytest.raises(DirectoryNotFoundError):
        await world.service().set_status("dir_" + "f" * 32, "disabled")


# -- Crashes ------------------------------------------------------------

STEPS = ("list entry and row", "secret", "activation", "confirmation")


def test_the_steps_of_a_creation_are_those_that_crash_below() -> None:
    assert len(STEPS) == 4


async def create(world: World, organization: Organization, at: int, *, after: bool) -> None:
    service = world.crashing_service(at, after=after)
    with pytest.raises(CrashError):
        await service.create_directory(organization.id, name="Entra", provider="entra_id", mappings=[MAPPING])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(len(STEPS)))
async def test_after_a_crash_only_an_activated_token_authenticates(
    world: World, organization: Organization, at: int, *, after: bool
) -> None:
    await create(world, organization, at, after=after)
    activated = (at, after) >= (2, True)
    for directory in await world.service().directories_of(organization.id):
        assert [record.state for record in directory.tokens] == ["active" if activated else "creating"]
        assert bool(directory.valid_tokens(world.time)) is activated


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(len(STEPS)))
async def test_the_sweep_settles_what_any_crash_left(
    world: World, organization: Organization, at: int, *, after: bool
) -> None:
    await create(world, organization, at, after=after)
    world.time += ABANDONED_AFTER
    await world.sweep()
    directories = await world.service().directories_of(organization.id)
    assert [one.directory_id for one in await world.references()] == [directory.id for directory in directories]
    assert not any(reference.creating for reference in await world.references())
    for directory in directories:
        (record,) = directory.tokens
        versions = await world.secrets.list_versions(directory.secret_name)
        assert [version.enabled for version in versions] == [record.state == "active"] * len(versions)
    settled = repr([world.table.rows(partition) for partition in world.table.partitions()])
    await world.sweep()
    assert repr([world.table.rows(partition) for partition in world.table.partitions()]) == settled


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("number", range(6))
async def test_an_outage_at_any_storage_request_leaves_what_the_sweep_settles(
    world: World, organization: Organization, number: int, *, lost: bool
) -> None:
    fault = fail_at(number)
    world.table.before, world.table.after = (None, fault) if lost else (fault, None)
    with pytest.raises(Exception, match="storage is down"):
        await world.service().create_directory(organization.id, name="Entra", provider="entra_id")
    world.table.before = world.table.after = None
    world.time += ABANDONED_AFTER
    await world.sweep()
    directories = await world.service().directories_of(organization.id)
    assert [one.directory_id for one in await world.references()] == [directory.id for directory in directories]
    assert set(world.table.partitions()) == {"organizations", organization.id, *(one.id for one in directories)}


@pytest.mark.parametrize("at", range(5))
async def test_a_sweep_that_crashes_is_completed_by_the_next(world: World, organization: Organization, at: int) -> None:
    await create(world, organization, 2, after=False)
    world.time += ABANDONED_AFTER
    (reference,) = await world.references()
    with pytest.raises(CrashError):
        await world.crashing_service(at + 1, after=False).complete_creation(reference)
    await world.sweep()
    (directory,) = await world.service().directories_of(organization.id)
    (version,) = await world.secrets.list_versions(directory.secret_name)
    assert (directory.tokens[0].state, version.enabled) == ("ended", False)
    with pytest.raises(SecretDisabledError):
        await world.secrets.get(directory.secret_name, version.version)


async def test_a_creation_under_way_is_left_alone(world: World, organization: Organization) -> None:
    await create(world, organization, 1, after=True)
    world.time += ABANDONED_AFTER - timedelta(seconds=1)
    requests = len(world.table.requests)
    await world.sweep()
    assert len(world.table.requests) == requests + 1
    (directory,) = await world.service().directories_of(organization.id)
    assert directory.tokens[0].state == "creating"


async def test_a_sweep_of_settled_directories_costs_the_listing_only(world: World, organization: Organization) -> None:
    for number in range(5):
        await world.service().create_directory(organization.id, name=str(number), provider="entra_id")
    world.time += ABANDONED_AFTER
    requests = len(world.table.requests)
    await world.sweep()
    assert len(world.table.requests) == requests + 1


async def test_a_token_ended_by_the_sweep_is_not_activated_afterwards(world: World, organization: Organization) -> None:
    class SlowSecrets(MemorySecretStore):
        async def set(self, *arguments: Any, **named: Any) -> str:
            version = await MemorySecretStore.set(self, *arguments, **named)
            world.time += ABANDONED_AFTER
            await world.sweep()
            return version

    world.secrets = SlowSecrets()
    with pytest.raises(TokenEndedError):
        await world.service().create_directory(organization.id, name="Entra", provider="entra_id")
    (directory,) = await world.service().directories_of(organization.id)
    assert directory.valid_tokens(world.time) == ()


async def test_an_outage_of_the_secret_store_is_told_and_leaves_nothing_half_made(
    world: World, organization: Organization
) -> None:
    before = {partition: [*world.table.rows(partition)] for partition in world.table.partitions()}
    world.secrets.failure = SecretStoreUnavailableError("throttled")
    with pytest.raises(SecretStoreUnavailableError):
        await world.service().create_directory(organization.id, name="Entra", provider="entra_id")
    assert {partition: [*world.table.rows(partition)] for partition in world.table.partitions()} == before


@pytest.mark.parametrize("number", range(3, 7))
async def test_what_an_outage_of_both_stores_leaves_is_settled_by_the_sweep(
    world: World, organization: Organization, number: int
) -> None:
    world.secrets.failure = SecretStoreUnavailableError("throttled")
    world.table.before = fail_at(*range(number, 20))
    with pytest.raises(SecretStoreUnavailableError):
        await world.service().create_directory(organization.id, name="Entra", provider="entra_id")
    world.table.before, world.secrets.failure = None, None
    world.time += ABANDONED_AFTER
    await world.sweep()
    directories = await world.service().directories_of(organization.id)
    assert [one.directory_id for one in await world.references()] == [directory.id for directory in directories]
    assert not any(directory.valid_tokens(world.time) for directory in directories)


async def test_a_creation_repeated_under_one_id_makes_one_directory_with_one_valid_token(
    world: World, organization: Organization
) -> None:
    service, creation_id = world.service(), "a" * 32
    made = await service.create_directory(organization.id, name="A", provider="entra_id", creation_id=creation_id)
    with pytest.raises(TokenEndedError):
        await service.create_directory(organization.id, name="A", provider="entra_id", creation_id=creation_id)
    world.secrets.failure = SecretStoreUnavailableError("throttled")
    with pytest.raises(SecretStoreUnavailableError):
        await service.create_directory(organization.id, name="A", provider="entra_id", creation_id=creation_id)
    world.secrets.failure = None
    (directory,) = await service.directories_of(organization.id)
    assert directory == made.directory
    assert await service.current_token(directory) == made.token


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("number", range(2))
async def test_an_organization_is_whole_or_unknown_after_an_outage(world: World, number: int, *, lost: bool) -> None:
    fault = fail_at(number)
    world.table.before, world.table.after = (None, fault) if lost else (fault, None)
    with pytest.raises(Exception, match="storage is down"):
        await world.service().create_organization("Acme", "acme-1")
    world.table.before = world.table.after = None
    found = await world.service().find_organization("acme-1")
    assert (found is not None) is ((number, lost) == (1, True))
    if found is None:
        assert await world.service().create_organization("Acme", "acme-1")


async def test_no_key_holds_what_a_user_wrote(world: World) -> None:
    organization = await world.service().create_organization("N/a\\m#e?", "ex/ter\\nal#id?")
    await world.service().create_directory(organization.id, name="d/i\\r#?", provider="okta")
    keys = {key for request in world.table.requests for key in _keys(request)}
    assert not any(set("/\\#?") & set(key) for key in keys)
    assert await world.service().find_organization("ex/ter\\nal#id?") == organization


def _keys(request: Request) -> tuple[str, ...]:
    return (request.partition, *request.keys)
