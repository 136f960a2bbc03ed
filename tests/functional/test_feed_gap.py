"""A row of a feed that cannot be read: an event says so, and what comes behind it is told."""

from __future__ import annotations

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import merge
from scim.composed_stores import DIRECTORIES_TABLE
from tests.api import ApiClient
from tests.service import ScimClient

UNREADABLE = [
    {"d0": "{"},
    {"d0": "[1]"},
    {"d0": '"text"'},
    {"d0": '[{"type": "user.created"}]'},
    {"d0": '[{"id": "evt_1", "type": "user.created", "timestamp": "now", "data": {"resource": []}}]'},
    {"d0": "[" * 5000},
]


async def broken(scim: ScimClient, values: dict[str, str]) -> None:
    """Let the second of three changes be one that cannot be read."""
    for name in ("anna", "bob", "carl"):
        await scim.new_user(name)
    await relay(scim.partition)
    await scim.partition.commit([merge(keys.feed(2), values)])


@pytest.mark.parametrize("values", UNREADABLE)
async def test_a_feed_goes_on_behind_a_row_that_cannot_be_read(
    api: ApiClient, scim: ScimClient, values: dict[str, str]
) -> None:
    await broken(scim, values)

    page = await api.get(f"directories/{scim.directory.id}/events")
    again = await api.get(f"directories/{scim.directory.id}/events")
    whole = await api.get(f"organizations/{scim.directory.organization_id}/events")

    events = page.json["data"]
    assert [event["type"] for event in events] == ["user.created", "feed.gap", "user.created"]
    assert (events[1]["directory_id"], events[1]["data"]) == (scim.directory.id, {})
    assert again.json["data"] == events
    assert [event["type"] for event in whole.json["data"]][-3:] == ["user.created", "feed.gap", "user.created"]
    assert "unreadable_events" in {violation.kind for violation in await check_directory(scim.partition)}


@pytest.mark.parametrize("values", UNREADABLE)
async def test_what_follows_from_a_feed_goes_on_behind_a_row_that_cannot_be_read(
    scim: ScimClient, values: dict[str, str]
) -> None:
    await broken(scim, values)

    assert await derive(scim.partition) == 2
    assert await derive(scim.partition) == 0


async def test_a_change_that_cannot_be_read_blocks_no_relay(api: ApiClient, scim: ScimClient) -> None:
    await scim.new_user("anna")
    (row,) = [row async for row in scim.partition.rows((keys.OUTBOX_FIRST, keys.OUTBOX_END))]
    await scim.partition.commit([merge(row.key, {"d0": "{", "users": "many"})])
    await scim.new_user("bob")

    assert await relay(scim.partition) == 2

    events = (await api.get(f"directories/{scim.directory.id}/events")).json["data"]
    assert [event["type"] for event in events] == ["feed.gap", "user.created"]
    assert "unreadable_events" in {violation.kind for violation in await check_directory(scim.partition)}


async def test_the_feed_of_an_organization_goes_on_behind_a_row_that_cannot_be_read(api: ApiClient) -> None:
    organization = await api.new_organization()
    for _ in range(2):
        await api.new_directory(organization)
    before = (await api.get(f"organizations/{organization}/events")).json["data"]
    table = api.application.account.table(DIRECTORIES_TABLE)
    await table.commit(organization, [merge(keys.feed(len(before) - 1), {"d0": "{"})])

    events = (await api.get(f"organizations/{organization}/events")).json["data"]

    assert [event["type"] for event in events] == [
        *(event["type"] for event in before[:-2]),
        "feed.gap",
        before[-1]["type"],
    ]
    assert events[-1] == before[-1]


async def test_a_row_of_a_history_that_cannot_be_read_hides_no_other(api: ApiClient, scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "displayName", "value": "Anna"})
    await scim.relay()
    rows = [row async for row in scim.partition.rows(keys.history_range(user_id))]
    await scim.partition.commit([merge(rows[0].key, {"d0": "{"})])

    history = await api.get(f"directories/{scim.directory.id}/users/{user_id}/history")

    assert [entry["type"] for entry in history.json["data"]] == ["user.created"]
