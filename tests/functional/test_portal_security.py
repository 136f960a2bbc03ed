"""What the portal refuses, on every page: other organizations' ids, other sites' forms, guesses, and text as markup."""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from urllib.parse import quote

import pytest

from scim.directories.errors import DirectoryStoreUnavailableError
from scim.directories.portal_access import SessionKey
from scim.portal.routing import PAGES
from scim.portal.visit import Page
from scim.web import WebRequest
from tests.portal import SAME_ORIGIN, Browser, open_browser
from tests.service import ORIGIN, Service

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>",
    "x' or 1=1",
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://x}",
    "{{7*7}}{% raise %}",
    "../../etc/passwd",
    "\u202egpj.exe",
    "\u2028",
    "</title><svg onload=alert(3)>",
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
pages_with_session = pytest.mark.parametrize(
    "page", [each for each in PAGES if each.needs_session], ids=lambda page: page.name
)


def path_of(page: Page, **known: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], "unknown"), page.path)


def key_of(browser: Browser) -> SessionKey:
    key = SessionKey.read(browser.cookie)
    assert key is not None
    return key


async def send(browser: Browser, page: Page, path: str, **headers: str) -> Any:
    form = {"form_token": key_of(browser).form_token} if page.method == "POST" else None
    return await browser.send(page.method, path, form, {**SAME_ORIGIN, **headers})


@every_page
async def test_every_answer_forbids_what_the_pages_do_not_need(browser: Browser, page: Page) -> None:
    for path in (path_of(page), "/nowhere"):
        shown = await browser.send(page.method, path, {} if page.method == "POST" else None)

        assert {name: shown.headers[name] for name in HEADERS} == HEADERS
        policy = shown.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


@pages_with_session
async def test_a_page_needs_a_session_and_tells_no_more_without(browser: Browser, page: Page) -> None:
    other = Browser(browser.application, browser.meter)
    for cookie in (
        "",
        "guessed",
        browser.cookie[:-1],
        browser.cookie[:-1] + ("y" if browser.cookie[-1] == "x" else "x"),
    ):
        other.cookie = cookie
        form = {"form_token": "0" * 64} if page.method == "POST" else None
        shown = await other.send(page.method, f"{path_of(page)}?again=1", form, SAME_ORIGIN)

        assert shown.status == 401
        assert "Contoso" not in shown.text
        assert shown.storage_requests == (1 if SessionKey.read(cookie) else 0)


@pytest.mark.parametrize("page", [each for each in PAGES if "{directory_id}" in each.path], ids=lambda page: page.name)
async def test_what_belongs_to_another_organization_does_not_exist(service: Service, page: Page) -> None:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    theirs = (await foreign.configure()).value("endpoint").rpartition("/")[2]

    unknown = await send(own, page, path_of(page, directory_id=f"dir_{'0' * 32}"))
    shown = await send(own, page, path_of(page, directory_id=theirs))

    assert (shown.status, unknown.status) == (404, 404)
    assert shown.html.replace(shown.headers["request-id"], "") == unknown.html.replace(
        unknown.headers["request-id"], ""
    )
    assert shown.storage_requests == unknown.storage_requests


async def test_links_and_sessions_of_another_organization_are_not_ended(service: Service) -> None:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    (use,) = await service.application.portal_access.link_uses(foreign.organization_id)
    paths = (
        f"/access/links/{use.link.id}/revoke",
        f"/access/links/{use.link.id}/sessions/{use.sessions[0].id}/end",
    )
    for path in paths:
        form = {"form_token": key_of(own).form_token}
        assert (await own.send("POST", path, form, SAME_ORIGIN)).status == 404

    assert (await foreign.get("")).status == 200


@pytest.mark.parametrize("page", [each for each in PAGES if each.method == "POST"], ids=lambda page: page.name)
async def test_a_form_of_another_site_or_session_changes_nothing(service: Service, page: Page) -> None:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    directory = (await own.configure()).value("endpoint").rpartition("/")[2]
    path = path_of(page, directory_id=directory)
    right = {"form_token": key_of(own).form_token}
    origins: list[dict[str, str]] = [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": ORIGIN},
    ]
    for headers in origins:
        shown = await own.send("POST", path, right, headers)
        assert (shown.status, shown.storage_requests) == (403, 0)
    if page.needs_session:
        for token in ("", "0" * 64, key_of(foreign).form_token, "ü"):
            assert (await own.send("POST", path, {"form_token": token}, SAME_ORIGIN)).status == 403
    assert (await own.send("POST", path, right, {"origin": ORIGIN})).status != 403 or page.name in (
        "redeem",
        "configure",
        "rotate",
    )
    assert (await foreign.get("")).status == 200


async def test_the_id_of_a_new_directory_and_of_a_rotation_must_come_from_the_form(service: Service) -> None:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    theirs = (await foreign.configure()).value("endpoint").rpartition("/")[2]
    form = (await own.get("/providers/entra_id")).form("/directories")

    for new_id in (theirs.removeprefix("dir_"), "0" * 32, "", "../x"):
        assert (await own.submit(form, new_id=new_id)).status == 404
    directory = (await own.submit(form)).value("endpoint").rpartition("/")[2]
    rotation = (await own.get(f"/directories/{directory}/tokens")).form("/tokens")
    for change in ({"rotation": "0" * 32}, {"proof": "0"}):
        assert (await own.submit(rotation, **change)).status == 404
    assert (await own.submit(rotation, overlap="365")).status == 403


@pytest.mark.parametrize("others", ['a={"b": [1]}; ', "__Secure-scim2=foreign; ", '"=;;', "x=" + "y" * 5000 + "; "])
async def test_cookies_of_others_do_not_hide_the_session(browser: Browser, others: str) -> None:
    cookie = f"{others}; __Secure-scim={browser.cookie}; z"
    web = WebRequest("GET", "/portal", {}, {"cookie": cookie}, b"", ORIGIN)

    assert (await browser.application.portal.answer(web)).status == 200


OF_THE_NAME = (
    "__Secure-scim={0}; __Secure-scim={1}",
    "__Secure-scim={1}; a=b; __Secure-scim={0}",
    "__Secure-scim={0}, __Secure-scim={1}",
    "__Secure-scim={0},__Secure-scim={1}",
    "__Secure-scim={0};__Secure-scim={0}",
    "__Secure-scim={0}; __Secure-scim=foreign",
    "__Secure-scim={0}; __Secure-scim=",
    "__Secure-scim={0}; __Secure-scim",
    "__Secure-scim={0}; __secure-SCIM={1}",
    "__Secure-scim={0}; __Secure-scim ={1}",
    '__Secure-scim={0}; "__Secure-scim"={1}',
    '__Secure-scim={0}; __Secure-scim="{1}"',
    "__Secure-scim={0};\t__Secure%2Dscim={1}",
)
"""Cookie headers with two cookies that somebody may take for the session's."""


@pytest.mark.parametrize("header", OF_THE_NAME)
async def test_of_two_cookies_of_the_name_of_the_session_none_is_taken(service: Service, header: str) -> None:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    for first, second in ((own, foreign), (foreign, own)):
        cookie = header.format(first.cookie, second.cookie)
        for path, query in (("/portal", {}), ("/portal", {"again": "1"}), ("/portal/access", {})):
            answer = await own.application.portal.answer(
                WebRequest("GET", path, query, {"cookie": cookie}, b"", ORIGIN)
            )

            assert answer.status == 401
            assert b"This browser sends two sessions" in answer.body
            assert b"Contoso" not in answer.body
            assert b"Fabrikam" not in answer.body


async def test_a_form_with_two_cookies_of_the_name_of_the_session_changes_nothing(service: Service) -> None:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    form = (await own.get("")).form("/close")
    cookie = own.cookie

    own.cookie = f"{cookie}; __Secure-scim={foreign.cookie}"
    assert (await own.submit(form)).status == 401
    own.cookie = cookie

    assert (await own.get("")).status == 200


@pytest.mark.parametrize("spelling", ["__secure-scim={0}", '"__Secure-scim"={0}', '__Secure-scim="{0}"'])
async def test_one_cookie_in_another_spelling_is_no_session(browser: Browser, spelling: str) -> None:
    headers = {"cookie": spelling.format(browser.cookie)}
    web = WebRequest("GET", "/portal", {"again": "1"}, headers, b"", ORIGIN)

    assert (await browser.application.portal.answer(web)).status == 401


async def test_a_link_can_be_opened_in_a_browser_that_sends_two_sessions(browser: Browser) -> None:
    made = await browser.application.portal_access.create_link(browser.organization_id)
    browser.cookie = f"{browser.cookie}; __Secure-scim=foreign"

    assert (await browser.get("/open")).status == 200
    assert (await browser.open(made.code)).status == 303


async def test_a_visit_from_a_mail_is_repeated_once_by_the_browser_itself(browser: Browser) -> None:
    cookie, browser.cookie = browser.cookie, ""
    first = await browser.get("/access")
    assert (first.status, first.storage_requests) == (200, 0)
    assert '<meta http-equiv="refresh" content="0; url=/portal/access?again=1">' in first.html

    browser.cookie = cookie

    assert (await browser.get("/access?again=1")).status == 200


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_text_of_others_is_shown_as_text_on_every_page(service: Service, hostile: str) -> None:
    browser = await open_browser(service, f"A{hostile}Z")
    shown = await browser.configure(f"B{hostile}Z")
    directory = shown.value("endpoint").rpartition("/")[2]
    paths = [path_of(page, directory_id=directory, provider="entra_id") for page in PAGES if page.method == "GET"]
    texts = {}
    for path in [*paths, f"/directories/{directory}/guide?source={quote(hostile)}", f"/{hostile}", f"?x={hostile}"]:
        answer = await browser.get(path)
        assert answer.status < 500
        assert not re.search(r"<script>|<img src=x|<svg onload", answer.html)
        texts[path] = answer.text
    home = texts[""]
    assert " ".join(f"A{hostile}Z".split()) in home
    assert " ".join(f"B{hostile}Z".split()) in home


@pytest.mark.parametrize("page", [each for each in PAGES if each.needs_session], ids=lambda page: page.name)
async def test_an_outage_is_a_page_that_says_so_and_not_a_lost_session(browser: Browser, page: Page) -> None:
    async def fails(*_: Any) -> None:
        raise DirectoryStoreUnavailableError("connection refused at 10.0.0.4", retry_after=7)

    browser.application.portal_access._store.session = fails  # type: ignore[method-assign, assignment]

    shown = await send(browser, page, path_of(page))

    assert (shown.status, shown.headers["Retry-After"]) == (503, "7")
    assert "10.0.0.4" not in shown.html
    assert "again in a minute" in shown.text


async def test_a_failure_of_ours_is_a_page_and_a_line_of_the_log(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("secret detail")

    browser.application.directories._store.directory_page = fails  # type: ignore[method-assign, assignment]
    shown = await browser.get("")

    assert shown.status == 500
    assert "secret detail" not in shown.html
    assert shown.headers["request-id"] in shown.text
    assert "a page failed" in caplog.text


async def test_a_form_that_cannot_be_read_is_refused(browser: Browser) -> None:
    for content_type, body in (
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"a" * 65_537),
        (
            "application/x-www-form-urlencoded",
            b"a&" * 1001,
        ),
    ):
        headers = {**SAME_ORIGIN, "content-type": content_type}
        web = WebRequest("POST", "/portal/open", {}, headers, body, ORIGIN)
        assert (await browser.application.portal.answer(web)).status == 400


async def test_an_address_takes_its_method_only_and_the_log_names_the_page(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "scim.requests"):
        refused = await browser.send("DELETE", "/access")
        await browser.get("/access")
    lines = [json.loads(record.message) for record in caplog.records if record.name == "scim.requests"]

    assert (refused.status, refused.headers["Allow"]) == (405, "GET")
    assert [line["operation"] for line in lines] == ["unknown", "access"]
    assert (lines[1]["event"], lines[1]["organization_id"]) == ("portal_request", browser.organization_id)


async def test_a_form_sent_too_late_says_that_nothing_was_changed_and_how_to_go_on(service: Service) -> None:
    own = await open_browser(service)
    directory = (await own.configure()).value("endpoint").rpartition("/")[2]
    form = (await own.get(f"/directories/{directory}/tokens")).form("/tokens")
    old = own.cookie
    made = await service.application.portal_access.create_link(own.organization_id)
    await own.open(made.code)

    of_other_session = await own.submit(form)
    assert of_other_session.status == 403
    assert "made before the portal was opened once more" in of_other_session.text
    assert "Enter a link or code" not in of_other_session.text

    own.cookie = old[:-1] + ("y" if old[-1] == "x" else "x")
    without_session = await own.submit(form)
    assert without_session.status == 401
    assert "Nothing was changed: send the form again then." in without_session.text
    assert "Enter a link or code" in without_session.text
    assert "Nothing was changed" not in (await own.get("/access?again=1")).text


async def test_the_page_of_a_problem_leads_back_into_its_directory(service: Service) -> None:
    own, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    directory = (await own.configure("Staff")).value("endpoint").rpartition("/")[2]
    path = f"/directories/{directory}/users/unknown"

    shown = await own.get(path)

    assert (shown.status, "Back to Staff" in shown.text) == (404, True)
    assert f"/portal/directories/{directory}" in shown.parsed.links
    assert "Staff" not in (await foreign.get(path)).text
