"""How often a link opens the portal, whom it is for, and what a lost answer, a race or a scanner does to it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.table import Row
from scim.composed_stores import DIRECTORIES_TABLE
from scim.directories.errors import LinkUsedUpError
from scim.directories.portal_access import SessionKey
from scim.directories.portal_link import DEFAULT_LINK_LIFE, LONGEST_LABEL, MOST_MAX_USES, NewPortalLink
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable, lose_answer_of
from tests.portal import SAME_ORIGIN, Browser
from tests.service import Service

both_storages = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"


def visitor(api: ApiClient) -> Browser:
    return Browser(api.application, api.meter)


def rows_of(api: ApiClient) -> MemoryTable:
    table: Any = api.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    return table


async def new_link(api: ApiClient, **values: Any) -> NewPortalLink:
    return await api.application.portal_access.create_link(await api.new_organization(), **values)


async def uses_of(api: ApiClient, link: NewPortalLink) -> tuple[int, int]:
    """Return how often a link was used, and how many sessions are open."""
    shown = await api.get(f"organizations/{link.link.organization_id}/portal-links/{link.link.id}")
    assert shown.status == 200
    return shown.json["uses"], shown.json["open_sessions"]


# -- Uses ----------------------------------------------------------------


@both_storages
async def test_a_link_opens_the_portal_once_unless_it_says_otherwise(api: ApiClient) -> None:
    once, thrice = await new_link(api), await new_link(api, max_uses=3)

    assert [(await visitor(api).open(once.code)).status for _ in range(3)] == [303, 403, 403]
    assert [(await visitor(api).open(thrice.code)).status for _ in range(5)] == [303, 303, 303, 403, 403]

    assert await uses_of(api, once) == (1, 1)
    assert await uses_of(api, thrice) == (3, 3)


async def test_a_used_link_says_so_and_whom_to_ask(api: ApiClient) -> None:
    link = await new_link(api)
    await visitor(api).open(link.code)

    shown = await visitor(api).open(link.code)

    assert "This link was used already" in shown.text
    assert "ask whoever sent it for a new one" in shown.text
    assert "Set-Cookie" not in shown.headers
    assert "Contoso" not in shown.text


async def test_a_used_link_that_has_ended_is_told_like_any_that_opens_nothing(api: ApiClient) -> None:
    link = await new_link(api)
    await visitor(api).open(link.code)
    await api.application.portal_access.revoke_link(link.link.organization_id, link.link.id)

    shown = await visitor(api).open(link.code)

    assert (shown.status, "was used already" in shown.text) == (403, False)


@both_storages
async def test_of_browsers_that_race_on_a_link_for_one_use_one_gets_a_session(api: ApiClient) -> None:
    link = await new_link(api)

    answers = await asyncio.gather(*(visitor(api).open(link.code) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [303] + [403] * 7
    assert await uses_of(api, link) == (1, 1)


async def test_an_ended_session_does_not_give_its_use_back(api: ApiClient) -> None:
    link = await new_link(api)
    browser = visitor(api)
    await browser.open(link.code)
    await browser.submit((await browser.get("")).form("/close"))

    assert (await browser.open(link.code)).status == 403
    assert await uses_of(api, link) == (1, 0)


# -- Lost answers --------------------------------------------------------


async def test_a_form_sent_again_after_a_lost_answer_leads_into_the_same_session(api: ApiClient) -> None:
    link = await new_link(api)
    browser = visitor(api)
    form = (await browser.get("/open")).form("/open")
    await browser.submit(form, code=link.code)
    lost, browser.cookie = browser.cookie, ""

    again = await browser.submit(form, code=link.code)

    assert (again.status, browser.cookie) == (303, lost)
    assert (await browser.get("")).status == 200
    assert await uses_of(api, link) == (1, 1)


async def test_a_form_sent_twice_at_once_is_one_use(api: ApiClient) -> None:
    link = await new_link(api)
    form = (await visitor(api).get("/open")).form("/open")
    browsers = [visitor(api) for _ in range(4)]

    answers = await asyncio.gather(*(browser.submit(form, code=link.code) for browser in browsers))

    assert [answer.status for answer in answers] == [303] * 4
    assert len({browser.cookie for browser in browsers}) == 1
    assert await uses_of(api, link) == (1, 1)


async def test_an_attempt_that_storage_did_not_answer_can_be_made_again(api: ApiClient) -> None:
    link = await new_link(api)
    browser = visitor(api)
    form = (await browser.get("/open")).form("/open")
    rows_of(api).after = lose_answer_of("commit")
    assert (await browser.submit(form, code=link.code)).status == 503
    rows_of(api).after = None

    assert (await browser.submit(form, code=link.code)).status == 303
    assert (await browser.get("")).status == 200
    assert await uses_of(api, link) == (1, 1)


async def test_a_form_sent_again_after_its_session_ended_is_another_use(api: ApiClient) -> None:
    link = await new_link(api, max_uses=2)
    browser = visitor(api)
    form = (await browser.get("/open")).form("/open")
    await browser.submit(form, code=link.code)
    first, now = browser.cookie, datetime.now(UTC)
    api.application.portal_access._now = lambda: now + timedelta(hours=9)

    assert (await browser.submit(form, code=link.code)).status == 303
    assert browser.cookie != first
    assert (await browser.get("")).status == 200
    assert await uses_of(api, link) == (2, 1)


async def test_a_form_sent_again_after_its_session_was_ended_does_not_bring_its_cookie_back(api: ApiClient) -> None:
    link = await new_link(api, max_uses=2)
    browser = visitor(api)
    form = (await browser.get("/open")).form("/open")
    await browser.submit(form, code=link.code)
    stolen = replace(browser)
    await browser.submit((await browser.get("")).form("/close"))

    assert (await browser.submit(form, code=link.code)).status == 303

    assert (await browser.get("")).status == 200
    assert (await stolen.get("")).status == 401


@pytest.mark.parametrize("attempt", ["", "a", "a" * 42, "a" * 44, "ä" * 43, "a" * 42 + "\n"])
async def test_an_attempt_of_another_form_counts_as_none(api: ApiClient, attempt: str) -> None:
    link = await new_link(api, max_uses=2)
    cookies = set()
    for _ in range(2):
        browser = visitor(api)
        assert (await browser.send("POST", "/open", {"code": link.code, "attempt": attempt}, SAME_ORIGIN)).status == 303
        cookies.add(browser.cookie)

    assert len(cookies) == 2


async def test_each_look_at_the_form_is_another_attempt(api: ApiClient) -> None:
    forms = [(await visitor(api).get("/open")).form("/open").fields["attempt"] for _ in range(2)]

    assert forms[0] != forms[1]


async def test_a_browser_in_a_session_of_a_used_link_stays_in_it_when_the_link_is_opened_again(api: ApiClient) -> None:
    link, other = await new_link(api), await new_link(api)
    browser = visitor(api)
    await browser.open(link.code)
    await visitor(api).open(other.code)
    cookie = browser.cookie

    again = await browser.open(link.code)

    assert (again.status, again.headers["Location"], browser.cookie) == (303, "/portal", cookie)
    assert (await browser.open(other.code)).status == 403
    assert await uses_of(api, link) == (1, 1)


# -- Scanners of mails ---------------------------------------------------


async def test_what_scanners_of_mails_do_uses_no_link_up(api: ApiClient) -> None:
    link = await new_link(api)
    scanner = visitor(api)
    for path in ("/open", f"/open?{link.code}", f"/open?code={link.code}", f"/open?again=1&code={link.code}"):
        for headers in ({}, {"user-agent": "Mozilla/5.0 Chrome/120.0 Safari/537.36"}, {"sec-fetch-mode": "navigate"}):
            shown = await scanner.get(path, **headers)
            assert (shown.status, shown.storage_requests, "Set-Cookie" in shown.headers) == (200, 0, False)
    for method in ("HEAD", "OPTIONS", "PUT"):
        await scanner.send(method, f"/open?code={link.code}")
    form = {"code": link.code}
    for headers in ({}, {"origin": "https://scanner.example"}, {"sec-fetch-site": "cross-site"}):
        assert (await scanner.send("POST", "/open", form, headers)).status == 403

    assert await uses_of(api, link) == (0, 0)
    assert (await visitor(api).open(link.code)).status == 303


# -- Rows of before ------------------------------------------------------


async def test_a_link_stored_before_there_was_a_limit_opens_the_portal_until_its_end(api: ApiClient) -> None:
    link = await new_link(api)
    partition, key = link.link.organization_id, f"p|{link.link.id}"
    row = rows_of(api).rows(partition)[key]
    old = {name: value for name, value in row.values.items() if name not in ("max_uses", "uses", "label")}
    rows_of(api)._partitions[partition][key] = replace(row, values=old)
    shown = await api.get(f"organizations/{partition}/portal-links/{link.link.id}")
    assert (shown.json["max_uses"], shown.json["uses"], shown.json["label"]) == (None, 0, None)

    browsers = [visitor(api) for _ in range(4)]
    assert [(await browser.open(link.code)).status for browser in browsers] == [303] * 4
    listed = await api.get(f"organizations/{partition}/portal-links")
    assert (listed.json["data"][0]["max_uses"], listed.json["data"][0]["uses"]) == (None, 4)
    assert (await browsers[0].get("/access")).status == 200


def without(row: Row, *names: str) -> Row:
    return replace(row, values={name: value for name, value in row.values.items() if name not in names})


async def test_a_session_stored_before_labels_and_browsers_is_shown(api: ApiClient) -> None:
    link = await new_link(api, label="for anna")
    browser = visitor(api)
    await browser.open(link.code)
    partition = rows_of(api)._partitions[link.link.organization_id]
    for key in [each for each in partition if each.count("|") == 2]:
        partition[key] = without(partition[key], "label", "browser")

    shown = await browser.get("/access")

    assert shown.status == 200
    assert "for anna" in shown.text


# -- Values --------------------------------------------------------------


@pytest.mark.parametrize("max_uses", [0, -1, MOST_MAX_USES + 1, 1.5, "2", True, None])
async def test_a_number_of_uses_out_of_bounds_is_refused(api: ApiClient, max_uses: Any) -> None:
    organization = await api.new_organization()

    answer = await api.post(f"organizations/{organization}/portal-links", {"max_uses": max_uses})

    assert (answer.status, [each["field"] for each in answer.json["errors"]]) == (422, ["max_uses"])


@pytest.mark.parametrize(
    "label", ["", "   ", "a" * (LONGEST_LABEL + 1), "a\nb", "a\x01", "a\x7f", "a\u202eb", "a\u2066b", "a\u2028b", 1]
)
async def test_a_label_that_cannot_be_shown_is_refused(api: ApiClient, label: Any) -> None:
    organization = await api.new_organization()

    answer = await api.post(f"organizations/{organization}/portal-links", {"label": label})

    assert (answer.status, [each["field"] for each in answer.json["errors"]]) == (422, ["label"])
    assert (await api.get(f"organizations/{organization}/portal-links")).json["data"] == []


async def test_a_link_says_whom_it_is_for_how_often_it_opens_and_who_made_it(api: ApiClient) -> None:
    organization = await api.new_organization()
    links = f"organizations/{organization}/portal-links"
    made = await api.post(links, {"label": "for anna@contoso.com", "max_uses": 2})
    await visitor(api).open(made.json["url"])

    listed, shown = await api.get(links), await api.get(f"{links}/{made.json['id']}")

    (key,) = (await api.get("keys")).json["data"]
    expected = {"label": "for anna@contoso.com", "max_uses": 2, "created_by": key["id"]}
    assert (listed.json["data"], shown.storage_requests) == ([shown.json], 2)
    assert {name: shown.json[name] for name in expected} == expected
    assert {name: made.json[name] for name in expected} == expected
    assert (made.json["uses"], shown.json["uses"], made.json["id"]) == (0, 1, shown.json["id"])
    assert (await api.get(f"{links}/lnk_{'0' * 16}")).status == 404


async def test_a_label_is_shown_as_text_and_in_no_line_of_the_log(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    organization = await api.new_organization()
    made = await api.post(f"organizations/{organization}/portal-links", {"label": HOSTILE})
    browser = visitor(api)
    await browser.open(made.json["url"])

    shown = await browser.get("/access")

    assert HOSTILE in shown.text
    assert "<script>alert" not in shown.html
    assert "alert(1)" not in caplog.text


# -- The life of a link and of the key that makes it ---------------------


async def test_a_link_does_not_outlive_the_key_that_makes_it(api: ApiClient) -> None:
    organization, now = await api.new_organization(), datetime.now(UTC)
    links, end = f"organizations/{organization}/portal-links", now + timedelta(days=1)
    brief = await api.with_key(expires_at=end)
    lasting = await api.with_key(expires_at=now + timedelta(days=300))

    refused = await brief.post(links, {"expires_at": (end + timedelta(seconds=1)).isoformat()})
    shortened, whole = await brief.post(links, {}), await lasting.post(links, {})

    assert refused.status == 403
    assert "give an expires_at that is not after" in refused.json["detail"]
    assert datetime.fromisoformat(shortened.json["expires_at"]) == end
    made = datetime.fromisoformat(whole.json["created_at"])
    assert datetime.fromisoformat(whole.json["expires_at"]) == made + DEFAULT_LINK_LIFE


async def test_a_session_of_a_link_to_one_directory_makes_no_wider_one(service: Service) -> None:
    access = service.application.portal_access
    organization = await service.application.directories.create_organization("Contoso")
    created = await service.application.directories.create_directory(organization.id, name="A", provider="entra_id")
    link = await access.create_link(organization.id, directory_id=created.directory.id, max_uses=2)
    for _ in range(2):
        session = await access.recognise(await access.redeem(link.code))
        assert session is not None
        assert session.directory_id == created.directory.id
    with pytest.raises(LinkUsedUpError):
        await access.redeem(link.code)


def test_the_secret_of_an_attempt_is_that_of_a_session() -> None:
    from scim.directories.portal_access import new_attempt, new_session, random_bytes_of
    from scim.directories.portal_link import new_code, new_link

    organization, now = "org_" + "1" * 32, datetime.now(UTC)
    code, attempt = new_code(organization), new_attempt()
    link = new_link(organization, code, now)
    made = random_bytes_of(attempt, code, now)
    assert made is not None

    key, session = new_session(link, "Contoso", now, made)

    assert SessionKey.read(key.cookie) == key == session.key_of(made)
    assert key.opens(session)
    for other in (random_bytes_of(attempt, new_code(organization), now), random_bytes_of(new_attempt(), code, now)):
        assert other is not None
        assert not session.key_of(other).opens(session)
