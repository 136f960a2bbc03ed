"""Directories, mappings and tokens through the API, and what each operation costs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api import ApiClient
from tests.service import EXTENSION_URN, ScimClient

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])

MAPPING = {"name": "tag", "path": f"{EXTENSION_URN}:tag"}


async def scim_of(api: ApiClient, created: dict[str, Any]) -> ScimClient:
    directory = await api.application.directories.get_directory(created["id"])
    return ScimClient(api.application, directory, created["token"], api.meter)


async def test_a_directory_is_created_with_a_token_that_is_shown_once(api: ApiClient) -> None:
    organization = await api.new_organization()
    body = {"name": "Entra", "provider": "entra_id", "attribute_mappings": [MAPPING]}
    created = await api.post(f"organizations/{organization}/directories", body)
    one = f"directories/{created.json['id']}"

    assert (created.status, created.storage_requests) == (201, 11)
    assert created.json["tenant_url"] == f"https://scim.example.com/scim/v2/{created.json['id']}"
    scim = await scim_of(api, created.json)
    await scim.new_user("anna")
    await scim.new_user("bob", active=False)
    await scim.new_group("Team")

    read = await api.get(one)
    assert read.storage_requests == 3
    assert read.json["counts"] == {"users": 2, "active_users": 1, "groups": 1}
    assert [token["state"] for token in read.json["tokens"]] == ["current"]
    assert created.json["token"] not in str(read.json)
    assert {name: value for name, value in read.json.items() if name in created.json} == {
        name: value for name, value in created.json.items() if name != "token"
    }


async def test_directories_of_an_organization_are_listed_oldest_first(api: ApiClient) -> None:
    organization, other = await api.new_organization(), await api.new_organization()
    made = [(await api.new_directory(organization))["id"] for _ in range(3)]
    await api.new_directory(other)

    page = await api.get(f"organizations/{organization}/directories", {"limit": "2"})
    listed = await api.all_pages(f"organizations/{organization}/directories", 2)
    after = page.json["list_metadata"]["after"]
    elsewhere = await api.get(f"organizations/{other}/directories", {"after": after})

    assert [each["id"] for each in listed] == sorted(made)
    assert page.storage_requests <= 4 + 1
    assert elsewhere.status == 422


async def test_a_directory_is_renamed_disabled_and_enabled(api: ApiClient) -> None:
    created = await api.new_directory(await api.new_organization())
    one = f"directories/{created['id']}"

    changed = await api.patch(one, {"name": "Entra ID", "status": "disabled"})
    again = await api.patch(one, {})
    enabled = await api.patch(one, {"status": "active"})

    assert (changed.json["name"], changed.json["status"], changed.storage_requests) == ("Entra ID", "disabled", 9)
    assert again.json == changed.json
    assert enabled.json["status"] == "active"
    assert (await api.patch(one, {"status": "gone"})).json["errors"][0]["field"] == "status"
    scim = await scim_of(api, created)
    assert (await scim.get("/Users")).status == 200


async def test_mappings_are_replaced_and_their_revision_grows_when_they_differ(api: ApiClient) -> None:
    created = await api.new_directory(await api.new_organization())
    path = f"directories/{created['id']}/attribute-mappings"

    first = await api.put(path, {"attribute_mappings": [MAPPING]})
    same = await api.put(path, {"attribute_mappings": [MAPPING]})
    read = await api.get(path)

    assert (first.json["mapping_revision"], first.storage_requests, read.storage_requests) == (1, 7, 2)
    assert first.json == same.json == {name: value for name, value in read.json.items() if name != "coverage"}
    assert first.json["attribute_mappings"][0].items() >= {**MAPPING, "type": "string", "resource": "User"}.items()


@pytest.mark.parametrize(
    ("mappings", "field"),
    [
        ([{"name": "a", "path": "no path"}], "attribute_mappings[0].path"),
        ([{"name": "a", "path": "unknown"}], "attribute_mappings[a].path"),
        ([MAPPING, {**MAPPING, "name": "TAG"}], "attribute_mappings[TAG].name"),
        ([{**MAPPING, "type": "number"}], "attribute_mappings[0].type"),
        ([{"name": "email", "path": "title"}], "attribute_mappings[email].name"),
        ([{"path": "title"}], "attribute_mappings[0].name"),
    ],
)
async def test_mappings_that_are_not_accepted_change_nothing(
    api: ApiClient, mappings: list[dict[str, Any]], field: str
) -> None:
    organization = await api.new_organization()
    created = await api.new_directory(organization, attribute_mappings=[MAPPING])
    path = f"directories/{created['id']}/attribute-mappings"

    refused = await api.put(path, {"attribute_mappings": mappings})

    assert (refused.status, refused.json["errors"][0]["field"]) == (422, field)
    assert [each["name"] for each in (await api.get(path)).json["attribute_mappings"]] == ["tag"]


async def test_a_token_is_rotated_with_an_overlap_and_revoked(api: ApiClient) -> None:
    created = await api.new_directory(await api.new_organization())
    path = f"directories/{created['id']}/tokens"

    rotated = await api.post(path, {"overlap_seconds": 3600, "rotation_id": "first"})
    repeated = await api.post(path, {"rotation_id": "first"})
    listed = await api.get(path)

    assert (rotated.status, rotated.storage_requests) == (201, 10)
    assert repeated.json == rotated.json
    assert listed.storage_requests == 2
    assert [token["state"] for token in listed.json["data"]] == ["current", "previous"]
    assert (await api.post(path, {})).status == 409
    for token in (created["token"], rotated.json["token"]):
        assert (await (await scim_of(api, {**created, "token": token})).get("/Users")).status == 200

    revoked = await api.delete(f"{path}/{listed.json['data'][1]['version']}")

    assert (revoked.status, revoked.storage_requests) == (204, 8)
    assert (await api.delete(f"{path}/unknown")).status == 404
    assert [token["state"] for token in (await api.get(path)).json["data"]] == ["current", "ended"]


async def test_a_token_may_expire_at_a_time_with_its_offset(api: ApiClient) -> None:
    created = await api.new_directory(await api.new_organization())
    path = f"directories/{created['id']}/tokens"

    made = await api.post(path, {"expires_at": "2099-01-01T02:00:00+02:00"})

    assert made.json["expires_at"] == "2099-01-01T00:00:00Z"
    for text in (
        "2099-01-01T00:00:00",
        "9999-12-31T23:59:59-14:00",
        "tomorrow",
        "2001-01-01T00:00:00Z",
        "4070908800",
        4070908800,
    ):
        assert (await api.post(path, {"expires_at": text})).json["errors"][0]["field"] == "expires_at"


async def test_the_first_token_of_a_directory_may_expire(api: ApiClient) -> None:
    path = f"organizations/{await api.new_organization()}/directories"
    body = {"name": "Entra", "provider": "entra_id"}

    made = await api.post(path, {**body, "token_expires_at": "2099-01-01T00:00:00Z"})
    refused = await api.post(path, {**body, "token_expires_at": "2020-01-01T00:00:00Z"})

    tokens = await api.get(f"directories/{made.json['id']}/tokens")
    assert [each["expires_at"] for each in tokens.json["data"]] == ["2099-01-01T00:00:00Z"]
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "token_expires_at")
