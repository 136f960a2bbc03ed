"""The portal in Chromium: the whole story with and without script, and every page without a fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.async_api import Browser, Page, Route

from tests.pages.chromium import DESKTOP, PHONE, Theme, looks, watched_page
from tests.pages.tour import PEOPLE, Backend, Entra, configure, follow, tour, until_shown

pytestmark = pytest.mark.slow

TICK_SECONDS = 6.0
"""A refresh is 4 s away at most; what was seen is stored within a second."""
NEW_TOKEN_SECONDS = 2.0
"""A process that has just read a directory looks for its new token again a second later."""
EXPECTED_NOISE = tuple(f"Failed to load resource: the server responded with a status of {code}" for code in (401, 404))
"""The page of the tour that does not exist, and the one without a session."""


async def new_link(backend: Backend) -> tuple[str, dict[str, Any]]:
    organization = (await backend.post("organizations", {"name": "Contoso"}))["id"]
    return organization, await backend.post(f"organizations/{organization}/portal-links", {})


async def is_ticked(page: Page, step: str) -> float:
    """Return after how many seconds a step is ticked on the open page."""
    began = time.monotonic()
    await page.locator(".ticks li.done", has_text=step).wait_for(timeout=15_000)
    return time.monotonic() - began


async def test_an_administrator_connects_entra_and_watches_it_arrive(
    browser: Browser, host: Mapping[str, Any], backend: Backend
) -> None:
    organization, link = await new_link(backend)
    context = await browser.new_context(**looks("light"))
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    watched = await watched_page(context, host["base_url"])
    page = watched.page

    await page.goto(link["url"])
    assert page.url.endswith("/portal/open")
    await follow(page.get_by_role("button", name="Open setup"))
    entra = await configure(page)
    await page.get_by_role("button", name="Copy Bearer token").click()
    assert await page.evaluate("navigator.clipboard.readText()") == entra.token
    await follow(page.get_by_role("link", name="Continue with the setup guide"))

    await entra.send("GET", "/Users", token=f"Bearer {entra.token}")
    await page.locator(".trouble", has_text="Remove the word Bearer").wait_for(timeout=15_000)
    await entra.test_connection()
    assert await is_ticked(page, "Connection tested") < TICK_SECONDS
    await page.locator(".trouble.settled", has_text="Settled").wait_for(timeout=15_000)
    await entra.provision(PEOPLE)
    assert await is_ticked(page, "First user") < TICK_SECONDS
    await page.locator(".health.healthy").wait_for(timeout=15_000)
    await entra.change()
    for step in ("Change of a user", "First group", "Members of a group"):
        assert await is_ticked(page, step) < TICK_SECONDS
    assert await page.locator("#on_demand.done").count() == 1

    await follow(page.get_by_role("link", name="Overview"))
    figures = await page.locator(".figures dd").all_inner_texts()
    assert figures == ["3", "3", "1"]
    await look_at_people(page)
    await map_cost_code(page, backend, entra)
    await see_what_happened(page)
    await rotate_during_requests(page, entra)
    await backend.delete(f"organizations/{organization}/portal-links/{link['id']}")
    await follow(page.get_by_role("link", name="Access"))
    assert await page.get_by_role("heading", name="Open the portal with your link").count() == 1
    assert watched.wrong == ["Failed to load resource: the server responded with a status of 401 (Unauthorized)"]
    await context.close()


async def look_at_people(page: Page) -> None:
    """Go from the users who have access by one of them to the group that they are in."""
    await follow(page.get_by_role("link", name="Users", exact=True))
    assert await page.get_by_role("heading", name="3 users have access").count() == 1
    assert await page.locator("tbody .row-link").all_inner_texts() == list(PEOPLE)
    await follow(page.get_by_role("link", name="Alex Wilber"))
    assert await page.get_by_role("cell", name="alex@contoso.example").count()
    await follow(page.get_by_role("link", name="Admins"))
    assert await page.locator("tbody .row-link").all_inner_texts() == list(PEOPLE)
    await follow(page.get_by_role("link", name="Groups", exact=True))
    await until_shown(page, "3", within="td[data-label=Members]")
    assert await page.locator("tbody .row-link").all_inner_texts() == ["Admins"]


async def map_cost_code(page: Page, backend: Backend, entra: Entra) -> None:
    """Map what arrives unmapped by one click, and see its value in the API and on the user's page."""
    await follow(page.get_by_role("link", name="Attribute mappings"))
    await until_shown(page, "costCode")
    await follow(page.get_by_role("button", name="Map cost_code"))
    await until_shown(page, "3 of 3 users")
    directory, user = entra.tenant_url.rpartition("/")[2], entra.users[0]
    found = await backend.get(f"directories/{directory}/users/{user}")
    assert found["custom_attributes"] == {"cost_code": "CC-101"}
    await follow(page.get_by_role("link", name="Users", exact=True))
    await follow(page.get_by_role("link", name=PEOPLE[0]))
    assert await page.get_by_role("cell", name="CC-101").count() == 1


async def see_what_happened(page: Page) -> None:
    """Look at the activity, and at the same as a file."""
    await follow(page.get_by_role("link", name="Activity"))
    assert await page.locator(".activity li", has_text="Member added").count() == 3
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download as CSV").click()
    assert (await download.value).suggested_filename == "activity.csv"


async def rotate_during_requests(page: Page, entra: Entra) -> None:
    """Rotate while requests go on with the old token, none of which fails; then go on with the new one."""
    statuses: list[int] = []
    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():
            statuses.append(await entra.send("GET", "/Users?count=1"))

    going_on = asyncio.create_task(go_on())
    await follow(page.get_by_role("link", name="Tokens", exact=True))
    await follow(page.get_by_role("button", name="Make a new token"))
    new_token = await page.get_by_label("Bearer token").input_value()
    await follow(page.get_by_role("link", name="Back to the tokens"))
    stop.set()
    await going_on
    assert set(statuses) == {200}
    entra.token = new_token
    began = time.monotonic()
    while await entra.send("GET", "/Users?count=1") != 200:
        assert time.monotonic() - began < NEW_TOKEN_SECONDS


async def test_the_same_works_without_script(browser: Browser, host: Mapping[str, Any], backend: Backend) -> None:
    organization, link = await new_link(backend)
    context = await browser.new_context(**looks("light", script=False))
    watched = await watched_page(context, host["base_url"])
    page = watched.page

    await page.goto(link["url"])
    await page.get_by_label("Link or code").fill(link["url"])
    await follow(page.get_by_role("button", name="Open setup"))
    entra = await configure(page)
    await follow(page.get_by_role("link", name="Continue with the setup guide"))
    await entra.test_connection()
    await entra.provision(PEOPLE)
    await entra.change()
    for _ in range(20):
        await page.reload()
        if await page.locator(".ticks li.done", has_text="First user").count():
            break
    assert await page.locator("#on_demand.done").count() == 1
    await look_at_people(page)
    await map_cost_code(page, backend, entra)
    await rotate_during_requests(page, entra)
    await follow(page.get_by_role("link", name="Access"))
    await follow(page.get_by_role("button", name="Revoke the link"))
    await follow(page.get_by_role("button", name="Revoke it"))
    assert await page.get_by_role("heading", name="Your session has ended").count() == 1
    listed = await backend.get(f"organizations/{organization}/portal-links")
    assert listed["data"][0]["revoked_at"]
    assert not watched.wrong
    await context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_every_page_is_accessible_fits_and_asks_nobody_else(
    browser: Browser, host: Mapping[str, Any], backend: Backend, theme: Theme, viewport: Any
) -> None:
    _, link = await new_link(backend)
    context = await browser.new_context(**looks(theme, viewport))
    watched = await watched_page(context, host["base_url"])
    found: dict[str, Any] = {}
    async for name in tour(watched.page, link["url"]):
        result = await Axe().run(watched.page)
        found |= {f"{name}: {each['id']}": each["nodes"][0]["html"] for each in result.response["violations"]}
        wide = await watched.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            found[f"{name}: wider than the screen"] = wide
    await context.close()

    assert not found
    assert [each for each in watched.wrong if not each.startswith(EXPECTED_NOISE)] == []


async def test_an_open_page_warns_before_its_session_ends(browser: Browser, backend: Backend) -> None:
    _, link = await new_link(backend)
    context = await browser.new_context(**looks("light"))
    page = await context.new_page()
    await page.clock.install()
    await page.goto(link["url"])
    await follow(page.get_by_role("button", name="Open setup"))
    await page.get_by_role("heading", name="SCIM Provisioning").wait_for()
    warning = page.locator("main").get_by_text("Your session ends")
    await page.clock.fast_forward("07:30:00")
    assert not await warning.is_visible()
    await page.clock.fast_forward("00:11:00")
    await warning.wait_for()
    assert "Your session ends" in await page.locator("#announcement").inner_text()
    await context.close()


async def test_an_open_page_says_in_place_that_its_session_has_ended_and_takes_another_link(
    browser: Browser, host: Mapping[str, Any], backend: Backend
) -> None:
    organization, link = await new_link(backend)
    context = await browser.new_context(**looks("light"))
    watched = await watched_page(context, host["base_url"])
    page = watched.page
    await page.goto(link["url"])
    await follow(page.get_by_role("button", name="Open setup"))
    await configure(page)
    await follow(page.get_by_role("link", name="Continue with the setup guide"))
    address, heading = page.url, await page.locator("main h1").inner_text()

    await backend.delete(f"organizations/{organization}/portal-links/{link['id']}")

    await page.get_by_role("heading", name="Your session has ended").wait_for(timeout=15_000)
    assert (page.url, await page.locator("main h1").inner_text()) == (address, heading)
    assert "Your session has ended" in await page.locator("#announcement").inner_text()
    result = await Axe().run(page)
    assert not result.response["violations"]
    another = await backend.post(f"organizations/{organization}/portal-links", {})
    await page.get_by_label("Link or code").fill(another["url"])
    async with context.expect_page() as opened:
        await page.get_by_role("button", name="Open setup").click()
    await (await opened.value).get_by_role("heading", name="SCIM Provisioning").wait_for()
    assert page.url == address
    assert [each for each in watched.wrong if not each.startswith(EXPECTED_NOISE)] == []
    await context.close()


async def test_an_idle_page_asks_warns_and_lets_its_reader_stay(browser: Browser, backend: Backend) -> None:
    _, link = await new_link(backend)
    context = await browser.new_context(**looks("light"))
    page = await context.new_page()
    await page.clock.install()
    await page.goto(link["url"])
    await follow(page.get_by_role("button", name="Open setup"))
    left, asked = ["290"], list[bool]()

    async def rest(route: Route) -> None:
        asked.append("x-refresh" in route.request.headers)
        if not asked[-1]:
            left[0] = "1800"
        await route.fulfill(status=200 if left[0] else 401, body=left[0])

    await page.route("**/portal/session", rest)
    warning = page.locator("main").get_by_text("In a few minutes this session is over")
    await page.clock.fast_forward("00:24:00")
    assert (await warning.is_visible(), asked) == (False, [])
    await page.clock.fast_forward("00:01:30")
    await warning.wait_for()
    await page.get_by_role("button", name="Stay").click()
    await warning.wait_for(state="hidden")
    assert asked == [True, False, True]

    left[0] = ""
    await page.clock.fast_forward("00:26:00")

    await page.get_by_role("heading", name="Your session has ended").wait_for()
    await context.close()


async def test_a_click_in_a_mail_opens_a_session_that_is_there(
    browser: Browser, host: Mapping[str, Any], backend: Backend
) -> None:
    """A page of another site, as a mail is: the strict cookie comes with the second load only."""
    _, link = await new_link(backend)
    context = await browser.new_context(**looks("light"))
    page = await context.new_page()
    await page.goto(link["url"])
    await follow(page.get_by_role("button", name="Open setup"))
    address = f"{host['base_url']}/portal/access"
    await page.goto(f'data:text/html,<a href="{address}">Look at who has access</a>')
    await follow(page.get_by_role("link"))
    await page.get_by_role("heading", name="Access").wait_for(timeout=10_000)
    assert page.url == address
    await context.close()


async def test_an_open_guide_goes_on_ticking_after_the_link_was_opened_once_more(
    browser: Browser, host: Mapping[str, Any], backend: Backend
) -> None:
    _, link = await new_link(backend)
    context = await browser.new_context(**looks("light"))
    watched = await watched_page(context, host["base_url"])
    await watched.page.goto(link["url"])
    await follow(watched.page.get_by_role("button", name="Open setup"))
    entra = await configure(watched.page)
    await follow(watched.page.get_by_role("link", name="Continue with the setup guide"))
    other = await context.new_page()
    await other.goto(link["url"])
    await follow(other.get_by_role("button", name="Open setup"))

    await entra.test_connection()
    await is_ticked(watched.page, "Connection tested")
    await context.close()


async def test_long_names_do_not_make_pages_wider_than_a_phone(
    browser: Browser, host: Mapping[str, Any], backend: Backend
) -> None:
    organization = (await backend.post("organizations", {"name": "O" * 200}))["id"]
    made = await backend.post(f"organizations/{organization}/directories", {"name": "D" * 200, "provider": "entra_id"})
    link = await backend.post(f"organizations/{organization}/portal-links", {})
    context = await browser.new_context(**looks("light", PHONE))
    page = await context.new_page()
    await page.goto(link["url"])
    await follow(page.get_by_role("button", name="Open setup"))
    one = f"/directories/{made['id']}"
    for path in ("", "/access", one, *(f"{one}/{tab}" for tab in ("guide", "attributes/new", "activity", "tokens"))):
        await page.goto(f"{host['base_url']}/portal{path}")
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
    await context.close()
