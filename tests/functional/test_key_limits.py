"""What an API key may make and revoke: nothing wider or longer-lived than itself; what it made can end with it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from scim.adapters.tables.api_keys import PARTITION, TableApiKeyStore
from scim.adapters.tables.table import delete, merge
from scim.composed_stores import DIRECTORIES_TABLE
from scim.directories.actor import Actor
from scim.directories.api_key import KEY_SCOPES, KeyScope, descendants
from scim.directories.api_key_service import ApiKeyService
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.directories.key_events import key_event
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable, fail_at
from tests.portal import Browser
from tests.service import Service

SETS = [chosen for size in (1, 2, 3) for chosen in combinations(KEY_SCOPES, size)]
NOW = datetime.now(UTC)
SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=2)


def rows_of(api: ApiClient) -> MemoryTable:
    table: Any = api.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    return table


async def child_of(api: ApiClient, parent: ApiClient, *scopes: KeyScope, **values: Any) -> tuple[str, ApiClient]:
    """Return the id of a key that another makes, and its client."""
    made = await parent.post("keys", {"name": "child", "scopes": scopes or KEY_SCOPES, **values})
    assert made.status == 201, made.json
    return made.json["id"], replace(api, key=made.json["key"])


def effective(scopes: tuple[KeyScope, ...]) -> set[KeyScope]:
    return {*scopes, "read"} if "write" in scopes else set(scopes)


# -- Making --------------------------------------------------------------


@pytest.mark.parametrize("own", [each for each in SETS if "keys" in each], ids="+".join)
async def test_a_key_makes_keys_of_its_own_scopes_only(api: ApiClient, own: tuple[KeyScope, ...]) -> None:
    maker = await api.with_key(*own)
    for wanted in SETS:
        answer = await maker.post("keys", {"name": "child", "scopes": list(wanted)})

        within = effective(wanted) <= effective(own)
        assert answer.status == (201 if within else 403), wanted
        if within:
            assert answer.json["scopes"] == list(wanted)
        else:
            assert answer.json["detail"].startswith("This API key has not the scope ")


@pytest.mark.parametrize("own", [each for each in SETS if "keys" not in each], ids="+".join)
async def test_a_key_without_the_scope_keys_neither_makes_nor_revokes(
    api: ApiClient, own: tuple[KeyScope, ...]
) -> None:
    key_id, _ = await child_of(api, api, "read")
    maker = await api.with_key(*own)

    assert (await maker.post("keys", {"name": "child", "scopes": ["read"]})).status == 403
    assert (await maker.delete(f"keys/{key_id}")).status == 403
    assert (await api.get(f"keys/{key_id}")).json["revoked_at"] is None


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("expires_at", [None, SOON])
async def test_a_key_makes_no_key_that_outlives_it_or_opens_more(
    api: ApiClient, expires_at: datetime | None, limited: bool
) -> None:
    own, other = await api.new_organization(), await api.new_organization()
    maker = await api.with_key(organization_id=own if limited else None, expires_at=expires_at)
    before = len(await api.all_pages("keys", 100))
    permitted = 0
    for organization in (None, own, other):
        for expiry in (None, SOON - timedelta(seconds=1), SOON, LATER):
            body = {
                "name": "child",
                "scopes": ["read"],
                "organization_id": organization,
                "expires_at": expiry.isoformat() if expiry else None,
            }
            answer = await maker.post("keys", body)

            opens_more = limited and organization != own
            outlives = expires_at is not None and (expiry is None or expiry > expires_at)
            assert answer.status == (403 if opens_more or outlives else 201), body
            permitted += answer.status == 201
    assert len(await api.all_pages("keys", 100)) == before + permitted


async def test_a_refused_key_is_told_what_to_give(api: ApiClient) -> None:
    maker = await api.with_key(expires_at=SOON)

    answer = await maker.post("keys", {"name": "child", "scopes": ["read"]})

    end = SOON.isoformat().replace("+00:00", "Z")
    assert answer.json["detail"] == f"This API key expires: give an expires_at that is not after {end}."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"scopes": ["admin"]}, "scopes[0]"),
        ({"scopes": ["read", 1]}, "scopes[1]"),
        ({"scopes": ["READ"]}, "scopes[0]"),
        ({"scopes": ["read"] * 4}, "scopes"),
        ({"scopes": ["read"], "scope": "read"}, "scope"),
        ({"scope": "keys"}, "scope"),
    ],
)
async def test_scopes_are_a_list_of_known_ones(api: ApiClient, body: dict[str, Any], field: str) -> None:
    answer = await api.post("keys", {"name": "child", **body})

    assert (answer.status, [each["field"] for each in answer.json["errors"]]) == (422, [field])


async def test_scopes_are_answered_once_each_in_their_order(api: ApiClient) -> None:
    made = await api.post("keys", {"name": "child", "scopes": ["keys", "read", "keys"]})

    assert made.json["scopes"] == ["read", "keys"]


@pytest.mark.parametrize(("scope", "scopes"), [("read", ["read"]), ("write", ["read", "write"])])
async def test_the_form_of_before_is_accepted_and_makes_no_maker_of_keys(
    api: ApiClient, scope: str, scopes: list[str]
) -> None:
    made = await api.post("keys", {"name": "child", "scope": scope})

    assert (made.status, made.json["scopes"]) == (201, scopes)
    assert "scope" not in made.json


@pytest.mark.parametrize(("scope", "scopes"), [("read", ("read",)), ("write", KEY_SCOPES)])
async def test_a_key_stored_before_there_were_scopes_keeps_what_it_could(
    api: ApiClient, scope: str, scopes: tuple[KeyScope, ...]
) -> None:
    key_id, old = await child_of(api, api)
    row = rows_of(api)._partitions[PARTITION][f"k|{key_id}"]
    values = {name: value for name, value in row.values.items() if name not in ("scopes", "created_by")}
    rows_of(api)._partitions[PARTITION][f"k|{key_id}"] = replace(row, values={**values, "scope": scope})

    shown = await api.get(f"keys/{key_id}")

    assert (shown.json["scopes"], shown.json["created_by"]) == (list(scopes), None)
    assert (await old.get("keys")).status == 200
    assert (await old.post("organizations", {"name": "a"})).status == (201 if scope == "write" else 403)
    made = await old.post("keys", {"name": "child", "scopes": list(scopes)})
    assert made.status == (201 if scope == "write" else 403)
    if scope == "write":
        assert made.json["created_by"] == key_id


async def test_a_scope_that_a_later_version_stored_opens_nothing_and_breaks_nothing(api: ApiClient) -> None:
    key_id, later = await child_of(api, api, "read")
    await rows_of(api).commit(PARTITION, [merge(f"k|{key_id}", {"scopes": "audit read"})])

    assert (await api.get(f"keys/{key_id}")).json["scopes"] == ["read"]
    assert (await later.get("keys")).status == 200


# -- Who made it ---------------------------------------------------------


async def test_each_key_says_which_key_made_it(api: ApiClient) -> None:
    first_id, first = await child_of(api, api)
    second_id, _ = await child_of(api, first, "read")
    (operators,) = [key for key in await api.all_pages("keys", 100) if key["name"] == "backend"]

    shown = await api.get(f"keys/{second_id}")

    assert (shown.status, shown.storage_requests, shown.json["created_by"]) == (200, 1, first_id)
    assert (await api.get(f"keys/{first_id}")).json["created_by"] == operators["id"]
    assert operators["created_by"] is None
    assert (await api.get("keys/key_unknown")).status == 404


async def test_a_key_of_one_organization_is_told_of_that_ones_keys_only(api: ApiClient) -> None:
    own, other = await api.new_organization(), await api.new_organization()
    limited = await api.with_key(organization_id=own)
    foreign_id, _ = await child_of(api, api, "read", organization_id=other)
    wide_id, _ = await child_of(api, api, "read")

    for key_id in (foreign_id, wide_id):
        assert (await limited.get(f"keys/{key_id}")).status == 404
        assert (await limited.delete(f"keys/{key_id}", cascade="true")).status == 404
    assert {key["organization_id"] for key in await limited.all_pages("keys", 1)} == {own}


# -- Revoking ------------------------------------------------------------


async def test_a_key_revokes_no_key_that_may_do_more_but_itself(api: ApiClient) -> None:
    narrow_id, narrow = await child_of(api, api, "read", "keys")
    wide_id, _ = await child_of(api, api, "write")
    equal_id, _ = await child_of(api, api, "read")

    refused = await narrow.delete(f"keys/{wide_id}")

    assert refused.status == 403
    assert refused.json["detail"] == "This API key cannot revoke one that has scopes which it has not itself."
    assert (await api.get(f"keys/{wide_id}")).json["revoked_at"] is None
    assert (await narrow.delete(f"keys/{equal_id}")).status == 204
    assert (await narrow.delete(f"keys/{narrow_id}")).status == 204
    assert (await narrow.get("keys")).status == 401


async def test_revoking_leaves_what_the_key_made_or_takes_it_along(api: ApiClient) -> None:
    first_id, first = await child_of(api, api)
    second_id, second = await child_of(api, first)
    third_id, third = await child_of(api, second, "read")
    _, beside = await child_of(api, api)

    alone = await api.delete(f"keys/{first_id}")
    assert (alone.status, alone.storage_requests) == (204, 3)
    assert (await second.get("keys")).status == 200

    along = await api.send("DELETE", f"keys/{first_id}", query={"cascade": "true"})

    assert along.status == 204
    assert [(await each.get("keys")).status for each in (first, second, third, beside)] == [401, 401, 401, 200]
    for key_id in (first_id, second_id, third_id):
        assert (await api.get(f"keys/{key_id}")).json["revoked_at"] is not None


async def test_links_to_the_portal_go_along_with_the_key_that_made_them_and_their_sessions_end(
    api: ApiClient, service: Service
) -> None:
    first_id, first = await child_of(api, api)
    _, second = await child_of(api, first)
    organizations = [(await api.post("organizations", {"name": name})).json["id"] for name in ("A", "B")]
    paths = [f"organizations/{each}/portal-links" for each in organizations]
    made = [(await maker.post(path, {"max_uses": 5})).json for maker, path in zip((first, second), paths, strict=True)]
    other = (await api.post(paths[0], {})).json
    browser = Browser(service.application, service.meter, organization_id=organizations[0])
    assert (await browser.open(made[0]["url"])).status == 303

    assert (await api.delete(f"keys/{first_id}")).status == 204
    assert (await browser.get("")).status == 200
    assert (await api.send("DELETE", f"keys/{first_id}", query={"cascade": "true"})).status == 204

    ended = [(await api.get(f"{path}/{link['id']}")).json for path, link in zip(paths, made, strict=True)]
    assert all(link["revoked_at"] for link in ended)
    assert (await api.get(f"{paths[0]}/{other['id']}")).json["revoked_at"] is None
    assert (await browser.get("")).status == 401


async def test_a_cascade_that_breaks_off_anywhere_is_completed_by_the_same_order(api: ApiClient) -> None:
    keys, number = api.application.api_keys, 0
    while True:
        first = (await keys.create("first", KEY_SCOPES)).key
        made = [(await keys.create(str(index), KEY_SCOPES, made_by=first)).key for index in range(2)]
        made.append((await keys.create("grandchild", ["read"], made_by=made[0])).key)
        rows_of(api).before = fail_at(number)
        try:
            await keys.revoke(first.id, cascade=True)
        except DirectoryStoreUnavailableError:
            number += 1
        else:
            break
        finally:
            rows_of(api).before = None
        await keys.revoke(first.id, cascade=True)
        assert not [key for key in descendants(first.id, await keys.list()) if key.revoked_at is None]
    assert number > 8


def elsewhere(api: ApiClient) -> ApiKeyService:
    """Return what another process knows keys by."""
    application = api.application
    store = TableApiKeyStore(application.account.table(DIRECTORIES_TABLE))
    return ApiKeyService(store, application.directory_store, events=application.organization_feed, now=application.now)


async def make_old(api: ApiClient, key_id: str) -> None:
    """Let a key be as one was stored before rows of life."""
    await rows_of(api).commit(PARTITION, [delete(f"l|{key_id}")])


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("cascade", [False, True])
async def test_a_key_that_was_revoked_elsewhere_makes_none_while_this_process_still_knows_it(
    api: ApiClient, *, cascade: bool, is_old: bool
) -> None:
    key_id, maker = await child_of(api, api)
    if is_old:
        await make_old(api, key_id)
    assert (await maker.get("keys")).status == 200
    await elsewhere(api).revoke(key_id, cascade=cascade)
    assert (await maker.get("keys")).status == 200

    answer = await maker.post("keys", {"name": "child", "scopes": ["read"]})

    assert answer.status == 401
    assert not descendants(key_id, await api.application.api_keys.list())


@pytest.mark.parametrize("is_old", [False, True])
async def test_keys_made_while_their_maker_is_revoked_with_what_it_made_do_not_escape(
    api: ApiClient, *, is_old: bool
) -> None:
    key_id, maker = await child_of(api, api)
    if is_old:
        await make_old(api, key_id)
    keys = [maker.post("keys", {"name": "child", "scopes": ["read"]}) for _ in range(8)]

    answers, _ = await asyncio.gather(asyncio.gather(*keys), elsewhere(api).revoke(key_id, cascade=True))

    assert {answer.status for answer in answers} <= {201, 401}
    assert not [key for key in descendants(key_id, await api.application.api_keys.list()) if key.revoked_at is None]


async def test_an_old_key_makes_keys_and_is_revoked_like_any(api: ApiClient) -> None:
    key_id, maker = await child_of(api, api)
    await api.application.management.key_uses.close()
    await make_old(api, key_id)

    made = [await maker.post("keys", {"name": str(number), "scopes": ["read"]}) for number in range(2)]
    await api.send("DELETE", f"keys/{key_id}", query={"cascade": "true"})

    assert [answer.status for answer in made] == [201, 201]
    assert len(descendants(key_id, await api.application.api_keys.list())) == 2
    assert not [key for key in await api.all_pages("keys", 100) if key["name"] != "backend" and not key["revoked_at"]]
    assert [key for key in rows_of(api).rows(PARTITION) if key.startswith("l|")] == [
        f"l|{key['id']}" for key in await api.all_pages("keys", 100) if not key["revoked_at"]
    ]


@pytest.mark.parametrize("is_old", [False, True])
async def test_a_key_whose_answer_was_lost_is_not_made_twice(api: ApiClient, *, is_old: bool) -> None:
    """The second attempt of the commit meets what the first one wrote."""
    maker = (await api.application.api_keys.create("maker", KEY_SCOPES)).key
    if is_old:
        await make_old(api, maker.id)
    made = (await api.application.api_keys.create("child", ["read"], made_by=maker)).key
    store: Any = api.application.api_keys._store

    await store.add(made, key_event("api_key.created", made, made.created, Actor("api_key", maker.id)))

    assert await store.renew(made)
    assert [key.id for key in descendants(maker.id, await store.list())] == [made.id]
    assert not await store.renew(replace(made, id=f"key_{'0' * 16}"))


async def test_another_key_is_not_shown_what_was_made_under_the_same_idempotency_key(api: ApiClient) -> None:
    _, other = await child_of(api, api)
    body = {"name": "child", "scopes": ["read"]}

    first = await api.post("keys", body, idempotency_key="one")
    again = await other.post("keys", body, idempotency_key="one")

    assert again.json["id"] != first.json["id"]
    assert again.json["key"] is not None
    assert (await api.post("keys", body, idempotency_key="one")).json["key"] is None
