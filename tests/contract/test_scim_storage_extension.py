"""What our store promises beyond scim2-server's storage contract, on Azurite, asked through the same interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from scim2_models import (
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    ResourceType,
    SearchRequest,
    UniquenessException,
)

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
USERS, GROUPS = (next(kind for kind in PROVIDER.resource_types if kind.name == name) for name in ("User", "Group"))
USER: Any = PROVIDER.model_for(USERS)
GROUP: Any = PROVIDER.model_for(GROUPS)
EQUAL_NAMES = [("Team", "TEAM"), ("Straße", "STRASSE"), ("Café", "Cafe\u0301"), ("ﬁx", "FIX"), ("ΣΑΣ", "σας")]


@pytest.fixture(autouse=True)
async def storage(azurite: Azurite) -> AsyncIterator[EngineStorage]:
    account = StorageAccount.from_connection_string(azurite.connection_string)
    await account.create_table(RESOURCES_TABLE)
    partition = Partition(account.table(RESOURCES_TABLE), f"dir_{uuid4().hex}", "org_1")
    yield EngineStorage(TableResourceStore(partition, Mock()), SERVED, PROVIDER)
    await account.close()


def changed(resource: Any, **attributes: Any) -> Any:
    """Return a resource with some attributes changed, named as in JSON."""
    return type(resource).model_validate({**resource.model_dump(), **attributes})


async def find(storage: EngineStorage, kind: ResourceType, model: Any, text: str) -> list[Any]:
    with PROVIDER:
        request = SearchRequest[model].model_validate({"filter": text})
        return list((await storage.search([kind], request)).resources)


def refused(outcomes: list[Any]) -> list[type]:
    return [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]


@pytest.mark.parametrize(("kind", "made"), [(USERS, USER(user_name="anna")), (GROUPS, GROUP(display_name="Team"))])
async def test_of_two_writers_with_the_same_expected_version_one_succeeds(
    storage: EngineStorage, kind: ResourceType, made: Any
) -> None:
    created: Any = await storage.create(kind, made)
    written = [changed(created, externalId=name) for name in ("first", "second")]

    outcomes = await asyncio.gather(
        *(storage.update(kind, resource, expected_version=created.meta.version) for resource in written),
        return_exceptions=True,
    )

    stored: Any = await storage.get(kind, created.id)
    assert refused(outcomes) == [PreconditionFailedException]
    assert [outcome.external_id for outcome in outcomes if not isinstance(outcome, BaseException)] == [
        stored.external_id
    ]


@pytest.mark.parametrize(("kind", "made"), [(USERS, USER(user_name="anna")), (GROUPS, GROUP(display_name="Team"))])
async def test_of_an_update_and_a_deletion_with_the_same_expected_version_one_succeeds(
    storage: EngineStorage, kind: ResourceType, made: Any
) -> None:
    created: Any = await storage.create(kind, made)
    version = created.meta.version

    outcomes = await asyncio.gather(
        storage.update(kind, changed(created, externalId="new"), expected_version=version),
        storage.delete(kind, created.id, expected_version=version),
        return_exceptions=True,
    )

    assert len(refused(outcomes)) == 1
    assert refused(outcomes)[0] in (PreconditionFailedException, NotFoundException)


@pytest.mark.parametrize(("kind", "made"), [(USERS, USER(user_name="anna")), (GROUPS, GROUP(display_name="Team"))])
async def test_of_many_creations_of_one_name_at_once_one_succeeds(
    storage: EngineStorage, kind: ResourceType, made: Any
) -> None:
    outcomes = await asyncio.gather(*(storage.create(kind, made) for _ in range(6)), return_exceptions=True)

    assert refused(outcomes) == [UniquenessException] * 5


async def test_a_membership_change_between_read_and_write_is_a_change_of_the_group(storage: EngineStorage) -> None:
    user: Any = await storage.create(USERS, USER(user_name="anna"))
    group: Any = await storage.create(GROUPS, GROUP(display_name="Team"))
    outdated = group.meta.version
    await storage.update(GROUPS, changed(group, members=[{"value": user.id}]))

    for attempt in (
        storage.update(GROUPS, changed(group, displayName="Crew"), expected_version=outdated),
        storage.delete(GROUPS, group.id, expected_version=outdated),
    ):
        with pytest.raises(PreconditionFailedException):
            await attempt
    stored: Any = await storage.get(GROUPS, group.id)
    assert (stored.display_name, [member.value for member in stored.members]) == ("Team", [user.id])


@pytest.mark.parametrize("unknown", ["usr_" + "0" * 32, "grp_" + "0" * 32])
async def test_an_unknown_member_is_refused_and_nothing_is_stored(storage: EngineStorage, unknown: str) -> None:
    user: Any = await storage.create(USERS, USER(user_name="anna"))
    members = [{"value": user.id}, {"value": unknown}]
    group: Any = await storage.create(GROUPS, GROUP(display_name="Team"))

    with pytest.raises(InvalidValueException):
        await storage.create(GROUPS, GROUP(display_name="Crew", members=members))
    with pytest.raises(InvalidValueException):
        await storage.update(GROUPS, changed(group, displayName="Club", members=members))

    assert await find(storage, GROUPS, GROUP, 'displayName eq "Crew" or displayName eq "Club"') == []
    stored: Any = await storage.get(GROUPS, group.id)
    assert (stored.display_name, stored.members, stored.meta.version) == ("Team", None, group.meta.version)


async def test_a_deleted_user_is_an_unknown_member_and_leaves_its_groups(storage: EngineStorage) -> None:
    user: Any = await storage.create(USERS, USER(user_name="anna"))
    group: Any = await storage.create(GROUPS, GROUP(display_name="Team", members=[{"value": user.id}]))

    await storage.delete(USERS, user.id)

    stored: Any = await storage.get(GROUPS, group.id)
    assert stored.members is None
    assert stored.meta.version != group.meta.version
    with pytest.raises(InvalidValueException):
        await storage.update(GROUPS, group)


@pytest.mark.parametrize(("name", "same"), EQUAL_NAMES)
async def test_group_names_are_unique_as_they_are_compared(storage: EngineStorage, name: str, same: str) -> None:
    group: Any = await storage.create(GROUPS, GROUP(display_name=name))
    other: Any = await storage.create(GROUPS, GROUP(display_name="Another"))

    with pytest.raises(UniquenessException):
        await storage.create(GROUPS, GROUP(display_name=same))
    with pytest.raises(UniquenessException):
        await storage.update(GROUPS, changed(other, displayName=same))

    (found,) = await find(storage, GROUPS, GROUP, f'displayName eq "{same}"')
    assert (found.id, found.display_name) == (group.id, name)


@pytest.mark.parametrize(("name", "same"), EQUAL_NAMES)
async def test_a_name_given_up_or_written_otherwise_can_be_taken(storage: EngineStorage, name: str, same: str) -> None:
    group: Any = await storage.create(GROUPS, GROUP(display_name=name))

    rewritten: Any = await storage.update(GROUPS, changed(group, displayName=same))
    renamed: Any = await storage.update(GROUPS, changed(rewritten, displayName="Another"))
    second: Any = await storage.create(GROUPS, GROUP(display_name=name))
    await storage.delete(GROUPS, second.id)
    third: Any = await storage.create(GROUPS, GROUP(display_name=same))

    assert (rewritten.display_name, renamed.display_name, third.display_name) == (same, "Another", same)
    assert [found.id for found in await find(storage, GROUPS, GROUP, f'displayName eq "{name}"')] == [third.id]
