"""What an identity provider's requests show of the setup, and how the directory then stands in the API."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from scim.directories.activity import Seen, Signal
from scim.provisioning.activity_recorder import ActivityRecorder
from tests.api import ApiClient
from tests.service import BULK_URN, ScimClient, add_members, group, remove_members, user

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def recorded(scim: ScimClient) -> dict[Signal, Seen]:
    """Return the signals after what was told of requests has been stored."""
    recorder, told = ActivityRecorder(scim.application.activity_store), scim.application.activity
    outcomes: Any = told
    for outcome in outcomes.told:
        recorder.observe(outcome)
    outcomes.told.clear()
    await recorder.close()
    activity = await scim.application.activity_store.activity(scim.directory.id, recorder._now())
    return dict(activity.seen)


async def test_each_step_is_seen_when_it_succeeds_and_not_before(scim: ScimClient) -> None:
    assert (await recorded(scim)).keys() == {"authenticated"}
    await scim.get("/Users", {"filter": 'userName eq "nobody"'})
    await scim.post("/Users", user(""))
    assert (await recorded(scim)).keys() == {"authenticated"}

    await scim.get("/Users", {"filter": f'emails[type eq "work"].value eq "{uuid4()}"'})
    assert (await recorded(scim)).keys() == {"authenticated", "connection_tested"}
    anna = (await scim.new_user("anna"))["id"]
    assert (await recorded(scim))["user_created"].resource_id == anna
    await scim.patch(f"/Users/{anna}", {"op": "replace", "path": "userName", "value": "anna"})
    assert "user_updated" not in await recorded(scim)
    await scim.patch(f"/Users/{anna}", {"op": "replace", "path": "userName", "value": "bea"})
    assert (await recorded(scim))["user_updated"].resource_id == anna
    team = (await scim.new_group("Team"))["id"]
    assert (await recorded(scim))["group_created"].resource_id == team
    await scim.patch(f"/Groups/{team}", remove_members(anna))
    assert "members_added" not in await recorded(scim)
    await scim.patch(f"/Groups/{team}", add_members(anna))
    assert (await recorded(scim))["members_added"].resource_id == team


async def test_a_random_guid_that_somebody_has_tests_no_connection(scim: ScimClient) -> None:
    guid = str(uuid4())
    await scim.new_user(guid)
    await scim.get("/Users", {"filter": f'userName eq "{guid}"'})

    assert "connection_tested" not in await recorded(scim)


async def test_a_bulk_request_shows_what_its_operations_show(scim: ScimClient) -> None:
    anna = (await scim.new_user("anna"))["id"]
    operations = [
        {"method": "POST", "path": "/Groups", "bulkId": "1", "data": group("Team", [anna])},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": user("anna")},
    ]
    await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": operations})

    assert (await recorded(scim)).keys() >= {"group_created", "members_added"}


async def test_the_api_tells_how_a_directory_stands_for_three_requests(api: ApiClient, scim: ScimClient) -> None:
    path = f"directories/{scim.directory.id}"
    scim.application.activity.told.clear()  # type: ignore[attr-defined]
    untouched = (await api.get(path)).json
    await scim.get("/Users")
    await recorded(scim)
    waiting = (await api.get(path)).json
    await scim.new_user("anna", active=True)
    await recorded(scim)
    healthy = await api.get(path)

    assert untouched["health"] == {"state": "waiting", "reason": "No request has arrived yet."}
    assert untouched["last_request_at"] is untouched["last_change_at"] is None
    assert waiting["health"]["reason"] == "The credentials are accepted, and no user has arrived yet."
    assert waiting["last_request_at"] is not None
    assert waiting["last_change_at"] is None
    assert healthy.json["health"]["state"] == "healthy"
    assert healthy.json["last_change_at"] == healthy.json["last_request_at"] > waiting["last_request_at"]
    assert healthy.json["counts"] == {"users": 1, "active_users": 1, "groups": 0}
    assert healthy.storage_requests == 3
