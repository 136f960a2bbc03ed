"""A session ends 30 minutes after its last use: what counts as one, what is stored of it, and how its end is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.portal_access import TablePortalAccessStore
from scim.composed_stores import DIRECTORIES_TABLE
from scim.directories.portal_access import IDLE_LIMIT, SessionKey
from scim.directories.portal_access_service import PortalAccessService
from scim.directories.session_uses import GRANULARITY
from scim.portal.routing import PAGES
from scim.portal.visit import Page
from tests.fakes.memory_table import MemoryTable
from tests.portal import SAME_ORIGIN, Browser, open_browser
from tests.service import Service

START = datetime.now(UTC)
FRAGMENTS = [page for page in PAGES if page.is_fragment]
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def browser(service: Service) -> Browser:
    """A browser whose session began when the clock of these tests did."""
    service.application.portal_access._now = lambda: START
    return await open_browser(service)


def rows_of(browser: Browser) -> MemoryTable:
    table: Any = browser.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    return table


def at(browser: Browser, minutes: float) -> None:
    """Let it be so many minutes after the beginning."""
    browser.application.portal_access._now = lambda: START + timedelta(minutes=minutes)


def elsewhere(browser: Browser, minutes: float) -> PortalAccessService:
    """Return what another process knows sessions by, at a time."""
    application = browser.application
    store = TablePortalAccessStore(application.account.table(DIRECTORIES_TABLE))
    return PortalAccessService(store, application.directory_store, now=lambda: START + timedelta(minutes=minutes))


def key_of(browser: Browser) -> SessionKey:
    key = SessionKey.read(browser.cookie)
    assert key is not None
    return key


async def stored(browser: Browser) -> None:
    """Wait until what was noted of the sessions' uses is stored."""
    await browser.application.portal_access.close()


async def path_of(browser: Browser, page: Page) -> str:
    directory = (await browser.configure()).value("endpoint").rpartition("/")[2]
    return page.path.format(directory_id=directory)


# -- The limit -----------------------------------------------------------


async def test_a_session_ends_30_minutes_after_its_last_use(browser: Browser) -> None:
    for minutes in (0, 29, 58, 87):
        at(browser, minutes)
        assert (await browser.get("")).status == 200
        await stored(browser)
    at(browser, 87 + 30)

    shown = await browser.get("")

    assert shown.status == 401
    assert "Enter a link or code" in shown.text
    assert [form.action for form in shown.parsed.forms] == ["/portal/open"]


async def test_a_form_is_a_use_and_one_sent_too_late_changes_nothing(browser: Browser) -> None:
    directory = (await browser.configure()).value("endpoint").rpartition("/")[2]
    form = (await browser.get(f"/directories/{directory}/tokens")).form("/tokens")
    at(browser, 29)
    assert (await browser.submit(form)).status < 400
    at(browser, 58)
    assert (await browser.get("")).status == 200
    at(browser, 89)

    late = await browser.submit(form)

    assert late.status == 401
    assert "Nothing was changed" in late.text


@pytest.mark.parametrize("page", FRAGMENTS, ids=lambda page: page.name)
async def test_fragments_that_refresh_themselves_neither_count_nor_prolong(browser: Browser, page: Page) -> None:
    path = await path_of(browser, page)
    at(browser, 0)
    await browser.get("")
    for minutes in range(1, 30):
        at(browser, minutes)
        assert (await browser.get(path)).status == 200
    await stored(browser)
    at(browser, 30)

    shown = await browser.get(path)

    assert shown.status == 401
    assert (await browser.get("")).status == 401


async def test_what_the_script_asks_for_by_itself_does_not_count(browser: Browser) -> None:
    at(browser, 0)
    await browser.get("")
    for minutes in range(1, 30):
        at(browser, minutes)
        assert (await browser.get("", x_refresh="1")).status == 200
        assert (await browser.get("/session", x_refresh="1")).status == 200
    at(browser, 30)

    assert (await browser.get("/session", x_refresh="1")).status == 401


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_pictures_and_frames_in_another_sites_page_keep_no_session_open(browser: Browser, site: str) -> None:
    at(browser, 0)
    await browser.get("")
    at(browser, 29)
    for kind in ("image", "iframe", "empty"):
        assert (await browser.get("/session", sec_fetch_site=site, sec_fetch_dest=kind)).status == 200
    await stored(browser)
    at(browser, 30)

    assert (await browser.get("/session")).status == 401


async def test_a_click_in_another_sites_page_is_a_use(browser: Browser) -> None:
    at(browser, 0)
    await browser.get("")
    at(browser, 29)
    await browser.get("", sec_fetch_site="same-site", sec_fetch_dest="document")
    at(browser, 58)

    assert (await browser.get("")).status == 200


async def test_the_script_is_told_how_long_the_session_is_and_may_stay(browser: Browser) -> None:
    at(browser, 0)
    await browser.get("")
    at(browser, 26)

    asked = await browser.application.portal_access.recognise(key_of(browser), is_use=False)
    assert asked is not None
    assert asked.ends_at == START + IDLE_LIMIT

    await browser.get("/session")

    stays = await browser.application.portal_access.recognise(key_of(browser), is_use=False)
    assert stays is not None
    assert stays.ends_at == START + timedelta(minutes=26) + IDLE_LIMIT


async def test_the_rest_of_a_session_is_told_in_seconds_for_one_request(service: Service) -> None:
    browser = await open_browser(service)

    shown = await browser.get("/session", x_refresh="1")

    assert (shown.status, shown.storage_requests) == (200, 1)
    assert IDLE_LIMIT.total_seconds() - 60 < float(shown.html) <= IDLE_LIMIT.total_seconds()


@pytest.mark.parametrize("page", [*FRAGMENTS, None], ids=lambda page: page.name if page else "session")
async def test_a_refresh_without_a_cookie_is_told_that_the_session_ended(browser: Browser, page: Page | None) -> None:
    """A browser forgets the cookie after 8 hours; a page that loads itself again would take the fragment's place."""
    path = await path_of(browser, page) if page else "/session"
    browser.cookie = ""

    assert (await browser.get(path, x_refresh="1")).status == 401


async def test_every_page_can_say_in_place_that_the_session_has_ended(browser: Browser) -> None:
    directory = (await browser.configure()).value("endpoint").rpartition("/")[2]
    for path in ("", "/access", "/providers/entra_id", f"/directories/{directory}", f"/directories/{directory}/guide"):
        shown = await browser.get(path)

        assert "data-ended hidden" in shown.html
        (form,) = [each for each in shown.parsed.forms if each.action == "/portal/open"]
        assert form.fields == {"attempt": "", "code": ""}
        assert f'data-idle-in="{25 * 60}" data-session="/portal/session" hidden' in shown.html


# -- What is stored ------------------------------------------------------


def writes_of(browser: Browser) -> int:
    return rows_of(browser).count("commit")


async def test_a_use_is_stored_at_most_once_a_minute_and_behind_the_visit(browser: Browser) -> None:
    before = writes_of(browser)
    for second in range(0, 600, 5):
        at(browser, second / 60)
        assert (await browser.get("/access")).storage_requests == 2
        await stored(browser)

    assert 9 <= writes_of(browser) - before <= 10


async def test_visits_at_once_are_stored_once(browser: Browser) -> None:
    before = writes_of(browser)
    at(browser, 5)

    await asyncio.gather(*(browser.get("/access") for _ in range(8)))

    await stored(browser)
    assert writes_of(browser) - before == 1


async def test_processes_share_what_is_stored_and_no_session_ends_too_early_by_more_than_a_minute(
    browser: Browser,
) -> None:
    key, last = key_of(browser), 0.0
    for minutes in (0.5, 10, 10.9, 25, 39.9, 50, 50.8):
        at(browser, minutes)
        assert (await browser.get("")).status == 200
        await stored(browser)
        last = minutes
    limit = last + IDLE_LIMIT / MINUTE
    early = limit - GRANULARITY / MINUTE

    assert await elsewhere(browser, early - 0.01).recognise(key, is_use=False) is not None
    assert await elsewhere(browser, limit).recognise(key, is_use=False) is None
    at(browser, limit - 0.01)
    assert (await browser.get("")).status == 200


async def test_a_session_used_in_turns_by_two_processes_stays_open(browser: Browser) -> None:
    key = key_of(browser)
    for minutes in range(0, 120, 20):
        other = elsewhere(browser, minutes + 10)
        at(browser, minutes)
        assert (await browser.get("")).status == 200
        await stored(browser)
        assert await other.recognise(key) is not None
        await other.close()


async def test_a_use_that_could_not_be_stored_is_stored_with_the_next(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    store: Any = browser.application.portal_access._uses._store
    note, key = store.note_session_use, key_of(browser)

    async def fails(*_: Any) -> None:
        raise OSError

    store.note_session_use = fails
    at(browser, 20)
    assert (await browser.get("")).status == 200
    await stored(browser)
    assert "was not stored" in caplog.text
    store.note_session_use = note
    await browser.get("")
    await stored(browser)

    assert await elsewhere(browser, 49).recognise(key, is_use=False) is not None


async def test_a_use_brings_no_ended_session_back(browser: Browser) -> None:
    access, key = browser.application.portal_access, key_of(browser)
    session = await access.recognise(key)
    assert session is not None
    await access.end_session(session.organization_id, session.link_id, session.id)

    await access._store.note_session_use(session, START)

    assert await access.recognise(key) is None
    assert [use.sessions for use in await access.link_uses(browser.organization_id)] == [()]


async def test_a_session_ended_by_its_idle_limit_is_listed_no_more(browser: Browser) -> None:
    at(browser, 29)
    (use,) = await browser.application.portal_access.link_uses(browser.organization_id)
    assert len(use.sessions) == 1
    at(browser, 31)

    (use,) = await browser.application.portal_access.link_uses(browser.organization_id)

    assert use.sessions == ()


async def test_a_session_stored_before_there_was_a_limit_is_taken_and_has_it_from_its_next_use(
    browser: Browser,
) -> None:
    rows = rows_of(browser)._partitions[browser.organization_id]
    (key,) = [each for each in rows if each.startswith("p|") and each.count("|") == 2]
    values = {name: value for name, value in rows[key].values.items() if name != "last_used"}
    rows[key] = replace(rows[key], values=values)
    at(browser, 120)
    assert (await browser.get("/session", x_refresh="1")).status == 200
    assert (await browser.get("/access")).status == 200
    await stored(browser)
    at(browser, 151)

    assert (await browser.get("/access")).status == 401


# -- Access --------------------------------------------------------------

EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36 Edg/131.0"


async def test_access_shows_browser_label_and_last_use_of_each_session(service: Service) -> None:
    own = await open_browser(service, label="for anna@contoso.com", max_uses=3)
    other = Browser(service.application, service.meter)
    made = await service.application.portal_access.create_link(own.organization_id, label="for bea@contoso.com")
    headers = {**SAME_ORIGIN, "user-agent": EDGE}
    assert (await other.send("POST", "/open", {"code": made.code}, headers)).status == 303

    shown = await own.get("/access")

    assert "Edge on Windows, for bea@contoso.com" in shown.text
    assert "for anna@contoso.com" in shown.text
    assert "last used" in shown.text
    assert "used 1 of 3 times" in shown.text
    assert "Edg/131" not in shown.html + repr(rows_of(own).rows(own.organization_id))
