"""Who did what: every change has an actor, in its event and in a line that names the object and no person."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.feed import read_feed
from scim.composition import Application
from scim.directories.actor import Actor, acting, current_actor
from scim.directories.deletion import QUIET
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.events.feed import FeedCursor
from scim.resources.schema import USER_URN
from tests.api import ApiClient
from tests.portal import Browser
from tests.service import EXTENSION_URN, ScimClient, Service, pass_in_storage

TAG = {"name": "tag", "path": f"{EXTENSION_URN}:tag"}
NOBODY = {"label": None, "link_id": None}
BACKEND = {"type": "api_key", "label": "backend", "link_id": None}

Line = Mapping[str, Any]


async def told(application: Application, organization_id: str) -> list[dict[str, Any]]:
    """Return the events of an organization's feed."""
    page = await application.organization_feed.read(organization_id, FeedCursor(), 1000)
    return [event for _, event in page.events]


def lines(caplog: pytest.LogCaptureFixture, logger: str = "scim.requests") -> Sequence[Line]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == logger]


async def key_id(api: ApiClient) -> str:
    """Return the id of the client's key."""
    known = await api.application.api_keys.recognise(api.key)
    assert known is not None
    return known.id


# -- By whom --------------------------------------------------------------


async def test_a_change_by_an_api_key_names_the_key_in_its_event_and_its_line(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    key, organization = await key_id(api), await api.new_organization()
    one = await api.new_directory(organization)
    path = f"directories/{one['id']}"
    await api.patch(path, {"name": "Other"})
    await api.put(f"{path}/attribute-mappings", {"attribute_mappings": [TAG]})
    rotated = await api.post(f"{path}/tokens", {})
    version = rotated.json["version"]
    await api.delete(f"{path}/tokens/{version}")

    events = [event for event in await told(api.application, organization) if event["type"] != "organization.created"]

    assert [event["type"] for event in events] == [
        "directory.created",
        "directory.updated",
        "directory.attribute_mappings_changed",
        "token.rotated",
        "token.revoked",
    ]
    assert all(event["actor"] == {**BACKEND, "id": key} for event in events)
    logged = {line["operation"]: line for line in lines(caplog) if line["method"] != "GET"}
    assert {line["actor_id"] for line in logged.values()} == {key}
    assert {line["actor_type"] for line in logged.values()} == {"api_key"}
    assert logged["create_directory"]["changes"] == f"directory.created {one['id']}"
    assert logged["rotate_token"]["changes"] == f"token.rotated {version}"
    assert logged["revoke_token"]["changes"] == f"token.revoked {version}"
    assert logged["put_attribute_mappings"]["changes"] == (
        f"directory.attribute_mappings_changed {one['id']} (added tag)"
    )
    assert "backend" not in caplog.text


async def test_what_another_left_untold_is_in_no_line_that_names_somebody_else(
    api: ApiClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await api.new_directory(await api.new_organization())
    first = await key_id(api)
    made = (await api.post("keys", {"name": "second", "scopes": ["write"]})).json
    second = replace(api, key=made["key"])

    async def fail(_event: object) -> None:
        raise DirectoryStoreUnavailableError("the feed does not answer")

    with monkeypatch.context() as outage:
        outage.setattr(api.application.directories._events, "tell", fail)
        await api.patch(f"directories/{one['id']}", {"name": "Other"})
    caplog.clear()
    caplog.set_level(logging.INFO)

    await second.patch(f"directories/{one['id']}", {"status": "disabled"})

    (line,) = lines(caplog)
    assert (line["actor_id"], line["changes"]) == (made["id"], f"directory.disabled {one['id']}")
    (other,) = lines(caplog, "scim.changes")
    assert (other["actor_id"], other["changes"]) == (first, f"directory.updated {one['id']}")


async def test_a_request_that_changes_nothing_names_no_change(api: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    one = await api.new_directory(await api.new_organization())
    caplog.set_level(logging.INFO)

    await api.patch(f"directories/{one['id']}", {"name": one["name"]})

    (line,) = lines(caplog)
    assert "changes" not in line


async def test_a_change_in_the_portal_names_session_and_link(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    application, organization = browser.application, browser.organization_id
    link, session = await opened(application, organization)
    scim = await browser.connect()
    caplog.set_level(logging.INFO)
    page = await browser.get(f"/directories/{scim.directory.id}/tokens")
    await browser.submit(page.form("/tokens"))

    events = [event for event in await told(application, organization) if "directory_id" in event]

    assert [event["type"] for event in events if event["directory_id"]] == ["directory.created", "token.rotated"]
    made_by = {"type": "portal_session", "id": session, "label": None, "link_id": link}
    assert all(event["actor"] == made_by for event in events if event["directory_id"])
    line = lines(caplog)[-1]
    assert (line["actor_type"], line["actor_id"], line["link_id"]) == ("portal_session", session, link)
    assert line["changes"] == f"token.rotated {events[-1]['data']['token']['version']}"


async def opened(application: Application, organization_id: str) -> tuple[str, str]:
    """Return the ids of an organization's only link and its only session."""
    (use,) = await application.portal_access.link_uses(organization_id)
    return use.link.id, use.sessions[0].id


async def test_what_an_operator_does_in_the_secret_store_is_the_operators(scim: ScimClient) -> None:
    application, one = scim.application, scim.directory
    adopted = await application.secret_store.set(one.secret_name, "x" * 40, {})
    await application.token_watcher.watch()
    await application.secret_store.disable(one.secret_name, adopted)
    await application.token_watcher.watch()

    events = {event["type"]: event for event in await told(application, one.organization_id)}

    operator = {"type": "operator", "id": "secret_store", **NOBODY}
    assert events["token.adopted"]["actor"] == operator
    assert events["token.ended"]["data"]["token"]["reason"] == "disabled"
    assert events["token.ended"]["actor"] == operator


@pytest.mark.parametrize(("overlap", "by"), [(timedelta(0), "operator"), (timedelta(days=1), "service")])
async def test_a_token_is_ended_by_who_replaces_it_at_once_and_otherwise_by_time(
    scim: ScimClient, overlap: timedelta, by: str
) -> None:
    application = scim.application
    await application.tokens.rotate(scim.directory.id, overlap=overlap)
    application.tokens._now = lambda: datetime.now(UTC) + 2 * overlap
    await application.background.sweep()

    (event,) = [each for each in await told(application, scim.directory.organization_id) if "ended" in each["type"]]

    assert (event["data"]["token"]["reason"], event["actor"]["type"]) == ("replaced", by)


async def test_expiry_and_its_warning_are_the_services(scim: ScimClient) -> None:
    application = scim.application
    await application.tokens.rotate(scim.directory.id, expires_at=datetime.now(UTC) + timedelta(days=5))
    await application.background.sweep()
    application.tokens._now = lambda: datetime.now(UTC) + timedelta(days=6)
    await application.background.sweep()

    events = {event["type"]: event for event in await told(application, scim.directory.organization_id)}

    for kind in ("token.expiring", "token.ended"):
        assert events[kind]["actor"] == {"type": "service", "id": "expiry", **NOBODY}


# -- What is done later ---------------------------------------------------


async def test_a_directory_is_deleted_by_who_began_it_whoever_ends_it(api: ApiClient) -> None:
    organization = await api.new_organization()
    one = await api.new_directory(organization)
    await api.delete(f"directories/{one['id']}")
    pass_in_storage(api.application, QUIET)

    await api.application.background.sweep()

    event = (await told(api.application, organization))[-1]
    assert (event["type"], event["actor"]) == ("directory.deleted", {**BACKEND, "id": await key_id(api)})


async def test_users_changed_by_other_mappings_are_changed_by_who_changed_the_mappings(
    api: ApiClient, service: Service
) -> None:
    scim = await service.new_directory(mappings=())
    await scim.new_user("anna", **{"schemas": [USER_URN, EXTENSION_URN], EXTENSION_URN: {"tag": "blue"}})
    await api.put(f"directories/{scim.directory.id}/attribute-mappings", {"attribute_mappings": [TAG]})

    await api.application.background.sweep()

    _, event = (await read_feed(scim.partition, FeedCursor(), 100)).events[-1]
    assert (event["type"], event["reason"]) == ("user.updated", "mapping")
    assert event["actor"] == {**BACKEND, "id": await key_id(api)}
    answered = (await api.get(f"directories/{scim.directory.id}/events")).json["data"]
    assert answered[-1]["actor"] == event["actor"]
    assert "actor" not in answered[0]


async def test_what_was_not_told_at_once_is_told_by_the_sweep_with_its_actor(api: ApiClient, monkeypatch: Any) -> None:
    organization = await api.new_organization()
    one = await api.new_directory(organization)

    async def fail(_event: object) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(type(api.application.organization_feed), "tell", lambda _self, event: fail(event))
        await api.patch(f"directories/{one['id']}", {"name": "Other"})
        await api.post(f"directories/{one['id']}/tokens", {})
    await api.application.background.sweep()

    late = (await told(api.application, organization))[-2:]
    assert [event["type"] for event in late] == ["directory.updated", "token.rotated"]
    by_key = {**BACKEND, "id": await key_id(api)}
    assert all(event["actor"] == by_key for event in late)


# -- Lines ----------------------------------------------------------------


async def test_a_line_of_scim_says_which_token_was_used(scim: ScimClient, caplog: pytest.LogCaptureFixture) -> None:
    made = await scim.application.tokens.rotate(scim.directory.id)
    caplog.set_level(logging.INFO)

    await scim.get("/Users")
    await scim.get("/Users", authorization=f"Bearer {made.token}")
    await scim.get("/Users", authorization="Bearer wrong")

    (first,) = scim.directory.tokens
    expected = [(first.version, scim.token[-4:]), (made.record.version, (made.token or "")[-4:]), ("", "")]
    assert [(line["token_version"], line["token_last_four"]) for line in lines(caplog)] == expected
    assert scim.token not in caplog.text


async def test_a_change_that_no_request_asked_for_has_a_line_of_its_own(
    scim: ScimClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    version = await scim.application.secret_store.set(scim.directory.secret_name, "x" * 40, {})

    await scim.application.token_watcher.watch()

    (line,) = lines(caplog, "scim.changes")
    assert line == {
        "event": "change",
        "changes": f"token.adopted {version}",
        "actor_type": "operator",
        "actor_id": "secret_store",
        "organization_id": scim.directory.organization_id,
        "directory_id": scim.directory.id,
    }


def test_a_change_that_nobody_makes_is_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    with acting():
        assert current_actor() == Actor("service", "unknown")

    (record,) = caplog.records
    assert (record.name, record.levelname) == ("scim.changes", "ERROR")


def test_an_actor_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    form = {"type": "robot", "id": "r2", "label": "R2", "link_id": None}

    assert Actor.from_json(form) == Actor("service", "r2", "R2")
    assert Actor.from_json(None) == Actor("service", "unknown")
