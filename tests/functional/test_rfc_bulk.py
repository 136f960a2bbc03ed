"""Bulk requests (RFC 7644 §3.7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service import BULK_URN, ERROR_URN, PATCH_URN, Answer, ScimClient, add_members, group, user

RESPONSE_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
MISSING = "usr_" + "0" * 32


async def bulk(scim: ScimClient, *operations: Any, **options: Any) -> Answer:
    return await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": list(operations), **options})


async def outcomes(scim: ScimClient, *operations: Any, **options: Any) -> list[dict[str, Any]]:
    answer = await bulk(scim, *operations, **options)
    assert (answer.status, answer.json["schemas"]) == (200, [RESPONSE_URN])
    found: list[dict[str, Any]] = answer.json["Operations"]
    return found


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


def create(bulk_id: str, body: dict[str, Any]) -> dict[str, Any]:
    path = "/Users" if "userName" in body else "/Groups"
    return {"method": "POST", "path": path, "bulkId": bulk_id, "data": body}


def patch(path: str, *operations: dict[str, Any], **members: Any) -> dict[str, Any]:
    data = {"schemas": [PATCH_URN], "Operations": list(operations)}
    return {"method": "PATCH", "path": path, "data": data, **members}


async def member_ids(scim: ScimClient, location: str) -> list[str]:
    shown = (await scim.get(location.removeprefix(scim.base_url))).json
    return [member["value"] for member in shown.get("members", [])]


def id_of(result: dict[str, Any]) -> str:
    return str(result["location"]).rpartition("/")[2]


async def test_each_operation_is_answered_as_the_single_request(scim: ScimClient) -> None:
    kept, gone = (await scim.new_user("kept"))["id"], (await scim.new_user("gone"))["id"]

    results = await outcomes(
        scim,
        create("new", user("anna")),
        {"method": "PUT", "path": f"/Users/{kept}", "data": user("replaced")},
        patch(f"/Users/{kept}", {"op": "replace", "path": "title", "value": "Boss"}),
        {"method": "DELETE", "path": f"/Users/{gone}"},
    )

    created, replaced, changed, deleted = results
    assert statuses(results) == ["201", "200", "200", "204"]
    assert [result["method"] for result in results] == ["POST", "PUT", "PATCH", "DELETE"]
    assert (created["bulkId"], created["location"]) == ("new", f"{scim.base_url}/Users/{id_of(created)}")
    assert changed["location"] == replaced["location"] == f"{scim.base_url}/Users/{kept}"
    assert deleted["location"] == f"{scim.base_url}/Users/{gone}"
    read = await scim.get(f"/Users/{kept}")
    assert (read.etag, read.json["userName"], read.json["title"]) == (changed["version"], "replaced", "Boss")
    assert created["version"] == (await scim.get(f"/Users/{id_of(created)}")).etag
    assert "response" not in created


async def test_a_bulk_id_stands_for_what_is_created_before_or_behind(scim: ScimClient) -> None:
    results = await outcomes(
        scim,
        create("team", group("Team", ["bulkId:anna", "bulkId:bob"])),
        create("anna", user("anna")),
        create("bob", user("bob")),
        create("crew", group("Crew", ["bulkId:team"])),
        patch("/Groups/bulkId:crew", add_members("bulkId:anna")),
    )

    team, anna, bob, crew, changed = results
    assert statuses(results) == ["201", "201", "201", "201", "204"]
    assert changed["location"] == crew["location"]
    assert await member_ids(scim, team["location"]) == sorted([id_of(anna), id_of(bob)])
    assert await member_ids(scim, crew["location"]) == [id_of(team), id_of(anna)]


async def test_a_circular_reference_is_a_conflict_of_its_operation(scim: ScimClient) -> None:
    """The RFC allows 409 where references in a circle cannot be resolved (§3.7.1)."""
    results = await outcomes(
        scim,
        create("a", group("A", ["bulkId:b"])),
        create("b", group("B", ["bulkId:a"])),
        create("alone", user("anna")),
    )

    assert statuses(results) == ["409", "409", "201"]
    assert (await scim.get("/Groups")).json["totalResults"] == 0


async def test_a_reference_to_what_was_not_created_is_a_conflict(scim: ScimClient) -> None:
    await scim.new_user("anna")

    results = await outcomes(
        scim,
        create("anna", user("anna")),
        create("team", group("Team", ["bulkId:anna"])),
        create("crew", group("Crew", ["bulkId:nobody"])),
    )

    assert statuses(results) == ["409", "409", "409"]
    assert results[0]["response"]["scimType"] == "uniqueness"


async def test_an_operation_fails_for_itself_with_a_scim_error(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]

    results = await outcomes(
        scim,
        {"method": "PUT", "path": f"/Users/{MISSING}", "data": user("x")},
        {"method": "DELETE", "path": f"/Groups/{MISSING}"},
        create("taken", user("ANNA")),
        patch(f"/Users/{user_id}", {"op": "replace", "path": "id", "value": "x"}),
        patch(f"/Users/{user_id}", {"op": "replace", "path": "title", "value": "x"}, version='W/"outdated"'),
        {"method": "GET", "path": f"/Users/{user_id}"},
        {"method": "POST", "path": "/Users", "data": user("without a bulk id")},
        {"method": "POST", "path": "/Devices", "bulkId": "d", "data": {}},
        {"method": "POST", "path": "/Bulk", "bulkId": "b", "data": {}},
        {"method": "DELETE", "path": "/Users"},
        {"method": "DELETE", "path": f"/Users/{user_id}/title"},
        {"method": "PUT", "path": f"/Users/{user_id}"},
        create("nothing", user("")),
        create("last", user("last")),
    )

    assert statuses(results) == ["404", "404", "409", "400", "412", *["400"] * 8, "201"]
    for result in results[:-1]:
        assert (result["response"]["schemas"], result["response"]["status"]) == ([ERROR_URN], result["status"])
        assert result["response"]["detail"]
        assert not (result["method"] == "POST" and "location" in result)
    assert results[0]["location"] == f"{scim.base_url}/Users/{MISSING}"
    assert (await scim.get(f"/Users/{user_id}")).json["userName"] == "anna"


async def test_a_version_guards_an_operation(scim: ScimClient) -> None:
    created = await scim.new_user("anna")
    change = {"op": "replace", "path": "title", "value": "Boss"}
    version = created["meta"]["version"]

    results = await outcomes(scim, *[patch(f"/Users/{created['id']}", change, version=version)] * 2)

    assert statuses(results) == ["200", "412"]


@pytest.mark.parametrize(("fail_on_errors", "answered"), [(1, 2), (2, 4), (3, 5)])
async def test_a_request_stops_at_the_errors_it_accepts(scim: ScimClient, fail_on_errors: int, answered: int) -> None:
    wrong = {"method": "DELETE", "path": f"/Users/{MISSING}"}
    operations = [create("a", user("a")), wrong, create("b", user("b")), wrong, create("c", user("c"))]

    results = await outcomes(scim, *operations, failOnErrors=fail_on_errors)

    assert len(results) == answered
    assert (await scim.get("/Users")).json["totalResults"] == statuses(results).count("201")


async def test_a_bulk_id_can_be_used_once(scim: ScimClient) -> None:
    results = await outcomes(scim, create("same", user("a")), create("same", user("b")))

    assert statuses(results) == ["201", "400"]


async def test_more_operations_than_announced_are_refused_as_a_whole(scim: ScimClient) -> None:
    announced = (await scim.get("/ServiceProviderConfig")).json["bulk"]
    operation = {"method": "DELETE", "path": f"/Users/{MISSING}"}

    allowed = await bulk(scim, *[operation] * announced["maxOperations"])
    refused = await bulk(scim, *[operation] * (announced["maxOperations"] + 1))
    too_long = await scim.post("/Bulk", b" " * (announced["maxPayloadSize"] + 1))

    assert (allowed.status, len(allowed.json["Operations"])) == (200, 1000)
    assert (refused.status, too_long.status) == (413, 413)


async def test_operations_for_which_no_time_is_left_are_to_be_repeated(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim.provisioning.bulk.SECONDS", -1.0)

    results = await outcomes(scim, create("a", user("a")), create("b", user("b")))

    assert statuses(results) == ["503", "503"]
    assert (await scim.get("/Users")).json["totalResults"] == 0


async def test_an_error_of_ours_is_that_of_its_operation(scim: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id = (await scim.new_user("anna"))["id"]

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("scim.provisioning.document_changes.read_patch", broken)
    results = await outcomes(scim, patch(f"/Users/{user_id}"), create("b", user("b")))

    assert statuses(results) == ["500", "201"]
    assert "defect" not in str(results)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"schemas": [BULK_URN]},
        {"schemas": ["urn:x"], "Operations": []},
        {"schemas": [BULK_URN], "Operations": {}},
        {"schemas": [BULK_URN], "Operations": [None]},
        {"schemas": [BULK_URN], "Operations": [{"path": "/Users"}]},
        {"schemas": [BULK_URN], "Operations": [{"method": "POST"}]},
        {"schemas": [BULK_URN], "Operations": [{"method": 1, "path": "/Users"}]},
        {"schemas": [BULK_URN], "Operations": [], "failOnErrors": "one"},
    ],
)
async def test_a_body_that_is_no_bulk_request_is_refused(scim: ScimClient, body: Any) -> None:
    answer = await scim.post("/Bulk", body)

    assert (answer.status, answer.json["schemas"]) == (400, [ERROR_URN])
