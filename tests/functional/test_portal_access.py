"""Links that open the portal, the sessions made with them, and the end of both."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.composed_stores import DIRECTORIES_TABLE
from scim.directories.portal_access import MAX_SESSIONS, SESSION_LIFE
from scim.directories.portal_link import KEPT_AFTER_END
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable
from tests.portal import SAME_ORIGIN, Browser, open_browser
from tests.service import Service

both_storages = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def new_link(api: ApiClient, **body: Any) -> tuple[str, dict[str, Any]]:
    organization = await api.new_organization()
    answer = await api.post(f"organizations/{organization}/portal-links", body)
    assert answer.status == 201, answer.json
    made: dict[str, Any] = answer.json
    return organization, made


def visitor(api: ApiClient) -> Browser:
    return Browser(api.application, api.meter)


@both_storages
async def test_a_link_is_made_listed_used_and_revoked_and_takes_its_sessions_with_it(api: ApiClient) -> None:
    organization = await api.new_organization()
    links = f"organizations/{organization}/portal-links"
    made = await api.post(links, {"max_uses": 2})
    assert (made.status, made.storage_requests) == (201, 3)
    base, _, code = made.json["url"].partition("#")
    assert base == "https://scim.example.com/portal/open"
    expiry = datetime.fromisoformat(made.json["expires_at"]) - datetime.fromisoformat(made.json["created_at"])
    assert expiry == timedelta(days=7)

    first, second = visitor(api), visitor(api)
    opened = await first.open(code)
    assert (opened.status, opened.storage_requests, opened.headers["Location"]) == (303, 4, "/portal")
    await second.open(made.json["url"])
    assert first.cookie != second.cookie
    assert (await first.get("")).status == (await second.get("")).status == 200
    listed = await api.get(links)
    assert (listed.storage_requests, listed.json["data"][0]["open_sessions"]) == (2, 2)
    assert code not in str(listed.json)

    revoked = await api.delete(f"{links}/{made.json['id']}")

    assert (revoked.status, revoked.storage_requests) == (204, 4)
    assert (await first.get("")).status == (await second.get("")).status == 401
    assert (await visitor(api).open(code)).status == 403
    assert (await api.get(links)).json["data"][0]["open_sessions"] == 0
    assert (await api.delete(f"{links}/lnk_{'0' * 16}")).status == 404


async def test_looking_at_a_link_changes_nothing_and_costs_nothing(browser: Browser) -> None:
    shown = await browser.get("/open")

    assert (shown.status, shown.storage_requests) == (200, 0)
    assert "Set-Cookie" not in shown.headers


@pytest.mark.parametrize("alter", [lambda code: code[:-1], lambda code: code[:-1] + "!", lambda _: "", str.upper])
async def test_a_code_that_was_cut_off_or_altered_costs_no_storage_request(api: ApiClient, alter: Any) -> None:
    _, made = await new_link(api)

    shown = await visitor(api).open(alter(made["url"].partition("#")[2]))

    assert (shown.status, shown.storage_requests) == (403, 0)


async def test_a_made_up_an_expired_and_a_revoked_link_look_alike_and_tell_nothing(service: Service) -> None:
    from scim.directories.portal_link import new_code

    access, now = service.application.portal_access, datetime.now(UTC)
    organization = await service.application.directories.create_organization("Secret Customer")
    revoked = await access.create_link(organization.id)
    await access.revoke_link(organization.id, revoked.link.id)
    expired = await access.create_link(organization.id, expires_at=now + timedelta(minutes=1))
    access._now = lambda: now + timedelta(minutes=2)

    texts = set()
    for code in (revoked.code, expired.code, new_code(organization.id), new_code(f"org_{'0' * 32}")):
        shown = await Browser(service.application, service.meter).open(code)
        texts.add(shown.html.replace(shown.headers["request-id"], ""))
        assert (shown.status, shown.headers.get("Set-Cookie")) == (403, None)

    assert len(texts) == 1
    assert "Secret Customer" not in texts.pop()


async def test_a_link_lives_30_days_at_most_and_leads_back_to_permitted_hosts_only(api: ApiClient) -> None:
    organization = await api.new_organization()
    links, now = f"organizations/{organization}/portal-links", datetime.now(UTC)
    other = await api.new_directory(await api.new_organization())
    api.application.portal_access._return_hosts = ("app.example.com",)

    refused: list[tuple[dict[str, Any], str]] = [
        ({"expires_at": (now + timedelta(days=31)).isoformat()}, "expires_at"),
        ({"expires_at": (now - timedelta(days=1)).isoformat()}, "expires_at"),
        ({"directory_id": other["id"]}, "directory_id"),
        ({"return_url": "https://app.example.com.evil.net/"}, "return_url"),
        ({"return_url": "http://app.example.com/"}, "return_url"),
        ({"return_url": "https://app.example.com@evil.net/"}, "return_url"),
        ({"return_url": "javascript:alert(1)//app.example.com"}, "return_url"),
    ]
    for body, field in refused:
        answer = await api.post(links, body)
        assert (answer.status, [each["field"] for each in answer.json["errors"]]) == (422, [field])
    made = await api.post(links, {"return_url": "https://app.example.com/settings?tab=sync"})
    browser = visitor(api)
    await browser.open(made.json["url"])

    assert "https://app.example.com/settings?tab=sync" in (await browser.get("")).parsed.links


async def test_a_session_ends_after_eight_hours_and_with_the_expiry_of_its_link(service: Service) -> None:
    now = datetime.now(UTC)
    short = await open_browser(service, expires_at=now + timedelta(hours=1))
    long = await open_browser(service)
    access = service.application.portal_access
    clock = [now]
    access._now = lambda: clock[0]
    for minutes in range(0, 8 * 60, 20):
        clock[0] = now + timedelta(minutes=minutes)
        expected = (200 if minutes < 60 else 401, 200)
        assert ((await short.get("")).status, (await long.get("")).status) == expected, minutes
    clock[0] = now + SESSION_LIFE + timedelta(minutes=1)
    assert (await long.get("")).status == 401


async def test_every_page_warns_when_its_session_is_about_to_end(service: Service) -> None:
    now = datetime.now(UTC)
    ending = await open_browser(service, expires_at=now + timedelta(minutes=19))
    fresh = await open_browser(service)
    for path in ("", "/access", "/providers/entra_id", "/nowhere/at/all"):
        shown, later = (await ending.get(path)).html, (await fresh.get(path)).html
        has_session = "nowhere" not in path
        assert ('data-warn-in="0">Your session ends' in shown) == has_session
        assert bool(re.search(r'data-warn-in="27[56]\d\d" hidden>Your session ends', later)) == has_session


async def test_sessions_are_listed_and_ended_under_access(browser: Browser, service: Service) -> None:
    (use,) = await service.application.portal_access.link_uses(browser.organization_id)
    made = await service.application.portal_access.create_link(browser.organization_id)
    other = Browser(service.application, service.meter)
    await other.open(made.code)
    shown = await browser.get("/access")
    assert (shown.status, shown.storage_requests) == (200, 2)
    assert "This session" in shown.text
    (theirs,) = [form for form in shown.parsed.forms if made.link.id in form.action and form.action.endswith("/end")]

    assert (await browser.submit(theirs)).status == 303
    assert (await other.get("")).status == 401
    asked = await browser.submit(shown.form(f"{use.link.id}/revoke"))
    assert (asked.status, (await browser.get("")).status) == (200, 200)
    left = await browser.submit(asked.form("/revoke"))

    assert left.headers["Location"] == "/portal/open?ended=1"
    assert browser.cookie == ""
    assert (await browser.get("?again=1")).status == 401


async def test_ending_a_session_ends_it_on_the_server(browser: Browser) -> None:
    cookie, shown = browser.cookie, await browser.get("")

    ended = await browser.submit(shown.form("/close"))
    assert (ended.status, browser.cookie) == (303, "")
    browser.cookie = cookie

    assert (await browser.get("")).status == 401


async def test_a_link_for_one_directory_opens_that_one_alone(service: Service) -> None:
    administrator = await open_browser(service)
    first, second = [
        (await administrator.configure(name)).value("endpoint").rpartition("/")[2] for name in ("First", "Second")
    ]
    access = service.application.portal_access
    made = await access.create_link(administrator.organization_id, directory_id=first)
    limited = Browser(service.application, service.meter)
    await limited.open(made.code)

    assert (await limited.get("")).headers["Location"] == f"/portal/directories/{first}"
    assert (await limited.get(f"/directories/{first}")).status == 200
    assert (await limited.get(f"/directories/{second}")).status == 404
    assert (await limited.get("/providers/entra_id")).status == 404
    listed = await limited.get("/access")
    assert [form.action for form in listed.parsed.forms if "/access/" in form.action] == [
        form.action for form in listed.parsed.forms if made.link.id in form.action
    ]
    (own,) = [use for use in await access.link_uses(administrator.organization_id) if use.link.id != made.link.id]
    form = {"form_token": limited_token(limited)}
    assert (await limited.send("POST", f"/access/links/{own.link.id}/revoke", form, SAME_ORIGIN)).status == 404


async def test_no_link_is_made_for_a_directory_that_is_being_deleted(api: ApiClient) -> None:
    organization = await api.new_organization()
    directory = await api.new_directory(organization)
    await api.delete(f"directories/{directory['id']}")

    refused = await api.post(f"organizations/{organization}/portal-links", {"directory_id": directory["id"]})

    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "directory_id")


def limited_token(browser: Browser) -> str:
    from scim.directories.portal_access import SessionKey

    key = SessionKey.read(browser.cookie)
    assert key is not None
    return key.form_token


async def test_of_many_sessions_of_a_link_the_oldest_end_and_revoking_is_one_transaction(service: Service) -> None:
    organization = await service.application.directories.create_organization("Contoso")
    access = service.application.portal_access
    made = await access.create_link(organization.id, max_uses=MAX_SESSIONS + 3)
    keys = [await access.redeem(made.code) for _ in range(MAX_SESSIONS + 3)]
    (use,) = await access.link_uses(organization.id)
    assert len(use.sessions) == MAX_SESSIONS
    assert await access.recognise(keys[2]) is None
    assert await access.recognise(keys[3]) is not None

    before = service.meter()
    await access.revoke_link(organization.id, made.link.id)

    assert service.meter() - before == 3
    assert all([await access.recognise(key) is None for key in keys])


async def test_a_session_made_while_its_link_is_revoked_does_not_outlive_it(service: Service) -> None:
    organization = await service.application.directories.create_organization("Contoso")
    access = service.application.portal_access
    made = await access.create_link(organization.id)
    store: Any = access._store
    commit = store._committed

    async def revoked_before(*arguments: Any) -> bool:
        store._committed = commit
        await access.revoke_link(organization.id, made.link.id)
        return bool(await commit(*arguments))

    store._committed = revoked_before

    assert await access.redeem(made.code) is None
    assert [use.sessions for use in await access.link_uses(organization.id)] == [()]


async def test_links_are_forgotten_30_days_after_their_end(service: Service, browser: Browser) -> None:
    access, now = service.application.portal_access, datetime.now(UTC)
    rows: Any = service.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(rows, MemoryTable)
    await access.forget_ended(browser.organization_id)
    assert len([key for key in rows.rows(browser.organization_id) if key.startswith("p|")]) == 2

    access._now = lambda: now + timedelta(days=7) + KEPT_AFTER_END
    await access.forget_ended(browser.organization_id)

    assert not [key for key in rows.rows(browser.organization_id) if key.startswith("p|")]


async def test_neither_code_nor_cookie_is_in_a_row_or_a_line_of_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    organization = await service.application.directories.create_organization("Contoso")
    made = await service.application.portal_access.create_link(organization.id)
    visitor = Browser(service.application, service.meter)
    with caplog.at_level(logging.INFO):
        await visitor.open(made.code)
        shown = await visitor.configure()
    table: Any = service.application.account.table(DIRECTORIES_TABLE)
    rows = repr([table.rows(partition) for partition in table.partitions()])
    secret, token = visitor.cookie.rpartition(".")[2], shown.value("token")

    for text in (made.code, secret, token, made.code[-20:]):
        assert text not in rows + caplog.text + repr(made) + repr(visitor.application.portal_access)
    assert '"operation":"redeem"' in caplog.text
    assert organization.id in caplog.text
