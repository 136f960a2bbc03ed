"""What the API tells of member counts, histories, coverage and unmapped attributes, and users by group and time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.identifiers import new_resource_id
from tests.api import ApiClient
from tests.service import EXTENSION_URN, MAPPINGS, ScimClient, Service, add_members

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])

MOBILE = AttributeMapping("mobile", 'phoneNumbers[type eq "mobile"].value')
BY_VALUE = AttributeMapping("one", 'emails[value eq "a@example.com"].display')


def place(scim: ScimClient, *parts: str) -> str:
    return "/".join(["directories", scim.directory.id, *parts])


async def test_groups_have_their_member_count_for_one_request_more(api: ApiClient, scim: ScimClient) -> None:
    users = await scim.new_users(3)
    first, second = (await scim.new_group("A", users))["id"], (await scim.new_group("B"))["id"]
    assert (await api.get(place(scim, "groups", first))).json["member_count"] is None
    await scim.relay()

    one, listed = await api.get(place(scim, "groups", first)), await api.get(place(scim, "groups"))
    of_user = await api.get(place(scim, "users", users[0], "groups"))

    assert (one.json["member_count"], one.storage_requests) == (3, 3)
    assert [(each["id"], each["member_count"]) for each in listed.json["data"]] == [(first, 3), (second, 0)]
    assert (listed.storage_requests, of_user.json["data"][0]["member_count"]) == (3, 3)
    assert of_user.storage_requests <= 5 + 1


async def test_a_history_is_read_in_pages_also_of_what_was_deleted(api: ApiClient, scim: ScimClient) -> None:
    user = (await scim.new_user("anna"))["id"]
    group = (await scim.new_group("Team", [user]))["id"]
    await scim.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "Boss"})
    await scim.delete(f"/Users/{user}")
    await scim.relay()

    of_user = await api.all_pages(place(scim, "users", user, "history"), 2)
    of_group = await api.get(place(scim, "groups", group, "history"))

    assert [(each["type"], each["changed"], each["related"]) for each in of_user] == [
        ("user.deleted", [], []),
        ("group.user_removed", [], [group]),
        ("user.updated", ["title"], []),
        ("group.user_added", [], [group]),
        ("user.created", [], []),
    ]
    assert [each["type"] for each in of_group.json["data"]] == [
        "group.user_removed",
        "group.user_added",
        "group.created",
    ]
    assert of_group.storage_requests == 2


async def test_a_history_of_what_never_was_is_a_404(api: ApiClient, scim: ScimClient) -> None:
    new = (await scim.new_user("anna"))["id"]

    fresh = await api.get(place(scim, "users", new, "history"))

    assert (fresh.json["data"], fresh.storage_requests) == ([], 3)
    for path in (("users", new_resource_id("User")), ("users", "nobody"), ("groups", new)):
        assert (await api.get(place(scim, *path, "history"))).status == 404


async def test_what_is_received_and_not_mapped_is_listed_until_it_is_mapped(api: ApiClient, scim: ScimClient) -> None:
    extension = {"tag": "blue", "level": 7, "site": "Berlin 4"}
    phones = [{"type": "mobile", "value": "+49 170 1234567"}, {"type": "work", "value": "+49 30 1"}]
    await scim.new_user("anna", title="Boss", phoneNumbers=phones, **{EXTENSION_URN: extension})
    await scim.new_user("bob", **{EXTENSION_URN: {"level": 8}})
    await scim.new_group("Team", [], **{"urn:example:1.0:Group": {"kind": "x"}})
    await scim.relay()
    path = place(scim, "unmapped-attributes")

    answer = await api.get(path)

    assert answer.storage_requests == 2
    shown = {(each["resource"], each["path"]): each for each in answer.json["data"]}
    assert list(shown) == [
        ("User", 'phoneNumbers[type eq "mobile"].value'),
        ("User", f"{EXTENSION_URN}:level"),
        ("User", f"{EXTENSION_URN}:site"),
        ("Group", "urn:example:1.0:Group:kind"),
    ]
    level = shown["User", f"{EXTENSION_URN}:level"]
    assert (level["count"], level["type"], level["sample"]) == (2, "integer", "0")
    assert shown["User", MOBILE.path]["sample"] == "+0.........."
    assert "Berlin" not in str(answer.json)
    assert await api.all_pages(path, 1) == answer.json["data"]

    mappings = [MAPPINGS[0].to_json(), MOBILE.to_json()]
    assert (await api.put(place(scim, "attribute-mappings"), {"attribute_mappings": mappings})).status == 200

    assert MOBILE.path not in {each["path"] for each in (await api.get(path)).json["data"]}


async def test_mappings_have_their_coverage(api: ApiClient, service: Service) -> None:
    scim = await service.new_directory([*MAPPINGS, MOBILE, BY_VALUE])
    await scim.new_user("anna", **{EXTENSION_URN: {"tag": "blue"}})
    await scim.new_users(2)
    await scim.relay()

    answer = await api.get(place(scim, "attribute-mappings"))

    tag, mobile, one = answer.json["coverage"]
    hour = f"{datetime.now(UTC):%Y-%m-%dT%H}:00:00Z"
    seen = {"resources": 1, "of": 3, "last_seen_at": hour, "sample": "bl.."}
    assert tag == {"name": "tag", "resource": "User", **seen}
    assert (mobile["resources"], mobile["of"], mobile["last_seen_at"], mobile["sample"]) == (0, 3, None, None)
    assert one["resources"] is None
    assert answer.storage_requests == 2


async def test_users_are_found_by_the_time_of_their_last_change(api: ApiClient, scim: ScimClient) -> None:
    first, second = await scim.new_users(2)
    before = (await scim.get(f"/Users/{second}")).json["meta"]["lastModified"]
    changed = before
    while changed == before:  # until a millisecond has passed
        title = {"op": "replace", "path": "title", "value": new_resource_id("User")}
        changed = (await scim.patch(f"/Users/{first}", title)).json["meta"]["lastModified"]

    found = await api.all_pages(place(scim, "users"), 1, updated_after=before)
    both = await api.get(place(scim, "users"), {"updated_after": before, "username": "user00001"})
    offset = await api.get(place(scim, "users"), {"updated_after": "2020-01-01T00:00:00+02:00"})
    long_ago = await api.get(place(scim, "users"), {"updated_after": "0390-01-30T00:45:49.213558Z"})

    assert [user["id"] for user in found] == [first]
    assert both.json["data"] == []
    assert len(offset.json["data"]) == 2
    assert offset.storage_requests == 2
    assert len(long_ago.json["data"]) == len(offset.json["data"]) > 0
    assert (await api.get(place(scim, "users"), {"updated_after": "yesterday"})).status == 422


async def test_users_are_found_by_their_group(api: ApiClient, scim: ScimClient) -> None:
    users = await scim.new_users(4)
    nested = (await scim.new_group("Nested"))["id"]
    group = (await scim.new_group("Team", [*users[:3], nested]))["id"]
    await scim.patch(f"/Groups/{nested}", add_members(users[3]))
    path = place(scim, "users")

    assert [user["id"] for user in await api.all_pages(path, 2, group=group)] == users[:3]
    whole = await api.get(path, {"group": group})
    assert whole.storage_requests <= 4 + 3
    recent = await api.get(path, {"group": group, "updated_after": "2120-01-01T00:00:00Z"})
    assert recent.json["data"] == []
    assert (await api.get(path, {"group": new_resource_id("Group")})).status == 404
    refused = await api.get(path, {"group": group, "username": "anna"})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "group")
