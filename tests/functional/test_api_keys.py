"""API keys through the API, and what each operation costs."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from scim.directories.creation import Creation
from scim.directories.errors import IdUsedError, KeyNotFoundError
from tests.api import ApiClient

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def test_a_key_is_shown_once_and_opens_what_it_may_until_it_is_revoked(api: ApiClient) -> None:
    made = await api.post("keys", {"name": "reader", "scopes": ["read"], "expires_at": "2099-01-01T00:00:00Z"})
    reader = replace(api, key=made.json["key"])

    assert (made.status, made.storage_requests) == (201, 1)
    assert (await reader.get("organizations")).status == 200
    assert (await reader.post("organizations", {"name": "a"})).status == 403
    listed = await api.get("keys", {"limit": "100"})
    assert listed.storage_requests == 1
    assert made.json["key"] not in str(listed.json)
    assert made.json["id"] in [key["id"] for key in listed.json["data"]]

    await api.application.management.key_uses.close()
    revoked = await api.delete(f"keys/{made.json['id']}")

    assert (revoked.status, revoked.storage_requests) == (204, 3)
    assert (await reader.get("organizations")).status == 401
    assert (await api.delete("keys/key_0000000000000000")).status == 404


async def test_a_key_of_one_organization_makes_sees_and_revokes_keys_of_that_one_only(api: ApiClient) -> None:
    own, other = await api.new_organization(), await api.new_organization()
    limited = await api.with_key(organization_id=own)
    foreign = await api.post("keys", {"name": "foreign", "scopes": ["write"], "organization_id": other})

    for organization in (None, other):
        body = {"name": "more", "scopes": ["write"], "organization_id": organization}
        assert (await limited.post("keys", body)).status == 403
    made = await limited.post("keys", {"name": "mine", "scopes": ["write"], "organization_id": own})

    assert made.status == 201
    assert {key["organization_id"] for key in await limited.all_pages("keys", 1)} == {own}
    assert (await limited.delete(f"keys/{foreign.json['id']}")).status == 404
    assert (await limited.delete(f"keys/{made.json['id']}")).status == 204
    unknown = {"name": "a", "scopes": ["read"], "organization_id": f"org_{'0' * 32}"}
    assert (await api.post("keys", unknown)).status == 404


async def test_the_id_of_a_key_is_given_once_and_the_first_goes_on(api: ApiClient) -> None:
    keys, creation = api.application.api_keys, Creation(uuid4().hex)
    first = await keys.create("first", ["read"], creation=creation)

    with pytest.raises(IdUsedError):
        await keys.create("second", ["write"], creation=creation)

    assert await keys.recognise(first.value) == first.key
    assert [each.name for each in await keys.list() if each.id == first.key.id] == ["first"]


@pytest.mark.parametrize(
    "wrong", ["key_" + "A" * 16, "key_a'b", "key_a|b", "key_\x01", "key_" + "0" * 17, "é", "k" * 2000]
)
async def test_what_has_not_the_exact_form_of_a_keys_id_names_none(api: ApiClient, wrong: str) -> None:
    assert (await api.delete(f"keys/{wrong}")).status == 404
    with pytest.raises(KeyNotFoundError):
        await api.application.api_keys.revoke(wrong)
