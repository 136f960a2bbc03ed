"""What a session may see and change follows from rows and from the service's keys, never from what its holder can make.

Walks the list of routes, so that a new one is in it: with a foreign session, with a session of another directory of the
same organization, and with everything that the cookie of either can sign.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.directories.directory import SECRET_PREFIX
from scim.directories.errors import SecretStoreUnavailableError
from scim.directories.service_key_store import FRESH_SECONDS, STALE_SECONDS
from scim.directories.service_keys import SERVICE_KEYS_SECRET
from scim.portal.proofs import EARLY, LIFE
from scim.portal.routing import PAGES
from scim.portal.visit import Page
from tests.functional.test_portal_security import key_of, path_of
from tests.portal import SAME_ORIGIN, Browser, Form, Shown, open_browser
from tests.service import Service

SESSION_PAGES = [page for page in PAGES if page.needs_session]
of_a_directory = pytest.mark.parametrize(
    "page", [each for each in SESSION_PAGES if "{directory_id}" in each.path], ids=lambda page: page.name
)
posts = pytest.mark.parametrize(
    "page", [each for each in SESSION_PAGES if each.method == "POST"], ids=lambda page: page.name
)
WRONG_IDS = (
    "a'b",
    "x/y",
    "a|b",
    "\x01",
    "0" * 31 + "\x00",
    "",
    "0" * 31,
    "0" * 33,
    "0" * 64,
    "A" * 32,
    "é" * 32,
    "٣" * 32,
    "../" + "0" * 29,
    "dir_" + "0" * 32,
    "0" * 32 + "\n",
    "x" * 5000,
    "😀" * 32,
)


@dataclass(frozen=True, slots=True)
class World:
    """Two organizations with a directory and a link each; the first has a second directory with a link to it alone."""

    service: Service
    own: Browser
    limited: Browser
    """Opens the own organization's other directory alone."""
    foreign: Browser
    ids: Mapping[str, str]
    """Of the directory that neither may reach: the foreign one for ``own``, the own one for ``limited``."""

    @property
    def secrets(self) -> Any:
        return self.service.application.secret_store

    def everything(self) -> dict[str, Any]:
        """Return every row of every table, and every version of every secret."""
        account: Any = self.service.application.account
        rows = {
            (name, partition): account.table(name).rows(partition)
            for name in (RESOURCES_TABLE, DIRECTORIES_TABLE, LOG_TABLE)
            for partition in account.table(name).partitions()
        }
        return {**{str(place): kept for place, kept in rows.items()}, "secrets": repr(self.secrets._versions)}

    def values(self) -> dict[str, Any]:
        """Return the same without the states of rows, which a condition of a refused write changes, too."""
        found = self.everything()
        return {
            place: kept if place == "secrets" else {key: row.values for key, row in kept.items()}
            for place, kept in found.items()
        }


async def furnished(browser: Browser) -> dict[str, str]:
    """Return the ids in the paths of a new directory of a browser's organization."""
    application = browser.application
    client = await browser.connect()
    user = await client.new_user("anna")
    group = await client.new_group("Admins", [user["id"]])
    (use, *_) = await application.portal_access.link_uses(browser.organization_id)
    return {
        "directory_id": client.directory.id,
        "user_id": user["id"],
        "group_id": group["id"],
        "version": client.directory.tokens[0].version,
        "link_id": use.link.id,
        "session_id": use.sessions[0].id,
        "provider": "entra_id",
    }


@pytest.fixture
async def world(service: Service) -> World:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    ids = await furnished(foreign)
    other = (await own.connect()).directory.id
    made = await service.application.portal_access.create_link(own.organization_id, directory_id=other)
    limited = Browser(service.application, service.meter, organization_id=own.organization_id)
    assert (await limited.open(made.code)).status == 303
    return World(service, own, limited, foreign, ids)


def signed_by(browser: Browser, text: str) -> str:
    """Return what the holder of a cookie can make of a text: an HMAC under the secret in it."""
    return hmac.new(key_of(browser).secret.encode(), text.encode(), sha256).hexdigest()


def attempts(browser: Browser, ids: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield fields that claim another's directory, with every proof that the cookie can sign for them."""
    number, directory = ids["directory_id"].removeprefix("dir_"), ids["directory_id"]
    for text in (number, directory, f"{directory} is a directory of this session and of entra_id", "0" * 32):
        proof = signed_by(browser, text)
        for given in (proof, f"1.{proof}", f"1764547200.1.{proof}"):
            yield {"provider": "entra_id", "new_id": number, "rotation": number, "overlap": "7", "proof": given}
    yield {"provider": "entra_id", "new_id": number[:-1] + number[-1].upper(), "proof": signed_by(browser, number)}


async def attempt(browser: Browser, page: Page, path: str, fields: Mapping[str, str]) -> Shown:
    if page.method == "GET":
        return await browser.get(f"{path}?{urlencode({**fields, 'again': '1'})}")
    form = {**fields, "form_token": key_of(browser).form_token, "confirmed": "yes", "name": "Mine"}
    return await browser.send("POST", path, form, SAME_ORIGIN)


@of_a_directory
async def test_a_foreign_session_reaches_nothing_of_a_directory_whatever_it_signs(world: World, page: Page) -> None:
    unknown = {**world.ids, "directory_id": f"dir_{'0' * 32}"}
    before = world.everything()
    for fields in attempts(world.own, world.ids):
        shown = await attempt(world.own, page, path_of(page, **world.ids), fields)
        nothing = await attempt(world.own, page, path_of(page, **unknown), fields)

        assert (shown.status, nothing.status) == (404, 404)
        assert shown.html.replace(shown.headers["request-id"], "") == nothing.html.replace(
            nothing.headers["request-id"], ""
        )

    assert world.everything() == before


@of_a_directory
async def test_a_session_of_one_directory_reaches_nothing_of_another_of_its_organization(
    world: World, page: Page
) -> None:
    ids = await furnished(world.own)
    before = world.everything()
    for fields in attempts(world.limited, ids):
        assert (await attempt(world.limited, page, path_of(page, **ids), fields)).status == 404

    assert world.everything() == before


@posts
async def test_no_form_with_what_a_foreign_cookie_signs_changes_anything(world: World, page: Page) -> None:
    before = world.everything()
    for fields in attempts(world.own, world.ids):
        if page.name == "close":
            continue  # ends the session that sends it
        shown = await attempt(world.own, page, path_of(page, **world.ids), fields)

        assert shown.status == 404, shown.text
    foreign_form = {"form_token": key_of(world.foreign).form_token, "confirmed": "yes"}
    assert (await world.own.send("POST", path_of(page, **world.ids), foreign_form, SAME_ORIGIN)).status == 403

    assert world.everything() == before


@pytest.mark.parametrize("page", SESSION_PAGES, ids=lambda page: page.name)
async def test_a_session_of_one_directory_is_shown_no_other(world: World, page: Page) -> None:
    ids = await furnished(world.own)
    (links, *_) = await world.service.application.portal_access.link_uses(world.own.organization_id)
    ids = {**ids, "link_id": links.link.id, "session_id": links.sessions[0].id}
    before = world.everything()
    for fields in attempts(world.limited, ids):
        if page.name == "close":
            continue
        shown = await attempt(world.limited, page, path_of(page, **ids), fields)

        assert shown.status == 404 or ("{" not in page.path and page.method == "GET")
        assert ids["directory_id"] not in shown.html + str(shown.headers)
        assert links.link.id not in shown.html

    assert world.everything() == before


async def test_a_session_of_one_directory_makes_no_other(world: World) -> None:
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    before = world.everything()

    shown = await world.limited.submit(Form("POST", form.action, {**form.fields, "form_token": token(world.limited)}))

    assert (shown.status, world.everything()) == (404, before)


def token(browser: Browser) -> str:
    return key_of(browser).form_token


@pytest.mark.parametrize("wrong", WRONG_IDS)
async def test_what_has_not_the_form_of_an_id_makes_nothing(world: World, wrong: str) -> None:
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    before = world.everything()
    proofs = (form.fields["proof"], signed_by(world.own, wrong), await genuine(world.own, wrong))
    for proof in proofs:
        shown = await world.own.submit(form, new_id=wrong, proof=proof)
        assert 400 <= shown.status < 500, shown.text

    assert world.everything() == before
    for path in (f"/directories/{quote(wrong or ' ', safe='')}", f"/directories/dir_{quote(wrong, safe='')}/progress"):
        assert (await world.own.get(path)).status == 404


async def genuine(browser: Browser, new_id: str) -> str:
    """Return the proof of an id that no page would give."""
    proofs = browser.application.portal.services.proofs
    return await proofs.give("portal: id of a new directory", browser.organization_id, new_id)


async def test_a_letter_in_upper_case_leads_into_nobodys_secret(world: World) -> None:
    number = world.ids["directory_id"].removeprefix("dir_")
    name = SECRET_PREFIX + number
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    before = world.secrets.versions(name)
    for changed in (number.upper(), number[:20] + number[20:].upper(), number.capitalize()):
        if changed == number:
            continue
        for proof in (signed_by(world.own, changed), await genuine(world.own, changed)):
            shown = await world.own.submit(form, new_id=changed, proof=proof)
            assert 400 <= shown.status < 500

    assert world.secrets.versions(name) == before


async def test_the_id_of_another_organizations_directory_is_not_shown_although_it_is_proved(world: World) -> None:
    number = world.ids["directory_id"].removeprefix("dir_")
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    before = world.everything()

    shown = await world.own.submit(form, new_id=number, proof=await genuine(world.own, number))

    assert (shown.status, world.everything()) == (404, before)
    assert number not in shown.html


async def test_a_form_sent_again_after_its_directory_was_deleted_makes_nothing(world: World) -> None:
    application = world.service.application
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    made = (await world.own.submit(form)).value("endpoint").rpartition("/")[2]
    directory = await application.directories.get_directory(made)
    await application.secret_store.delete(directory.secret_name)
    await application.directory_store.forget_directory(directory)
    before = world.values()
    await world.foreign.get("/providers/entra_id")

    own = await world.own.submit(form)
    foreign = await world.foreign.submit(
        Form("POST", form.action, {**form.fields, "form_token": token(world.foreign)}),
        proof=await genuine(world.foreign, made.removeprefix("dir_")),
    )

    for shown in (own, foreign):
        assert shown.status == 409
        assert "what it made was deleted" in shown.text
    assert world.values() == before


async def test_a_form_sent_again_while_its_directory_is_deleted_says_so(world: World) -> None:
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    made = (await world.own.submit(form)).value("endpoint").rpartition("/")[2]
    await world.service.application.deletion.begin(made)

    shown = await world.own.submit(form)

    assert (shown.status, "is being deleted" in shown.text) == (409, True)


async def test_a_proof_is_of_its_purpose_its_organization_and_its_id(world: World) -> None:
    directory = (await world.own.connect()).directory.id
    new = (await world.own.get("/providers/entra_id")).form("/directories")
    rotation = (await world.own.get(f"/directories/{directory}/tokens")).form("/tokens")
    theirs = (await world.foreign.get("/providers/entra_id")).form("/directories")
    other = (await world.own.get(f"/directories/{(await world.own.connect()).directory.id}/tokens")).form("/tokens")
    before = world.everything()
    fields = ("new_id", "proof")

    for changed in (
        {"new_id": rotation.fields["rotation"], "proof": rotation.fields["proof"]},
        {name: theirs.fields[name] for name in fields},
        {"proof": "0" + new.fields["proof"]},
        {"proof": new.fields["proof"][:-1] + ("1" if new.fields["proof"][-1] == "0" else "0")},
        {"proof": str(int(new.fields["proof"].partition(".")[0]) + 1) + new.fields["proof"][10:]},
        {"proof": ""},
    ):
        assert (await world.own.submit(new, **changed)).status == 404
    for changed in (
        {"rotation": new.fields["new_id"], "proof": new.fields["proof"]},
        {name: other.fields[name] for name in ("rotation", "proof")},
    ):
        assert (await world.own.submit(rotation, **changed)).status == 404

    assert world.everything() == before
    assert (await world.own.submit(new)).status == 201
    assert (await world.own.submit(rotation)).status == 201


async def test_a_proof_is_good_in_another_session_of_its_organization(world: World) -> None:
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    made = await world.service.application.portal_access.create_link(world.own.organization_id)
    await world.own.open(made.code)

    assert (await world.own.submit(form)).status == 403, "the form's token is the session's"
    assert (await world.own.submit(form, form_token=token(world.own))).status == 201


async def test_a_proof_ends_after_an_hour_and_its_page_says_to_open_it_again(world: World) -> None:
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    before = world.everything()
    later(world, LIFE + timedelta(seconds=2))
    shown = await world.own.submit(form)
    assert (shown.status, world.everything()) == (410, before)
    assert "Open its page again" in shown.text
    forged = await world.own.submit(form, new_id="0" * 32)
    assert forged.status == 404, "a wrong proof is no old one"
    again = (await world.own.get("/providers/entra_id")).form("/directories")
    later(world, -EARLY - timedelta(seconds=2))
    assert (await world.own.submit(again)).status == 410, "a proof from the future is none of ours"
    later(world, EARLY)

    assert (await world.own.submit(again)).status == 201


def later(world: World, span: timedelta) -> None:
    """Let time pass for proofs."""
    portal = world.service.application.portal
    now = portal.services.proofs.now
    proofs = replace(portal.services.proofs, now=lambda: now() + span)
    world.service.application.__dict__["portal"] = replace(portal, services=replace(portal.services, proofs=proofs))


async def test_a_process_without_keys_takes_a_form_of_another_process(world: World) -> None:
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    forget_keys(world)

    assert (await world.own.submit(form)).status == 201


def forget_keys(world: World) -> None:
    """Let the process be one that has just started."""
    for name in ("service_keys", "portal"):
        del world.service.application.__dict__[name]


async def test_an_outage_of_the_secret_store_is_a_page_that_says_so(world: World) -> None:
    directory = (await world.own.connect()).directory.id
    form = (await world.own.get("/providers/entra_id")).form("/directories")
    rotation = (await world.own.get(f"/directories/{directory}/tokens")).form("/tokens")
    forget_keys(world)
    world.secrets.failure = SecretStoreUnavailableError("connection refused at 10.0.0.4", retry_after=7)
    before = world.everything()

    for shown in (
        await world.own.get("/providers/entra_id"),
        await world.own.submit(form),
        await world.own.submit(rotation),
    ):
        assert shown.status == 503
        assert "10.0.0.4" not in shown.html
        assert "Retry-After" in shown.headers
        assert "in a minute" in shown.text
    tokens = await world.own.get(f"/directories/{directory}/tokens")
    assert tokens.status == 200, "tokens can be looked at and revoked"
    assert "No token can be made at the moment" in tokens.text
    assert not [each for each in tokens.parsed.forms if each.action.endswith("/tokens")]
    assert world.everything() == before


async def test_pages_ask_the_secret_store_for_keys_once_in_minutes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = (await world.own.connect()).directory.id
    asked = len(world.secrets.calls)
    for path in ("/providers/entra_id", f"/directories/{directory}/tokens") * 5:
        assert (await world.own.get(path)).status == 200
    assert len(world.secrets.calls) == asked

    ahead = FRESH_SECONDS + 1
    keys = world.service.application.service_keys
    monotonic = keys._monotonic
    monkeypatch.setattr(keys, "_monotonic", lambda: monotonic() + ahead)
    await asyncio.gather(*(world.own.get("/providers/entra_id") for _ in range(5)))

    assert [call for call in world.secrets.calls[asked:] if call[1] == SERVICE_KEYS_SECRET] == [
        ("list_versions", SERVICE_KEYS_SECRET)
    ]
    assert FRESH_SECONDS < STALE_SECONDS
