"""Every operation of the API, every form of the portal and every command that changes something says who did it.

Made from the registries, so that a new one is tried, or fails here.
"""

from __future__ import annotations

import io
import json
import logging
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scim.admin import command_line
from scim.composed_stores import DIRECTORIES_TABLE
from scim.composition import Application
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.deletion import QUIET
from scim.directories.errors import OrganizationNotFoundError
from scim.directories.portal_access import SessionKey
from scim.maintenance import command_line as maintenance
from scim.maintenance.progress import Progress
from scim.management.operation import Operation
from scim.management.registry import OPERATIONS
from scim.portal.routing import PAGES
from scim.settings import Settings
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable
from tests.portal import Browser, Shown, open_browser
from tests.service import EXTENSION_URN, MAPPINGS, ORIGIN, Service, pass_in_storage

TAG = {"name": "tag", "path": f"{EXTENSION_URN}:tag"}
LEVEL = {"name": "level", "path": f"{EXTENSION_URN}:level"}

Event = Mapping[str, Any]


def entries(application: Application) -> dict[str, Event]:
    """Return every event of any audit log and any organization's feed, by its key."""
    table = application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    return {
        f"{partition} {key}": json.loads(str(row.values["d0"]))
        for partition in table.partitions()
        for key, row in table.rows(partition).items()
        if key.startswith(("a|", "f|"))
    }


class Watched:
    """What is told of while something is done."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._before = entries(application).keys()

    async def events(self) -> list[Event]:
        """Return what was told since, by the sweep, too; each in a log, and in the feed where there is one."""
        pass_in_storage(self._application, QUIET)
        await self._application.background.sweep()
        return [event for key, event in entries(self._application).items() if key not in self._before]


# -- The API --------------------------------------------------------------

BODIES: Mapping[str, Any] = {
    "create_organization": {"name": "New"},
    "update_organization": {"name": "Renamed"},
    "create_directory": {"name": "Okta", "provider": "okta"},
    "update_directory": {"name": "Other", "status": "disabled"},
    "put_attribute_mappings": {"attribute_mappings": [TAG, LEVEL]},
    "rotate_token": {},
    "create_portal_link": {"label": "for anna@contoso.com"},
    "create_key": {"name": "Another", "scopes": ["read"]},
}
WRITES = [each for each in OPERATIONS if each.method != "GET"]


async def stock(api: ApiClient, operation: Operation) -> dict[str, str]:
    """Return what the operation's path may name, made by the test itself."""
    application = api.application
    organization = await application.directories.create_organization("Contoso")
    values = {"organization_id": organization.id}
    if operation.id != "delete_organization":
        made = await application.directories.create_directory(organization.id, name="Entra", provider="entra_id")
        link = await application.portal_access.create_link(organization.id)
        key = await application.api_keys.create("Old", ["read"], organization_id=organization.id)
        version = made.directory.tokens[0].version
        ids = {"directory_id": made.directory.id, "version": version, "link_id": link.link.id, "key_id": key.key.id}
        values |= ids
    return values


@pytest.mark.parametrize("operation", WRITES, ids=lambda each: each.id)
async def test_every_operation_that_changes_something_says_which_key_did(
    api: ApiClient, operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    values, watched = await stock(api, operation), Watched(api.application)
    key = await api.application.api_keys.recognise(api.key)
    assert key is not None

    answer = await api.send(operation.method, operation.path.format(**values), BODIES.get(operation.id))

    assert answer.status < 300, answer.json
    events = await watched.events()
    assert events
    assert {event["actor"]["id"] for event in events} == {key.id}
    assert {event["actor"]["type"] for event in events} == {"api_key"}
    (line,) = [line for line in lines(caplog) if line.get("operation") == operation.id]
    assert (line["actor_type"], line["actor_id"]) == ("api_key", key.id)
    assert line["changes"]
    assert_no_names(caplog)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "scim.requests"]


def assert_no_names(caplog: pytest.LogCaptureFixture) -> None:
    """Check that no line names a person or what opens anything, and that every change had an actor."""
    for text in ("anna@contoso.com", "backend", "scimdt_", "scimak_", "scimpl_", "no surface said"):
        assert text not in caplog.text


# -- The portal -----------------------------------------------------------

Submit = Callable[[Browser, str], Awaitable[Shown]]


async def _add(browser: Browser, one: str) -> Shown:
    form = (await browser.get(f"{one}/attributes/new")).form("/attributes")
    return await browser.submit(form, name="level", path=LEVEL["path"], type="string", resource="User")


async def _change(browser: Browser, one: str) -> Shown:
    shown = await browser.get(f"{one}/attributes/change?resource=User&name=tag")
    asked = await browser.submit(shown.form("/change"), name="label")
    return await browser.submit(asked.form("/change"))


async def _remove(browser: Browser, one: str) -> Shown:
    shown = await browser.get(f"{one}/attributes/remove?resource=User&name=tag")
    return await browser.submit(shown.form("/remove"))


async def _revoke_token(browser: Browser, one: str) -> Shown:
    asked = await browser.submit((await browser.get(f"{one}/tokens")).form("/revoke"))
    return await browser.submit(asked.form("/revoke"), confirmed="yes") if asked.status == 200 else asked


async def _revoke_link(browser: Browser, _: str) -> Shown:
    asked = await browser.submit((await browser.get("/access")).form("/revoke"))
    return await browser.submit(asked.form("/revoke"))


async def _redeem(browser: Browser, _: str) -> Shown:
    made = await browser.application.portal_access.create_link(browser.organization_id)
    return await browser.open(made.code)


async def _rotate(browser: Browser, one: str) -> Shown:
    return await browser.submit((await browser.get(f"{one}/tokens")).form("/tokens"))


async def _configure(browser: Browser, _: str) -> Shown:
    return await browser.configure("Another")


FORMS: Mapping[str, Submit] = {
    "configure": _configure,
    "add_mapping": _add,
    "change_mapping": _change,
    "remove_mapping": _remove,
    "rotate": _rotate,
    "revoke_token": _revoke_token,
    "revoke_link": _revoke_link,
    "redeem": _redeem,
}
TELL_NOTHING = {"end_session", "close"}
"""The end of a session is no change of what an event tells of; the line of the request names it."""


def test_every_form_of_the_portal_is_tried() -> None:
    assert FORMS.keys() | TELL_NOTHING == {page.name for page in PAGES if page.method == "POST"}


@pytest.mark.parametrize("name", FORMS)
async def test_every_form_that_changes_something_says_which_session_did(
    service: Service, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    browser = await open_browser(service, label="for anna@contoso.com")
    application, organization = service.application, browser.organization_id
    made = await application.directories.create_directory(
        organization, name="Entra", provider="entra_id", mappings=MAPPINGS
    )
    watched = Watched(application)

    shown = await FORMS[name](browser, f"/directories/{made.directory.id}")

    assert shown.status in (200, 201, 303), shown.text
    events = [event for event in await watched.events() if event["type"] != "portal_link.created"]
    assert events
    assert {event["actor"]["type"] for event in events} == {"portal_session"}
    if name != "redeem":
        assert {event["actor"]["label"] for event in events} == {"for anna@contoso.com"}
    line = next(line for line in reversed(lines(caplog)) if line["method"] == "POST" and "changes" in line)
    (actor,) = {(event["actor"]["id"], event["actor"]["link_id"]) for event in events}
    assert (line["operation"], line["actor_id"], line["link_id"]) == (name, *actor)
    assert_no_names(caplog)


@pytest.mark.parametrize("ending", ["/end", "/close"])
async def test_the_end_of_a_session_is_in_the_line_of_its_request(
    browser: Browser, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = SessionKey.read(browser.cookie)
    assert key is not None
    caplog.set_level(logging.INFO)
    form = (await browser.get("/access")).form(ending)

    assert (await browser.submit(form)).status == 303

    assert lines(caplog)[-1]["changes"] == f"portal_session.ended {key.session_id}"


@pytest.mark.parametrize("named", ["ses_0123456789abcdef", "x, organization.deleted org_1", "anna@contoso.com"])
async def test_no_line_tells_of_the_end_of_a_session_that_there_is_not(
    browser: Browser, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = SessionKey.read(browser.cookie)
    assert key is not None
    caplog.set_level(logging.INFO)
    form = (await browser.get("/access")).form("/end")
    form.action = form.action.replace(key.session_id, named)

    assert (await browser.submit(form)).status == 303

    assert "changes" not in lines(caplog)[-1]
    assert named not in caplog.text


async def test_the_name_of_a_mapping_adds_no_change_to_a_line(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    directory_id = (await browser.configure()).value("endpoint").rpartition("/")[2]
    caplog.set_level(logging.INFO)
    form = (await browser.get(f"/directories/{directory_id}/attributes/new")).form("/attributes")
    name = "x), organization.deleted org_1 (y"

    added = await browser.submit(form, name=name, path=LEVEL["path"], type="string", resource="User")

    assert added.status == 303
    changes = lines(caplog)[-1]["changes"]
    assert changes == f"directory.attribute_mappings_changed {directory_id} (added x___organization.deleted_org_1__y)"


# -- The command lines ----------------------------------------------------

CHANGING: Mapping[tuple[str, str], str] = {
    ("organizations", "create"): "New",
    ("organizations", "rename"): "{organization} Renamed",
    ("organizations", "mappings-by"): "{organization} application",
    ("organizations", "delete"): "{empty}",
    ("directories", "create"): "{organization} Okta",
    ("directories", "disable"): "{directory}",
    ("directories", "enable"): "{disabled}",
    ("directories", "delete"): "{directory}",
    ("directories", "update"): "{directory} --name Other",
    ("tokens", "rotate"): "{directory}",
    ("tokens", "revoke"): "{directory} --all",
    ("tokens", "adopt"): "{directory}",
    ("mappings", "set"): "{directory} {file}",
    ("mappings", "add"): "{directory} level {path}",
    ("mappings", "remove"): "{directory} tag",
    ("keys", "create"): "Everything",
    ("keys", "revoke"): "{key}",
    ("portal-link", ""): "{organization}",
    ("portal-links", "revoke"): "{organization} {link}",
    ("service-keys", "rotate"): "--at-once",
}
READING = {("organizations", "list"), ("organizations", "show"), ("directories", "list"), ("directories", "show")}
READING |= {("tokens", "list"), ("mappings", "list"), ("keys", "list"), ("portal-links", "list")}
READING |= {("portal-links", "show"), ("service-keys", "list"), ("audit", "")}


def test_every_command_is_tried() -> None:
    assert CHANGING.keys() | READING == {(each.noun, each.verb) for each in command_line.COMMANDS}


@pytest.fixture
def commanded(service: Service, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The application that command lines take for theirs."""
    application = service.application

    async def stay_open() -> None:
        return None

    monkeypatch.setitem(application.__dict__, "close", stay_open)
    monkeypatch.setattr(application, "settings", replace(application.settings, public_base_url=ORIGIN))
    monkeypatch.setattr(command_line, "Application", lambda _settings: application)
    monkeypatch.setattr(command_line, "deployment_settings", lambda _options, **_: None)
    monkeypatch.setattr("scim.directories.actor.getpass.getuser", lambda: "operator-anna")
    return application


async def things(application: Application, folder: Path) -> dict[str, str]:
    """Return what commands may name."""
    directories = application.directories
    organization, empty = [await directories.create_organization(name) for name in ("Contoso", "Empty")]
    tag = [AttributeMapping(TAG["name"], TAG["path"])]
    made, disabled = [
        (await directories.create_directory(organization.id, name=name, provider="entra_id", mappings=tag)).directory
        for name in ("Entra", "Off")
    ]
    await directories.set_status(disabled.id, "disabled")
    (folder / "mappings.json").write_text(json.dumps([LEVEL]), encoding="utf-8")
    return {
        "organization": organization.id,
        "empty": empty.id,
        "directory": made.id,
        "disabled": disabled.id,
        "key": (await application.api_keys.create("Old", ["read"])).key.id,
        "link": (await application.portal_access.create_link(organization.id)).link.id,
        "file": str(folder / "mappings.json"),
        "path": LEVEL["path"],
    }


@pytest.mark.parametrize("command", CHANGING, ids=" ".join)
async def test_every_command_that_changes_something_says_which_operator_did(
    commanded: Application, command: tuple[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    known = await things(commanded, tmp_path)
    if command == ("tokens", "adopt"):
        name = (await commanded.directories.get_directory(known["directory"])).secret_name
        await commanded.secret_store.set(name, "s" * 40, {})
    watched = Watched(commanded)
    arguments = [part.format(**known) for part in CHANGING[command].split()]

    options = command_line._parser().parse_args([*filter(None, command), *arguments])
    await command_line._run(options)

    events = await watched.events()
    assert events
    operator = {"type": "operator", "id": "scim.admin", "label": "operator-anna", "link_id": None}
    assert all(event["actor"] == operator for event in events)
    assert "operator-anna" not in caplog.text
    assert "no surface said" not in caplog.text


async def test_the_command_audit_shows_who_changed_what_of_an_organization_and_of_the_service(
    commanded: Application, tmp_path: Path
) -> None:
    known = await things(commanded, tmp_path)
    organization, key = known["organization"], known["key"]

    async def shown(*arguments: str) -> list[Any]:
        options = command_line._parser().parse_args(["audit", *arguments])
        data: list[Any] = (await command_line._run(options)).as_json()["data"]
        return data

    everything = await shown(organization)
    assert [each["type"] for each in everything] == [
        "portal_link.created",
        "directory.disabled",
        "directory.created",
        "directory.created",
        "organization.created",
    ]
    assert {each["actor_id"] for each in everything} == {"tests"}
    assert await shown(organization, "--limit", "2") == everything[:2]
    assert [each["type"] for each in await shown(organization, "--object", known["disabled"])] == [
        "directory.disabled",
        "directory.created",
    ]
    assert [each["type"] for each in await shown("--object", key)] == ["api_key.created"]
    assert await shown("--actor", "nobody") == []
    with pytest.raises(OrganizationNotFoundError):
        await shown(f"org_{'0' * 32}")
    for limit in ("0", "-1", "many"):
        with pytest.raises(SystemExit):
            await shown("--limit", limit)


async def test_maintenance_acts_as_an_operator(
    commanded: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(maintenance, "Application", lambda _settings: commanded)
    monkeypatch.setattr(Settings, "from_environment", lambda _environment: None)
    watched = Watched(commanded)

    options = Namespace(command="seed", directory=None, users=0, groups=())
    await maintenance._run(options, Progress(io.StringIO()))

    events = await watched.events()
    assert {event["type"] for event in events} == {"organization.created", "directory.created"}
    assert {(event["actor"]["type"], event["actor"]["id"]) for event in events} == {("operator", "scim.maintenance")}
    assert "no surface said" not in caplog.text
