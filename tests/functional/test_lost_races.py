"""Requests that keep losing races go on for seconds, not for a handful of attempts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest

from scim.adapters.tables.table import RowChangedError
from scim.resources import attempts
from tests.fakes.memory_table import Fault, MemoryTable, Request
from tests.service import ScimClient, add_members, remove_members

_LOST = 12
"""More races than five or eight attempts can lose, and fewer than a crowd of 20 lets one lose."""


def losing(times: int) -> Fault:
    """Return a fault: so many transactions find that somebody else was faster."""
    left = iter(range(times))

    def fault(request: Request) -> Exception | None:
        if request.operation != "commit" or next(left, None) is None:
            return None
        return RowChangedError(0, uncertain=False)

    return fault


async def _patch_user(scim: ScimClient, rows: MemoryTable) -> int:
    anna = await scim.new_user("anna")
    rows.before = losing(_LOST)
    return (await scim.patch(f"/Users/{anna['id']}", {"op": "replace", "path": "title", "value": "Boss"})).status


async def _delete_user(scim: ScimClient, rows: MemoryTable) -> int:
    anna = await scim.new_user("anna")
    rows.before = losing(_LOST)
    return (await scim.delete(f"/Users/{anna['id']}")).status


async def _join(scim: ScimClient, rows: MemoryTable) -> int:
    anna, team = await scim.new_user("anna"), await scim.new_group("Team")
    rows.before = losing(_LOST)
    return (await scim.patch(f"/Groups/{team['id']}", add_members(anna["id"]))).status


async def _leave(scim: ScimClient, rows: MemoryTable) -> int:
    anna = await scim.new_user("anna")
    team = await scim.new_group("Team", [anna["id"]])
    rows.before = losing(_LOST)
    return (await scim.patch(f"/Groups/{team['id']}", remove_members(anna["id"]))).status


async def _replace_members(scim: ScimClient, rows: MemoryTable) -> int:
    anna, team = await scim.new_user("anna"), await scim.new_group("Team")
    rows.before = losing(_LOST)
    body = {"op": "replace", "path": "members", "value": [{"value": anna["id"]}]}
    return (await scim.patch(f"/Groups/{team['id']}", body)).status


@pytest.mark.parametrize("write", [_patch_user, _delete_user, _join, _leave, _replace_members])
async def test_a_write_that_loses_twelve_races_is_done(
    scim: ScimClient, rows: MemoryTable, write: Callable[[ScimClient, MemoryTable], Awaitable[int]]
) -> None:
    assert await write(scim, rows) < HTTPStatus.BAD_REQUEST


@pytest.fixture
def directories(scim: ScimClient) -> MemoryTable:
    """The table in memory in which organizations and directories are."""
    table = scim.application.account.table("directories")
    assert isinstance(table, MemoryTable)
    return table


async def test_changes_of_directories_links_and_organizations_that_lose_twelve_races_are_done(
    scim: ScimClient, directories: MemoryTable
) -> None:
    application, directory = scim.application, scim.directory

    directories.before = losing(_LOST)
    renamed = await application.directories.update_directory(directory.id, name="Renamed")
    assert renamed.name == "Renamed"

    directories.before = losing(_LOST)
    organization = await application.directories.get_organization(directory.organization_id)
    organization = await application.directories.update_organization(organization, name="Other")
    assert organization.name == "Other"

    directories.before = losing(_LOST)
    revoked = await application.tokens.revoke(directory.id, directory.tokens[0].version)
    assert [token.state for token in revoked.tokens] == ["ended"]

    link = await application.portal_access.create_link(directory.organization_id)
    directories.before = losing(_LOST)
    await application.portal_access.revoke_link(directory.organization_id, link.link.id)
    (use,) = await application.portal_access.link_uses(directory.organization_id)
    assert use.link.revoked_at is not None


async def test_what_never_wins_ends_with_503_when_its_seconds_are_over(
    scim: ScimClient, rows: MemoryTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await scim.new_user("anna")
    monkeypatch.setattr(attempts, "PATIENCE", 0.1)
    rows.before = losing(10**6)

    answer = await scim.patch(f"/Users/{anna['id']}", {"op": "replace", "path": "title", "value": "Boss"})

    assert (answer.status, answer.headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "1")
