"""The provisioning log: what requests leave in it, who may read it, and that no value ever gets there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest

from scim.adapters.tables.resource_store import TableResourceStore
from scim.directories.attribute_mapping import AttributeMapping
from scim.provisioning.provisioning_log import ProvisioningLog
from scim.resources.errors import StorageUnavailableError
from scim.resources.identifiers import new_resource_id
from scim.resources.log_words import CAUSES
from scim.resources.schema import GROUP_URN
from tests.api import ApiClient
from tests.service import BULK_URN, EXTENSION_URN, MAPPINGS, ScimClient, Service, add_members, user

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])

LEVEL = AttributeMapping("level", f"{EXTENSION_URN}:level", "integer")


async def logged(api: ApiClient, scim: ScimClient, **query: str) -> list[dict[str, Any]]:
    """Return the log after what was told of requests has been stored."""
    application = scim.application
    log = ProvisioningLog(application.provisioning_log_store, application.directory_store)
    recorded: Any = application.provisioning_log
    for outcome in recorded.told:
        log.observe(outcome)
    recorded.told.clear()
    await log.close()
    return await api.all_pages(f"directories/{scim.directory.id}/provisioning-log", 2, **query)


async def test_a_request_that_succeeds_leaves_nothing(api: ApiClient, scim: ScimClient) -> None:
    await scim.new_group("Team", await scim.new_users(2))

    assert await logged(api, scim) == []


async def test_a_conflict_names_who_has_the_name(api: ApiClient, scim: ScimClient) -> None:
    first = await scim.new_user("anna@example.com")
    second = await scim.new_user("bob@example.com")
    assert (await scim.post("/Users", user("ANNA@example.com"))).status == 409
    rename = {"op": "replace", "path": "userName", "value": "anna@example.com"}
    assert (await scim.patch(f"/Users/{second['id']}", rename)).status == 409

    patched, posted = await logged(api, scim)

    assert posted["cause"] == patched["cause"] == "user_name_taken"
    assert posted["related"] == patched["related"] == {"type": "user", "id": first["id"]}
    assert (posted["resource"], patched["resource"]["id"]) == (None, second["id"])
    assert (patched["method"], patched["operation"], patched["resource_type"]) == ("PATCH", "patch", "user")
    assert (patched["status"], patched["scim_type"], patched["result"]) == (409, "uniqueness", "failed")
    assert patched["remedy"] == CAUSES["user_name_taken"].remedy


async def test_an_unknown_member_is_named_when_it_is_an_id_of_ours(api: ApiClient, scim: ScimClient) -> None:
    group, unknown = (await scim.new_group("Team"))["id"], new_resource_id("User")
    for member in (unknown, "anna@example.com"):
        assert (await scim.patch(f"/Groups/{group}", add_members(member))).status == 400

    foreign, missing = await logged(api, scim)

    assert missing["related"] == {"type": "user", "id": unknown}
    assert foreign["related"] is None
    assert missing["cause"] == foreign["cause"] == "unknown_member"
    assert missing["resource"] == {"type": "group", "id": group}


async def test_a_value_of_another_type_is_kept_as_sent_told_and_left_out_of_the_profile(
    api: ApiClient, service: Service
) -> None:
    scim = await service.new_directory([*MAPPINGS, LEVEL])
    made = await scim.new_user("anna", **{EXTENSION_URN: {"level": "high", "tag": "blue"}})
    path = f"/Users/{made['id']}"
    await scim.patch(path, {"op": "replace", "path": "title", "value": "Boss"})
    await scim.patch(path, {"op": "replace", "path": f"{EXTENSION_URN}:level", "value": "higher"})

    second, first = await logged(api, scim)

    assert made[EXTENSION_URN] == {"level": "high", "tag": "blue"}
    profile = (await api.get(f"directories/{scim.directory.id}/users/{made['id']}")).json
    assert profile["custom_attributes"] == {"tag": "blue"}
    assert (first["operation"], second["operation"]) == ("create", "patch")
    for entry in (first, second):
        assert (entry["cause"], entry["result"], entry["attribute"]) == ("wrong_type", "noted", LEVEL.path)
        assert entry["resource"] == {"type": "user", "id": made["id"]}
        assert LEVEL.path in entry["explanation"]
    assert (first["status"], second["status"]) == (201, 200)


async def test_a_required_attribute_without_a_value_is_told_when_it_goes_or_never_came(
    api: ApiClient, service: Service
) -> None:
    scim = await service.new_directory([replace(MAPPINGS[0], required=True)])
    first = (await scim.new_user("anna"))["id"]
    second = (await scim.new_user("bob", **{EXTENSION_URN: {"tag": "blue"}}))["id"]
    await scim.patch(f"/Users/{first}", {"op": "replace", "path": "title", "value": "Boss"})
    await scim.patch(f"/Users/{second}", {"op": "remove", "path": MAPPINGS[0].path})

    entries = await logged(api, scim)

    assert [(entry["cause"], entry["operation"], entry["resource"]["id"]) for entry in entries] == [
        ("required_missing", "patch", second),
        ("required_missing", "create", first),
    ]
    assert {entry["attribute"] for entry in entries} == {MAPPINGS[0].path}


async def test_attributes_that_are_never_stored_are_told_once_for_all_users(api: ApiClient, scim: ScimClient) -> None:
    for name in ("anna", "bob"):
        made = await scim.new_user(name, password="secret", groups=[{"value": "g"}], meta={"resourceType": "User"})
        await scim.patch(f"/Users/{made['id']}", {"op": "replace", "path": "password", "value": "secret"})

    entries = await logged(api, scim)

    assert sorted((entry["attribute"], entry["operation"], entry["count"]) for entry in entries) == [
        ("groups", "create", 2),
        ("password", "create", 2),
        ("password", "patch", 2),
    ]


async def test_each_operation_of_a_bulk_request_is_told_of(api: ApiClient, scim: ScimClient) -> None:
    await scim.new_user("anna")
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": user("anna")},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": user("bob", password="x")},
        {"method": "DELETE", "path": f"/Groups/{new_resource_id('Group')}"},
    ]
    answer = await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": operations})
    assert [each["status"] for each in answer.json["Operations"]] == ["409", "201", "404"]

    entries = await logged(api, scim)

    assert {(each["cause"], each["operation"], each["resource_type"], each["status"]) for each in entries} == {
        ("user_name_taken", "create", "user", 409),
        ("ignored", "create", "user", 201),
        ("resource_missing", "delete", "group", 404),
    }


async def test_wrong_tokens_are_told_by_their_mistake_and_counted(api: ApiClient, service: Service) -> None:
    scim, other = await service.new_directory(), await service.new_directory()
    sent = {
        "Basic abc": "token_not_bearer",
        "Bearer": "token_empty",
        f"Bearer Bearer {scim.token}": "token_bearer_twice",
        f"Bearer {scim.token[:-3]}": "token_cut_off",
        f"Bearer {other.token}": "token_another_directory",
        "Bearer hunter2-hunter2": "token_not_our_format",
    }
    for _ in range(20):
        for authorization in sent:
            assert (await scim.get("/Users", authorization=authorization)).status == 401

    entries = await logged(api, scim)

    assert {(entry["cause"], entry["count"]) for entry in entries} == {(cause, 20) for cause in sent.values()}
    assert not any(part in json.dumps(entries) for part in (scim.token[:-3], other.token, "hunter2"))
    assert await logged(api, other) == []


async def test_an_old_token_and_a_disabled_directory_are_recognised(api: ApiClient, scim: ScimClient) -> None:
    directories, tokens = scim.application.directories, scim.application.tokens
    (old,) = [token.version for token in await tokens.tokens_of(scim.directory)]
    new = await tokens.rotate(scim.directory.id)
    await tokens.revoke(scim.directory.id, old)
    await directories.update_directory(scim.directory.id, status="disabled")
    scim.application.__dict__.pop("provisioning")  # Another process, which has to read the directory.
    for token in (scim.token, new.token):
        assert (await scim.get("/Users", authorization=f"Bearer {token}")).status == 401

    causes = [entry["cause"] for entry in await logged(api, scim)]
    assert causes == ["token_directory_disabled", "token_ended"]


async def test_requests_to_a_directory_that_is_not_there_leave_nothing(api: ApiClient, scim: ScimClient) -> None:
    unknown = replace(scim, directory=replace(scim.directory, id="dir_" + "0" * 32))

    assert (await unknown.get("/Users")).status == 401
    assert await logged(api, scim) == []


async def test_what_a_caller_sends_never_gets_into_the_log(api: ApiClient, scim: ScimClient) -> None:
    made = await scim.new_user("first")
    user_path = f"/Users/{made['id']}"
    secret = "Zaphod"
    await scim.get("/Users", {"filter": f"userName eq {secret}"})
    await scim.get("/Users", {"filter": f"userName eq '{secret}' and \"{secret}"})
    await scim.get("/Users", {"filter": f'{secret} eq "x"'})
    await scim.get("/Users", {"filter": "userName pr", "sortBy": secret})
    await scim.get("/Users", {"attributes": f"{secret} {secret}"})
    await scim.post("/Users", user("", displayName=secret))
    await scim.post("/Users", user("second", active=secret))
    await scim.post("/Users", {**user("second"), "schemas": [secret]})
    await scim.patch(user_path, {"op": secret, "path": "active", "value": True})
    await scim.patch(user_path, {"op": "replace", "path": f'emails[value eq "{secret}" and', "value": secret})
    await scim.patch(user_path, {"op": "replace", "path": f'emails[primary eq "{secret}"].value', "value": 3})
    await scim.patch(user_path, {"op": "add", "path": "members", "value": secret})
    await scim.get(f"/Users/{secret}")
    await scim.get(f"/Schemas/{secret}")
    await scim.post("/Groups", {"displayName": "T", "schemas": [GROUP_URN], "members": [{"value": secret}]})

    entries = await logged(api, scim)

    assert len(entries) >= 10
    assert secret.lower() not in json.dumps(entries).lower()
    assert "active must be true or false, not text." in {entry["detail"] for entry in entries}


async def test_an_outage_and_a_defect_are_told_in_our_words(
    api: ApiClient, scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, cause in ((StorageUnavailableError("busy"), "unavailable"), (KeyError("secret"), "failure")):
        with monkeypatch.context() as patched:
            patched.setattr(TableResourceStore, "read", AsyncMock(side_effect=error))
            await scim.get(f"/Users/{new_resource_id('User')}")
        (entry,) = [each for each in await logged(api, scim) if each["cause"] == cause]
        assert (entry["status"], entry["detail"]) == (503 if cause == "unavailable" else 500, None)


async def test_the_log_can_be_narrowed_to_problems_and_to_a_resource(api: ApiClient, scim: ScimClient) -> None:
    anna = await scim.new_user("anna", password="secret")
    bob = await scim.new_user("bob")
    await scim.patch(f"/Users/{bob['id']}", {"op": "replace", "path": "userName", "value": "anna"})
    await scim.patch(f"/Users/{bob['id']}", {"op": "replace", "path": "active", "value": "maybe"})

    assert [each["cause"] for each in await logged(api, scim)] == ["value_refused", "user_name_taken", "ignored"]
    problems = [each["cause"] for each in await logged(api, scim, problems="true")]
    of_anna = [each["cause"] for each in await logged(api, scim, resource=anna["id"])]
    of_bob = [each["cause"] for each in await logged(api, scim, resource=bob["id"])]
    assert (problems, of_anna) == (["value_refused", "user_name_taken"], ["user_name_taken"])
    assert of_bob == problems


async def test_a_page_of_the_log_costs_two_requests(api: ApiClient, scim: ScimClient) -> None:
    for name in ("a", "b", "c"):
        await scim.get(f"/Users/{new_resource_id('User')}", {"filter": name})
    await logged(api, scim)
    path = f"directories/{scim.directory.id}/provisioning-log"

    for query in ({}, {"limit": "1"}, {"problems": "true"}, {"resource": "nobody"}):
        assert (await api.get(path, query)).storage_requests == 2


async def test_entries_are_kept_for_30_days(api: ApiClient, scim: ScimClient) -> None:
    await scim.get(f"/Users/{new_resource_id('User')}")
    assert len(await logged(api, scim)) == 1
    store, now = scim.application.provisioning_log_store, datetime.now(UTC)

    assert await store.forget(scim.directory.id, now - timedelta(days=1)) == 0
    await scim.application.background.forget_what_is_old()
    assert len(await logged(api, scim)) == 1
    assert await store.forget(scim.directory.id, now + timedelta(hours=2)) == 2
    assert await logged(api, scim) == []
