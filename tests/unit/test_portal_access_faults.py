"""Links and sessions when storage fails, or loses its answer, at any request: no session outlives its link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from scim.adapters.tables.directories import TableDirectoryStore
from scim.adapters.tables.portal_access import TablePortalAccessStore
from scim.directories.actor import current_actor
from scim.directories.change_event import link_created
from scim.directories.errors import (
    DirectoryStoreUnavailableError,
    IdUsedError,
    LinkNotFoundError,
    OrganizationNotFoundError,
)
from scim.directories.organization import Organization
from scim.directories.portal_access import LinkUse, SessionKey
from scim.directories.portal_access_service import PortalAccessService
from scim.directories.portal_link import NewPortalLink, code_in, new_code
from tests.builders import beginning, end
from tests.fakes.memory_table import MemoryTable, fail_at

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ORGANIZATION = Organization("org_" + "1" * 32, "Contoso", None, NOW)

every_fault = pytest.mark.parametrize(("number", "lost"), [(n, lost) for n in range(4) for lost in (False, True)])


@dataclass(slots=True)
class World:
    """A service over a table in memory that fails when it is told to."""

    table: MemoryTable = field(default_factory=MemoryTable)
    access: PortalAccessService = field(init=False)

    def __post_init__(self) -> None:
        directories = TableDirectoryStore(self.table)
        self.access = PortalAccessService(TablePortalAccessStore(self.table), directories, now=lambda: NOW)

    async def open(self) -> NewPortalLink:
        """Make the organization and a link to it."""
        await TableDirectoryStore(self.table).create_organization(ORGANIZATION, beginning(ORGANIZATION))
        return await self.access.create_link(ORGANIZATION.id, max_uses=3)

    async def uses(self) -> list[LinkUse]:
        return list(await self.access.link_uses(ORGANIZATION.id))

    async def attempt(self, action: Callable[[], Awaitable[object]], number: int, *, lost: bool) -> object:
        """Return what an action returned although a request failed, or None when it was told that storage did."""
        fault = fail_at(number)
        self.table.before, self.table.after = (None, fault) if lost else (fault, None)
        try:
            return await action()
        except DirectoryStoreUnavailableError:
            return None
        finally:
            self.table.before = self.table.after = None


@every_fault
async def test_a_session_is_told_of_or_can_be_begun_again(number: int, *, lost: bool) -> None:
    world = World()
    link = await world.open()

    key = await world.attempt(lambda: world.access.redeem(link.code), number, lost=lost)

    if isinstance(key, SessionKey):
        assert await world.access.recognise(key) is not None
    again = await world.access.redeem(link.code)
    assert await world.access.recognise(again) is not None
    (use,) = await world.uses()
    assert len(use.sessions) <= 2


@every_fault
async def test_a_revocation_is_whole_or_nothing_and_is_completed_by_another(number: int, *, lost: bool) -> None:
    world = World()
    link = await world.open()
    keys = [await world.access.redeem(link.code) for _ in range(3)]

    await world.attempt(lambda: world.access.revoke_link(ORGANIZATION.id, link.link.id), number, lost=lost)

    (use,) = await world.uses()
    assert len(use.sessions) == (0 if use.link.revoked_at else 3)
    await world.access.revoke_link(ORGANIZATION.id, link.link.id)
    assert [await world.access.recognise(key) for key in keys] == [None] * 3
    assert await world.access.redeem(link.code) is None


@every_fault
async def test_a_link_whose_answer_is_lost_can_be_made_again(number: int, *, lost: bool) -> None:
    world = World()
    await world.open()

    made = await world.attempt(lambda: world.access.create_link(ORGANIZATION.id), number, lost=lost)

    uses = await world.uses()
    assert len(uses) in ((2,) if made else (1, 2))
    assert not any(use.sessions for use in uses)


async def test_the_id_of_a_link_is_given_once_and_has_its_exact_form() -> None:
    world = World()
    made = await world.open()
    store = TablePortalAccessStore(world.table)
    event = link_created(made.link, current_actor())
    before = world.table.rows(ORGANIZATION.id)

    await store.add_link(made.link, event)
    with pytest.raises(IdUsedError):
        await store.add_link(replace(made.link, digest_hex="0" * 64), event)
    with pytest.raises(LinkNotFoundError):
        await store.add_link(replace(made.link, id="lnk_" + "A" * 16), event)

    assert world.table.rows(ORGANIZATION.id) == before


async def test_no_link_is_made_for_an_organization_that_is_gone() -> None:
    world = World()
    with pytest.raises(OrganizationNotFoundError):
        await world.access.create_link(ORGANIZATION.id)
    with pytest.raises(OrganizationNotFoundError):
        await world.access.create_link("organizations")
    assert world.table.partitions() == []


async def test_a_link_of_a_deleted_organization_opens_nothing_and_leaves_no_row() -> None:
    world = World()
    link = await world.open()
    key = await world.access.redeem(link.code)

    await TableDirectoryStore(world.table).delete_organization(ORGANIZATION, end(ORGANIZATION))

    assert await world.access.recognise(key) is None
    assert await world.access.redeem(link.code) is None
    assert ORGANIZATION.id not in world.table.partitions()


def test_a_code_is_found_in_what_was_pasted_and_only_whole() -> None:
    code = new_code(ORGANIZATION.id)

    for text in (code, f" {code}\n", f"https://scim.example.com/portal/open#{code}", f"<{code}>"):
        assert code_in(text) == code
    for text in ("", code[:-1], code[1:], code.lower(), code[:60] + "!" + code[61:], "x" * 5000 + code):
        assert code_in(text) is None


@pytest.mark.parametrize("cookie", ["", "a.b.c", "1" * 32, f"{'1' * 32}.{'2' * 16}.{'3' * 42}"])
def test_a_cookie_of_another_form_is_none(cookie: str) -> None:
    assert SessionKey.read(cookie) is None


def test_a_cookie_says_what_it_was_made_of() -> None:
    key = SessionKey("org_" + "1" * 32, "lnk_" + "2" * 16, "s" * 43)

    assert SessionKey.read(key.cookie) == key
    assert key.secret not in repr(key)
    assert key.is_form_token(key.form_token)
    assert not key.is_form_token(key.form_token[:-1])


async def test_a_link_may_not_live_longer_than_its_limit() -> None:
    world = World()
    await world.open()

    made = await world.access.create_link(ORGANIZATION.id, expires_at=NOW + timedelta(days=30))

    assert made.link.is_valid(NOW + timedelta(days=29))
    assert not made.link.is_valid(NOW + timedelta(days=30))
