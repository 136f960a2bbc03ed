"""The audit log: who changed what, of an organization and of the whole service, exactly once and for a year."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.table import Write, delete, merge
from scim.composed_stores import DIRECTORIES_TABLE
from scim.directories.actor import Actor, acting
from scim.directories.audit_log import RETENTION_DAYS, retention_limit
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.directories.key_events import key_event
from scim.directories.portal_link import NewPortalLink
from scim.events.feed import FeedCursor
from scim.resources.errors import StorageUnavailableError
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable, fail_at
from tests.portal import Browser

both_storages = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])
SERVICE = "audit-log"


def directories_table(api: ApiClient) -> MemoryTable:
    table = api.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    return table


async def told(api: ApiClient, organization: str) -> list[dict[str, Any]]:
    page = await api.application.organization_feed.read(organization, FeedCursor(), 1000)
    return [event for _, event in page.events]


async def changed(api: ApiClient) -> tuple[str, dict[str, Any]]:
    """Return an organization with a change of everything that it has, and its directory."""
    organization = await api.new_organization()
    one = await api.new_directory(organization)
    await api.patch(f"organizations/{organization}", {"name": "Fabrikam"})
    await api.patch(f"directories/{one['id']}", {"status": "disabled"})
    await api.post(f"directories/{one['id']}/tokens", {})
    link = await api.post(f"organizations/{organization}/portal-links", {"label": "for anna@contoso.com"})
    assert (await Browser(api.application, api.meter).open(link.json["url"].partition("#")[2])).status == 303
    await api.delete(f"organizations/{organization}/portal-links/{link.json['id']}")
    key = await api.post("keys", {"name": "Reporting", "scopes": ["read"], "organization_id": organization})
    await api.delete(f"keys/{key.json['id']}")
    return organization, one


CHANGES = [
    "api_key.revoked",
    "api_key.created",
    "portal_link.revoked",
    "portal_link.redeemed",
    "portal_link.created",
    "token.rotated",
    "directory.disabled",
    "organization.updated",
    "directory.created",
    "organization.created",
]


@both_storages
async def test_the_log_of_an_organization_tells_every_change_the_newest_first(api: ApiClient) -> None:
    organization, one = await changed(api)

    answer = await api.get(f"organizations/{organization}/audit-log", {"limit": "100"})

    entries = answer.json["data"]
    assert (answer.status, answer.storage_requests, answer.json["list_metadata"]["after"]) == (200, 2, None)
    assert [entry["type"] for entry in entries] == CHANGES
    assert {entry["organization_id"] for entry in entries} == {organization}
    found = {entry["type"]: entry for entry in entries}
    assert found["directory.created"]["object"] == {"type": "directory", "id": one["id"]}
    assert found["organization.updated"]["previous_attributes"] == {"name": "Contoso"}
    redeemed = found["portal_link.redeemed"]
    assert redeemed["object"] == {"type": "portal_link", "id": redeemed["actor"]["link_id"]}
    assert redeemed["actor"]["type"] == "portal_session"
    assert redeemed["actor"]["label"] == "for anna@contoso.com"
    assert found["api_key.created"]["data"]["api_key"]["name"] == "Reporting"
    by = {entry["actor"]["type"] for entry in entries if entry is not redeemed}
    assert by == {"api_key"}


async def test_the_log_has_each_event_of_the_feed_once_under_its_id(api: ApiClient) -> None:
    organization, _ = await changed(api)
    for _ in range(2):
        await api.application.background.sweep()

    events = {event["id"] for event in await told(api, organization)}
    entries = [entry["id"] for entry in await api.all_pages(f"organizations/{organization}/audit-log", 3)]

    assert len(entries) == len(set(entries)) == len(CHANGES)
    assert len(set(entries) - events) == 1  # the organization's creation, before which there was no feed
    assert events < set(entries)


@both_storages
async def test_the_log_of_the_service_tells_of_its_keys_and_of_organizations_that_come_and_go(api: ApiClient) -> None:
    organization = await api.new_organization("Secret name")
    key = (await api.post("keys", {"name": "Everything", "scopes": ["read", "write"]})).json["id"]
    await api.delete(f"keys/{key}")
    await api.delete(f"organizations/{organization}")

    answer = await api.get(SERVICE, {"limit": "4"})

    entries = answer.json["data"]
    assert (answer.status, answer.storage_requests) == (200, 2)
    assert [(entry["type"], entry["object"]["id"]) for entry in entries] == [
        ("organization.deleted", organization),
        ("api_key.revoked", key),
        ("api_key.created", key),
        ("organization.created", organization),
    ]
    assert [entry["organization_id"] for entry in entries] == [organization, None, None, organization]
    assert all(entry["actor"]["label"] == "backend" for entry in entries)
    assert "Secret name" not in str(answer.json)
    read = [entry["id"] for entry in await api.all_pages(SERVICE, 1)]
    assert read[:4] == [entry["id"] for entry in entries]
    assert len(read) == len(set(read))


async def test_the_log_of_the_service_is_for_keys_of_all_organizations(api: ApiClient) -> None:
    organization = await api.new_organization()
    limited = await api.with_key("read", organization_id=organization)

    assert (await limited.get(SERVICE)).status == 403
    assert (await limited.get(f"organizations/{organization}/audit-log")).status == 200
    assert (await limited.get(f"organizations/{await api.new_organization()}/audit-log")).status == 404
    entries = (await api.get(SERVICE, {"limit": "100"})).json["data"]
    assert limited.key[7:23] not in str(entries)


async def test_the_log_is_filtered_by_actor_and_by_object(api: ApiClient) -> None:
    organization, one = await changed(api)
    path = f"organizations/{organization}/audit-log"
    (redeemed,) = (await api.get(path, {"actor_type": "portal_session"})).json["data"]
    session, link = redeemed["actor"]["id"], redeemed["actor"]["link_id"]

    async def types(**query: str) -> list[str]:
        return [entry["type"] for entry in (await api.get(path, query)).json["data"]]

    assert await types(actor_id=session) == await types(actor_id=link) == ["portal_link.redeemed"]
    assert await types(object_id=link) == ["portal_link.revoked", "portal_link.redeemed", "portal_link.created"]
    assert await types(object_type="directory") == ["directory.disabled", "directory.created"]
    assert await types(object_type="token", object_id=one["id"]) == []
    assert await types(actor_type="api_key", object_type="api_key") == ["api_key.revoked", "api_key.created"]
    assert (await api.get(path, {"actor_type": "robot"})).status == 422
    assert (await api.get(path, {"after": "made-up"})).status == 422


async def test_a_page_of_a_filter_that_matches_little_leads_on(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scim.adapters.tables.audit_log._READ_AT_ONCE", 3)
    organization, _ = await changed(api)

    found = await api.all_pages(f"organizations/{organization}/audit-log", 100, object_type="organization")

    assert [entry["type"] for entry in found] == ["organization.updated", "organization.created"]


async def test_a_warning_is_no_change_and_is_not_in_the_log(api: ApiClient) -> None:
    organization = await api.new_organization()
    expiry = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    await api.new_directory(organization, token_expires_at=expiry)
    await api.application.background.sweep()

    assert "token.expiring" in [event["type"] for event in await told(api, organization)]
    assert len(await api.all_pages(f"organizations/{organization}/audit-log", 10)) == 2


@pytest.mark.parametrize("of_service", [False, True])
async def test_entries_are_kept_for_a_year(api: ApiClient, *, of_service: bool) -> None:
    organization, _ = await changed(api)
    log, now = api.application.audit_log, datetime.now(UTC)
    partition, path = ("keys", SERVICE) if of_service else (organization, f"organizations/{organization}/audit-log")
    kept = len(await api.all_pages(path, 100))

    assert await log.forget(partition, retention_limit(now + timedelta(days=RETENTION_DAYS - 1))) == 0
    assert len(await api.all_pages(path, 100)) == kept
    forgotten = await log.forget(partition, retention_limit(now + timedelta(days=RETENTION_DAYS, minutes=1)))
    assert forgotten > 0
    assert len(await api.all_pages(path, 100)) == kept - forgotten


async def test_the_daily_retention_forgets_entries_of_organizations_and_of_the_service(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization, _ = await changed(api)
    monkeypatch.setattr("scim.directories.audit_log.RETENTION_DAYS", -1)

    await api.application.background.forget_what_is_old()

    assert await api.all_pages(f"organizations/{organization}/audit-log", 100) == []
    assert await api.all_pages(SERVICE, 100) == []


async def test_an_organization_takes_its_log_with_it(api: ApiClient) -> None:
    organization = await api.new_organization()
    await api.post(f"organizations/{organization}/portal-links", {"label": "for anna@contoso.com"})

    assert (await api.delete(f"organizations/{organization}")).status == 204

    assert organization not in directories_table(api).partitions()
    rows = [
        dict(row.values)
        for each in directories_table(api).partitions()
        for row in directories_table(api).rows(each).values()
    ]
    assert "anna@contoso.com" not in str(rows)


# -- Nothing lost, nothing told twice ---------------------------------------


async def prepared(api: ApiClient) -> tuple[str, str, NewPortalLink]:
    """Return an organization, a key of it, and a link to it."""
    organization = await api.new_organization()
    key = await api.application.api_keys.create("Reporting", ["read"], organization_id=organization)
    return organization, key.key.id, await api.application.portal_access.create_link(organization, max_uses=9)


async def state(api: ApiClient, organization: str) -> Counter[str]:
    """Return which changes of an organization its rows show, each as the event that tells of it."""
    application = api.application
    keys, uses = await application.api_keys.list(organization), await application.portal_access.link_uses(organization)
    name = (await application.directories.get_organization(organization)).name
    return +Counter(
        {
            "api_key.created": len(keys),
            "api_key.revoked": sum(key.revoked_at is not None for key in keys),
            "portal_link.created": len(uses),
            "portal_link.redeemed": sum(use.link.uses for use in uses),
            "portal_link.revoked": sum(use.link.revoked_at is not None for use in uses),
            "organization.updated": int(name != "Contoso"),
        }
    )


Act = Callable[[ApiClient, str, str, NewPortalLink], Awaitable[object]]
ACTS: Mapping[str, Act] = {
    "create_key": lambda api, organization, _key, _link: api.application.api_keys.create(
        "Another", ["read"], organization_id=organization
    ),
    "revoke_key": lambda api, _organization, key, _link: api.application.api_keys.revoke(key),
    "create_link": lambda api, organization, _key, _link: api.application.portal_access.create_link(organization),
    "redeem": lambda api, _organization, _key, link: api.application.portal_access.redeem(link.code),
    "revoke_link": lambda api, organization, _key, link: api.application.portal_access.revoke_link(
        organization, link.link.id
    ),
    "rename": lambda api, organization, _key, _link: api.patch(f"organizations/{organization}", {"name": "Fabrikam"}),
}


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("number", range(7))
@pytest.mark.parametrize("act", ACTS)
async def test_what_a_change_left_at_any_request_is_told_once_in_feed_and_log(
    api: ApiClient, act: str, number: int, *, lost: bool
) -> None:
    organization, key, link = await prepared(api)
    table = directories_table(api)
    table.before, table.after = (None, fail_at(number)) if lost else (fail_at(number), None)
    with acting(Actor("operator", "crash")), suppress(DirectoryStoreUnavailableError):
        await ACTS[act](api, organization, key, link)
    table.before = table.after = None

    for _ in range(2):
        await api.application.background.sweep()

    events = await told(api, organization)
    assert Counter(event["type"] for event in events) == await state(api, organization)
    entries = await api.all_pages(f"organizations/{organization}/audit-log", 100)
    assert {entry["id"] for entry in entries[:-1]} == {event["id"] for event in events}
    assert len(entries) == len(events) + 1
    assert {event["actor"]["id"] for event in events} <= {"tests", "crash", *ids_of_actors(events)}


def ids_of_actors(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the sessions and keys among the actors."""
    return [event["actor"]["id"] for event in events if event["actor"]["type"] in ("portal_session", "api_key")]


async def test_a_key_revoked_by_many_at_once_is_told_of_once(api: ApiClient) -> None:
    organization, key, _ = await prepared(api)
    service_key = await api.application.api_keys.create("Everything", ["read"])

    await asyncio.gather(*(api.application.api_keys.revoke(each) for each in [key, service_key.key.id] * 5))

    ended = [event for event in await told(api, organization) if event["type"] == "api_key.revoked"]
    assert len(ended) == 1
    assert len(await api.all_pages(SERVICE, 100, object_id=service_key.key.id)) == 2


async def test_an_entry_that_came_back_before_its_event_does_not_keep_it_untold(api: ApiClient) -> None:
    organization, key, _ = await prepared(api)
    feed, table = api.application.organization_feed, directories_table(api)
    (event,) = [each for each in await told(api, organization) if each["type"] == "api_key.created"]
    rows = table.rows(organization)
    gone = [
        row for row in rows if row.startswith("told|") or (row.startswith("f|") and event["id"][4:] in str(rows[row]))
    ]
    await table.commit(organization, [delete(row) for row in gone])

    known = next(each for each in await api.application.api_keys.list(organization) if each.id == key)
    await feed.tell(key_event("api_key.created", known, known.created, Actor("operator", "tests")))

    assert [each["type"] for each in await told(api, organization)].count("api_key.created") == 1
    assert len(await api.all_pages(f"organizations/{organization}/audit-log", 100, object_id=key)) == 1


@both_storages
async def test_what_telling_of_a_key_costs_is_counted_and_of_a_service_key_it_is_nothing(api: ApiClient) -> None:
    organization = await api.new_organization()
    bodies = [{"name": "Reporting", "scopes": ["read"], "organization_id": each} for each in (organization, None)]

    made = [await api.post("keys", body) for body in bodies]
    ended = [await api.delete(f"keys/{each.json['id']}") for each in made]

    assert [each.storage_requests for each in made] == [5, 1]
    assert [each.storage_requests for each in ended] == [6, 3]


# -- Rows of other versions, and damaged ones -----------------------------


async def test_an_entry_that_cannot_be_read_says_so_and_hides_no_other(api: ApiClient) -> None:
    organization, _ = await changed(api)
    table = directories_table(api)
    first = next(key for key in table.rows(organization) if key.startswith("a|"))
    await table.commit(organization, [merge(first, {"d0": '{"id'})])

    entries = (await api.get(f"organizations/{organization}/audit-log", {"limit": "100"})).json["data"]

    assert [entry["type"] for entry in entries] == ["audit_log.unreadable", *CHANGES[1:]]
    assert entries[0]["id"] == f"evt_{first.rpartition('|')[2]}"
    assert entries[0]["timestamp"] >= entries[1]["timestamp"]


async def test_an_entry_of_a_later_version_is_shown(api: ApiClient) -> None:
    organization = await api.new_organization()
    table = directories_table(api)
    (key,) = [key for key in table.rows(organization) if key.startswith("a|")]
    later: dict[str, Any] = {
        "id": "evt_1",
        "type": "robot.built",
        "timestamp": "2030-01-01T00:00:00.000Z",
        "organization_id": organization,
        "directory_id": None,
        "actor": {"type": "robot", "id": "r2", "label": None, "link_id": None, "model": "d2"},
        "data": {"robot": {}},
        "more": 1,
    }
    await table.commit(organization, [merge(key, {"d0": json.dumps(later), "object_type": "robot"})])

    (entry,) = (await api.get(f"organizations/{organization}/audit-log")).json["data"]

    assert (entry["type"], entry["object"]["type"], entry["actor"]["id"]) == ("robot.built", "robot", "r2")


async def test_a_link_made_while_its_organization_is_deleted_leaves_nothing(api: ApiClient) -> None:
    organization, table = await api.new_organization(), directories_table(api)
    await api.application.portal_access.create_link(organization)
    made: list[object] = []

    async def delete_and_make() -> None:
        commit = table.commit

        async def making(partition: str, writes: Sequence[Write]) -> list[str]:
            if partition == organization and writes[0].kind == "delete" and not made:
                made.append(None)
                made.append(await api.application.portal_access.create_link(organization, label="for anna"))
            return await commit(partition, writes)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(type(table), "commit", lambda _self, *arguments: making(*arguments))
            assert (await api.delete(f"organizations/{organization}")).status == 204

    await delete_and_make()

    assert len(made) == 2
    assert organization not in table.partitions()


async def test_of_two_changes_of_an_organization_at_once_neither_is_lost(api: ApiClient) -> None:
    organization = await api.new_organization()
    path = f"organizations/{organization}"

    await asyncio.gather(api.patch(path, {"name": "Fabrikam"}), api.patch(path, {"mappings_by": "application"}))

    read = (await api.get(path)).json
    assert (read["name"], read["mappings_by"]) == ("Fabrikam", "application")
    listed = [each for each in await api.all_pages("organizations", 100) if each["id"] == organization]
    assert listed == [read]
    updates = [event for event in await told(api, organization) if event["type"] == "organization.updated"]
    assert sorted(event["changed"] for event in updates) == [["mappings_by"], ["name"]]


async def test_a_rotation_of_the_services_key_is_entered_once_and_takes_place_without_its_entry(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    keys, table = api.application.service_keys, directories_table(api)
    await keys.rotate()
    await keys.rotate()
    table.before = lambda _: StorageUnavailableError("away")
    ring = await keys.rotate(at_once=True)
    table.before = None

    assert max(key.number for key in ring.keys) == 3
    assert "service_key.rotated 3 is missing in the audit log" in caplog.text
    entries = await api.all_pages(SERVICE, 100, object_type="service_key")
    assert [entry["data"]["service_key"] for entry in entries] == [
        {"number": 2, "at_once": False},
        {"number": 1, "at_once": False},
    ]
    assert {entry["actor"]["id"] for entry in entries} == {"tests"}
