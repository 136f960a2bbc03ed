"""The events of a directory through the API, and what reading them costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.feed import RETENTION_DAYS, forget_old_events
from scim.events.rendering import rendered_event
from scim.resources.identifiers import new_resource_id
from tests.api import ApiClient
from tests.service import EXTENSION_URN, ScimClient, add_members

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def read_all(api: ApiClient, scim: ScimClient, limit: int) -> list[dict[str, Any]]:
    events, after, more = list[dict[str, Any]](), "", True
    while more:
        answer = await api.get(f"directories/{scim.directory.id}/events", {"limit": str(limit), "after": after})
        assert answer.status == 200, answer.json
        events += answer.json["data"]
        after, more = answer.json["cursor"], answer.json["has_more"]
    return events


@pytest.mark.parametrize("limit", [1, 100])
async def test_events_tell_of_users_and_groups_as_profiles(api: ApiClient, scim: ScimClient, limit: int) -> None:
    user = (await scim.new_user("anna", title="Boss", **{EXTENSION_URN: {"tag": "blue"}}))["id"]
    group = (await scim.new_group("Team"))["id"]
    await scim.patch(
        f"/Users/{user}",
        {"op": "remove", "path": "title"},
        {"op": "replace", "path": f"{EXTENSION_URN}:tag", "value": "red"},
    )
    await scim.patch(f"/Groups/{group}", add_members(user))

    created, group_created, updated, added = await read_all(api, scim, limit)

    assert created["type"] == "user.created"
    assert created["data"]["user"].items() >= {"id": user, "username": "anna", "title": "Boss"}.items()
    assert "changed" not in created
    assert group_created["data"]["group"].items() >= {"id": group, "display_name": "Team"}.items()
    assert (updated["type"], updated["changed"]) == ("user.updated", ["custom_attributes", "title"])
    assert updated["previous_attributes"] == {"custom_attributes": {"tag": "blue"}, "title": "Boss"}
    assert updated["data"]["user"]["custom_attributes"] == {"tag": "red"}
    assert added["data"] == {"group_id": group, "user_id": user}


async def test_a_cursor_leads_on_whether_or_not_there_is_more(api: ApiClient, scim: ScimClient) -> None:
    path = f"directories/{scim.directory.id}/events"
    empty = await api.get(path)
    await scim.new_user("anna")
    first = await api.get(path, {"after": empty.json["cursor"]})
    await scim.new_user("bob")
    await scim.relay()
    second = await api.get(path, {"after": first.json["cursor"]})
    end = await api.get(path, {"after": second.json["cursor"]})

    assert (empty.json["data"], empty.json["has_more"]) == ([], False)
    assert [event["data"]["user"]["username"] for event in first.json["data"]] == ["anna"]
    assert [event["data"]["user"]["username"] for event in second.json["data"]] == ["bob"]
    assert (end.json["data"], end.json["cursor"]) == ([], second.json["cursor"])
    assert (second.storage_requests, end.storage_requests) == (3, 4)


async def test_a_cursor_behind_what_is_kept_is_a_410_that_says_what_to_do(api: ApiClient, scim: ScimClient) -> None:
    path = f"directories/{scim.directory.id}/events"
    await scim.new_users(3)
    cursor = (await api.get(path, {"limit": "1"})).json["cursor"]
    later = datetime.now(UTC) + timedelta(days=RETENTION_DAYS + 1)
    assert await forget_old_events(scim.partition, now=later) == 3

    answer = await api.get(path, {"after": cursor})

    assert answer.status == 410
    assert "Read the users and groups of the directory again" in answer.json["detail"]


async def test_a_cursor_of_another_directory_is_refused(api: ApiClient, scim: ScimClient) -> None:
    other = await api.new_directory(await api.new_organization())
    cursor = (await api.get(f"directories/{other['id']}/events")).json["cursor"]

    assert (await api.get(f"directories/{scim.directory.id}/events", {"after": cursor})).status == 422


async def test_what_was_omitted_is_said_and_not_made_up(scim: ScimClient) -> None:
    user_id, resource = new_resource_id("User"), {"userName": "anna"}
    update = {"type": "user.updated", "changed": ["title"], "previous_attributes": {}}
    without_previous = {**update, "data": {"resource": {**resource, "id": user_id}}, "omitted": "previous_attributes"}
    without_resource = {**update, "data": {"id": user_id}, "omitted": "resource"}

    first = rendered_event(scim.directory, without_previous)
    second = rendered_event(scim.directory, without_resource)

    assert first["data"]["user"]["username"] == "anna"
    assert second["data"] == {"user": {"id": user_id}}
    assert not {"changed", "previous_attributes"} & (first.keys() | second.keys())
