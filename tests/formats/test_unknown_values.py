"""Values, fields and columns that only a newer version knows: each has a reading here, on every surface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.table import Row, Value, insert, replace
from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.directories.actor import Actor
from scim.directories.change_event import ChangeEvent
from scim.directories.directory_events import DirectoryEvent
from scim.events.resource_events import RESOURCE_EVENT_TYPES
from scim.management.registry import OPERATIONS
from scim.portal.activity_words import _CHANGES
from scim.portal.routing import PAGES
from scim.resources.identifiers import begin_operation
from tests.api import ApiClient
from tests.formats.stored import NEWEST, StoredService, serve
from tests.portal import Browser

UNHEARD_OF = "unheard-of"


async def _changed(stored: StoredService, table_name: str, partition: str, key: str, values: Mapping[str, Any]) -> None:
    table = stored.account.table(table_name)
    row = table.rows(partition)[key]
    await table.commit(partition, [replace(key, {**row.values, "later": "kept", **values}, row.etag)])


def _json_with(text: Value, **more: Any) -> str:
    """Return a list of forms with fields more in each."""
    return json.dumps([{**form, "later": "kept", **more} for form in json.loads(str(text))])


async def _newer() -> StoredService:
    """Return a service in whose rows everything that names a kind names one that nobody here knows."""
    stored = await serve(NEWEST)
    directory_id, organization_id = stored.file["directory"], stored.file["organization"]
    client = await stored.client()
    await client.relay()
    rows = stored.account.table(DIRECTORIES_TABLE)
    directory = rows.rows(directory_id)["directory"].values
    await _changed(
        stored,
        DIRECTORIES_TABLE,
        directory_id,
        "directory",
        {
            "provider": UNHEARD_OF,
            "tokens": _json_with(directory["tokens"], origin=UNHEARD_OF, end_reason=UNHEARD_OF, told=[UNHEARD_OF]),
            "mappings0": _json_with(directory["mappings0"], type=UNHEARD_OF),
        },
    )
    await _changed(stored, DIRECTORIES_TABLE, organization_id, "o", {"mappings_by": UNHEARD_OF})
    for partition, key, row in _all(stored, DIRECTORIES_TABLE):
        if key.startswith("k|"):
            await _changed(stored, DIRECTORIES_TABLE, partition, key, {"scopes": f"read write keys {UNHEARD_OF}"})
        elif partition == organization_id and key.startswith("f|"):
            event = {**json.loads(str(row.values["d0"])), "type": UNHEARD_OF, "later": "kept"}
            await _changed(stored, DIRECTORIES_TABLE, partition, key, {"d0": json.dumps(event)})
        elif key.startswith(("p|", "d|")):
            await _changed(stored, DIRECTORIES_TABLE, partition, key, {})
    await _unknown_events(stored)
    await _unknown_log(stored)
    return stored


async def _unknown_events(stored: StoredService) -> None:
    directory_id, user_id = stored.file["directory"], stored.file["users"][0]
    operation = begin_operation()
    known = {"timestamp": operation.time, "organization_id": stored.file["organization"], "directory_id": directory_id}
    events = [
        {**known, "id": "evt_1", "type": f"user.{UNHEARD_OF}", "data": {"user_id": user_id, "cause": UNHEARD_OF}},
        {**known, "id": "evt_2", "type": f"group.{UNHEARD_OF}", "data": {"group_id": stored.file["group"]}},
        {**known, "id": "evt_3", "type": f"user.{UNHEARD_OF}", "data": {"id": user_id}, "changed": ["x"]},
        {**known, "id": "evt_4", "type": UNHEARD_OF, "data": {}},
    ]
    table = stored.account.table(RESOURCES_TABLE)
    values = {"d0": json.dumps(events), "time": operation.time, "later": "kept"}
    await table.commit(directory_id, [insert(keys.outbox(operation.id), values)])
    for _, key, row in _all(stored, RESOURCES_TABLE):
        if key.startswith("h|"):
            forms = _json_with(row.values["d0"], type=f"user.{UNHEARD_OF}")
            await _changed(stored, RESOURCES_TABLE, directory_id, key, {"d0": forms})
        elif key.startswith("c!"):
            coverage = {path: {**known, "later": 1} for path, known in json.loads(str(row.values["d0"])).items()}
            await _changed(stored, RESOURCES_TABLE, directory_id, key, {"d0": json.dumps(coverage)})


async def _unknown_log(stored: StoredService) -> None:
    moment = stored.file["written"]
    texts = dict.fromkeys(("cause", "attribute", "resource", "related", "detail", "method", "operation"), UNHEARD_OF)
    values = {**texts, "type": UNHEARD_OF, "scim_type": UNHEARD_OF, "later": "kept", "status": 418}
    key = f"l|{0:016d}|{0:08d}"
    row = {**values, "first": moment, "last": moment, "count": 1, "written": "x"}
    await stored.account.table(LOG_TABLE).commit(stored.file["directory"], [insert(key, row)])


def _all(stored: StoredService, table_name: str) -> list[tuple[str, str, Row]]:
    table = stored.account.table(table_name)
    return [(partition, key, row) for partition in table._partitions for key, row in table.rows(partition).items()]


def _ids(stored: StoredService) -> dict[str, str]:
    links = [key for _, key, _ in _all(stored, DIRECTORIES_TABLE) if key.startswith("p|")]
    api_keys = [key for _, key, _ in _all(stored, DIRECTORIES_TABLE) if key.startswith("k|")]
    return {
        "organization_id": stored.file["organization"],
        "directory_id": stored.file["directory"],
        "user_id": stored.file["users"][0],
        "group_id": stored.file["group"],
        "link_id": links[0].split("|")[1],
        "key_id": api_keys[0].split("|")[1],
    }


@pytest.mark.parametrize("path", [each.path for each in OPERATIONS if each.method == "GET"])
async def test_the_api_reads_what_it_does_not_know(path: str) -> None:
    stored = await _newer()
    api = ApiClient(stored.application, stored.file["api_key"], stored.account.requests)

    answer = await api.get(path.format_map(_ids(stored)))

    assert answer.status == 200, answer.json


@pytest.mark.parametrize("path", [each.path for each in PAGES if each.method == "GET" and each.needs_session])
async def test_the_portal_shows_what_it_does_not_know(path: str) -> None:
    stored = await _newer()
    link = await stored.application.portal_access.create_link(stored.file["organization"])
    browser = Browser(stored.application, stored.account.requests, organization_id=stored.file["organization"])
    assert (await browser.open(link.code)).status == 303

    shown = await browser.get(path.format_map({**_ids(stored), "provider": "okta"}))

    # Who may change mappings is not known either, so administrators may not.
    assert shown.status == (403 if "/attributes/" in path else 200), shown


async def test_scim_and_the_sweep_go_on_beside_what_they_do_not_know() -> None:
    stored = await _newer()
    client = await stored.client()

    assert (await client.get("/Users")).json["totalResults"] == 4
    assert (await client.new_user("new@contoso.com"))["id"]
    signals = await stored.application.background.sweep()

    assert signals.failures == 0
    directory = stored.account.table(DIRECTORIES_TABLE).rows(client.directory.id)["directory"].values
    assert (directory["provider"], directory["later"]) == (UNHEARD_OF, "kept")


async def test_what_is_not_known_stays_when_something_else_is_changed() -> None:
    stored = await _newer()
    api = ApiClient(stored.application, stored.file["api_key"], stored.account.requests)

    assert (await api.patch(f"directories/{stored.file['directory']}", {"name": "Other"})).status == 200

    values = stored.account.table(DIRECTORIES_TABLE).rows(stored.file["directory"])["directory"].values
    assert (values["provider"], values["name"], values["later"]) == (UNHEARD_OF, "Other", "kept")
    assert json.loads(str(values["mappings0"]))[0]["type"] == UNHEARD_OF
    assert json.loads(str(values["tokens"]))[0]["later"] == "kept"


def test_every_type_that_a_feed_tells_has_words_in_the_portal() -> None:
    assert {*_CHANGES} == RESOURCE_EVENT_TYPES


def test_events_that_wait_in_rows_are_read_with_fields_of_a_newer_version() -> None:
    actor, moment = Actor("service", "sweep"), datetime(2026, 12, 1, tzinfo=UTC)
    of_key = ChangeEvent("1", "api_key.revoked", "org_1", "api_key", "key_1", moment, actor, {"api_key": {}})
    of_directory = DirectoryEvent("2", "directory.updated", "org_1", "dir_1", moment, {"directory": {}})

    assert ChangeEvent.from_json({**of_key.to_json(), "later": "kept"}) == of_key
    assert DirectoryEvent.from_json({**of_directory.to_json(), "later": "kept"}, "org_1", "dir_1") == of_directory
