"""Organizations through the API, and what each operation costs."""

from __future__ import annotations

import pytest

from tests.api import ApiClient

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def test_an_organization_is_created_found_renamed_and_deleted(api: ApiClient) -> None:
    external_id = api.key[-20:]
    created = await api.post("organizations", {"name": " Contoso ", "external_id": external_id})
    one = f"organizations/{created.json['id']}"

    assert (created.status, created.storage_requests) == (201, 2)
    assert created.json.keys() == {"id", "name", "external_id", "mappings_by", "created_at"}
    assert created.json["name"] == "Contoso"

    read = await api.get(one)
    assert (read.json, read.storage_requests) == (created.json, 1)
    found = await api.get("organizations", {"external_id": external_id})
    assert (found.json["data"], found.storage_requests) == ([created.json], 2)

    renamed = await api.patch(one, {"name": "Fabrikam"})
    assert (renamed.json, renamed.storage_requests) == ({**created.json, "name": "Fabrikam"}, 5)
    assert (await api.get(one)).json == renamed.json

    deleted = await api.delete(one)
    assert (deleted.status, deleted.json, deleted.storage_requests) == (204, None, 7)
    assert (await api.get(one)).status == 404
    assert (await api.get("organizations", {"external_id": external_id})).json["data"] == []


async def test_an_external_id_belongs_to_one_organization(api: ApiClient) -> None:
    body = {"name": "Contoso", "external_id": api.key[-20:]}
    first, second = await api.post("organizations", body), await api.post("organizations", body)

    assert second.status == 409
    assert first.json["id"] in second.json["detail"]


async def test_an_organization_with_directories_is_not_deleted(api: ApiClient) -> None:
    organization = await api.new_organization()
    await api.application.directories.create_directory(organization, name="Entra", provider="entra_id")

    assert (await api.delete(f"organizations/{organization}")).status == 409


async def test_organizations_are_listed_in_the_order_of_their_creation(api: ApiClient) -> None:
    made = [await api.new_organization(f"Organization {number}") for number in range(5)]

    page = await api.get("organizations", {"limit": "2"})
    listed = [each["id"] for each in await api.all_pages("organizations", 100)]

    assert page.storage_requests == 1
    assert [each for each in listed if each in made] == sorted(made)


async def test_a_key_of_one_organization_sees_and_changes_that_one_only(api: ApiClient) -> None:
    own, other = await api.new_organization(), await api.new_organization()
    limited = await api.with_key(organization_id=own)

    assert [each["id"] for each in await limited.all_pages("organizations", 1)] == [own]
    assert (await limited.get(f"organizations/{own}")).status == 200
    assert (await limited.delete(f"organizations/{other}")).status == 404
    assert (await limited.post("organizations", {"name": "Mine, too"})).status == 403
    assert (await api.get(f"organizations/{other}")).status == 200
