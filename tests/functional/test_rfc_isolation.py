"""One directory's ids, tokens and cursors say nothing in another (RFC 7644 §6, §7.6)."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

import pytest

from tests.service import MAPPINGS, ScimClient, Service, add_members, group, user

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


@pytest.fixture
async def other(service: Service) -> ScimClient:
    """A second directory of the same service."""
    return await service.new_directory()


async def test_a_resource_of_another_directory_does_not_exist(scim: ScimClient, other: ScimClient) -> None:
    user_id = (await scim.new_user("anna", externalId="e1"))["id"]
    group_id = (await scim.new_group("Team", [user_id]))["id"]

    for path, body in ((f"/Users/{user_id}", user("anna")), (f"/Groups/{group_id}", group("Team"))):
        answers = [
            await other.get(path),
            await other.put(path, body),
            await other.patch(path, {"op": "replace", "path": "displayName", "value": "Taken over"}),
            await other.delete(path),
        ]
        assert [answer.status for answer in answers] == [404] * 4

    assert (await other.patch(f"/Groups/{group_id}", add_members(user_id))).status == 404
    for text in (f'id eq "{user_id}"', 'userName eq "anna"', 'externalId eq "e1"', f'groups eq "{group_id}"'):
        assert await other.find(text) == []
    assert await other.find(f'members eq "{user_id}"', "/Groups") == []
    assert (await other.get("")).json["totalResults"] == 0
    assert (await scim.get(f"/Users/{user_id}")).json["userName"] == "anna"


async def test_a_user_of_another_directory_cannot_be_a_member(scim: ScimClient, other: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    group_id = (await other.new_group("Team"))["id"]

    added = await other.patch(f"/Groups/{group_id}", add_members(user_id))
    created = await other.post("/Groups", group("Crew", [user_id]))

    assert (added.status, created.status) == (400, 400)
    assert "members" not in (await other.get(f"/Groups/{group_id}")).json


async def test_names_are_unique_within_a_directory_only(scim: ScimClient, other: ScimClient) -> None:
    for client in (scim, other):
        assert (await client.post("/Users", user("anna"))).status == 201
        assert (await client.post("/Groups", group("Team"))).status == 201
        assert (await client.post("/Users", user("Anna"))).status == 409


async def test_a_token_is_good_for_its_directory_only(scim: ScimClient, other: ScimClient) -> None:
    stranger = replace(scim, token=other.token)

    answers = [await stranger.get(path) for path in ("/Users", "/Schemas", "/nothing", "/Users/usr_1")]
    answers += [await stranger.post("/Users", user("anna")), await stranger.post("/Bulk", {})]

    assert {answer.status for answer in answers} == {401}
    assert {answer.headers["WWW-Authenticate"].partition(" ")[0] for answer in answers} == {"Bearer"}
    assert (await scim.get("/Users")).json["totalResults"] == 0


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer  ", "Basic {}", "{}", "Bearer {}x", "Bearer Bearer {}", "Bearer a,{}"]
)
async def test_a_malformed_token_is_refused(scim: ScimClient, sent: str) -> None:
    answer = await scim.get("/Users", authorization=sent.format(scim.token))

    assert (answer.status, answer.json["status"]) == (401, "401")
    assert scim.token not in str(answer.json)


async def test_an_unknown_directory_answers_as_a_wrong_token_does(scim: ScimClient) -> None:
    wrong = await scim.get("/Users", authorization="Bearer wrong")
    unknown = replace(scim, directory=replace(scim.directory, id="dir_" + "0" * 32))
    malformed = replace(scim, directory=copy(scim.directory))
    object.__setattr__(malformed.directory, "id", "x")  # no directory can be made with it

    for client in (unknown, malformed):
        answer = await client.get("/Users")
        assert (answer.status, answer.json) == (401, wrong.json)
        assert answer.headers["WWW-Authenticate"] == wrong.headers["WWW-Authenticate"]


async def test_the_configuration_is_public_and_the_same_for_every_directory(scim: ScimClient) -> None:
    shown = [
        await client.get("/ServiceProviderConfig", authorization="")
        for client in (scim, replace(scim, directory=replace(scim.directory, id="dir_" + "0" * 32)))
    ]

    assert [answer.status for answer in shown] == [200, 200]
    assert _without_address(shown[0].json) == _without_address(shown[1].json)
    assert (await scim.get("/Schemas", authorization="")).status == 401


def _without_address(configuration: dict[str, Any]) -> dict[str, Any]:
    return {**configuration, "meta": configuration["meta"]["resourceType"]}


async def test_a_cursor_is_good_in_its_directory_only(scim: ScimClient, other: ScimClient) -> None:
    for client in (scim, other):
        await client.new_users(3)
    cursor = (await scim.get("/Users", {"cursor": "", "count": "1"})).json["nextCursor"]

    answer = await other.get("/Users", {"cursor": cursor, "count": "1"})

    assert (answer.status, answer.json["scimType"]) == (400, "invalidCursor")
    assert (await scim.get("/Users", {"cursor": cursor, "count": "1"})).status == 200


async def test_a_disabled_directory_answers_no_request(service: Service, scim: ScimClient) -> None:
    await service.application.directories.set_status(scim.directory.id, "disabled")
    fresh = await service.new_directory(MAPPINGS)
    cold = replace(scim, application=_restarted(service))

    assert (await cold.get("/Users")).status == 401
    assert (await fresh.get("/Users")).status == 200


def _restarted(service: Service) -> Any:
    """Return the application as a process that knows nothing yet."""
    running = service.application
    return type(running)(
        running.settings,
        account=running.account,
        secret_store=running.secret_store,
        relay_requests=running.relay_requests,
        token_uses=running.token_uses,
        provisioning_log=running.provisioning_log,
        activity=running.activity,
    )
