"""A tour of every page of the portal, in a browser, over a directory with something in it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
from playwright.async_api import Locator, Page

DERIVED_SECONDS = 20.0
"""Member counts and coverage follow changes by a queue message and what it starts."""
PEOPLE = ("Adele Vance", "Alex Wilber", "Diego Siciliani")
SCIM = "application/scim+json"
USER_URN, GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"
CUSTOM_URN = "urn:ietf:params:scim:schemas:extension:Contoso:2.0:User"
PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass(frozen=True, slots=True)
class Backend:
    """The application's backend: calls the API of a running host."""

    api_url: str
    api_key: str

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a POST was answered."""
        return dict(await self._send("POST", path, body))

    async def get(self, path: str) -> dict[str, Any]:
        """Return what a GET was answered."""
        return dict(await self._send("GET", path))

    async def delete(self, path: str) -> None:
        """Delete something."""
        await self._send("DELETE", path)

    async def _send(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {self.api_key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.request(method, f"{self.api_url}/{path}", json=body) as answer,
        ):
            assert answer.status < 400, await answer.text()
            return await answer.json() if answer.status != 204 else {}


@dataclass(slots=True)
class Entra:
    """Sends what Entra ID sends, over HTTP, with what an administrator entered."""

    tenant_url: str
    token: str
    users: list[str] = field(default_factory=list)

    async def test_connection(self) -> None:
        """Search for a random user, as Test Connection does."""
        assert await self.send("GET", f'/Users?filter=userName eq "{uuid4()}"') == 200

    async def provision(self, names: Sequence[str]) -> None:
        """Create users with first and last names, e-mails, and a custom attribute that nothing maps yet."""
        for number, name in enumerate(names, 101):
            given, _, family = name.partition(" ")
            address = f"{given.lower()}@contoso.example"
            body = {
                "schemas": [USER_URN, CUSTOM_URN],
                "userName": address,
                "externalId": given.lower(),
                "displayName": name,
                "name": {"givenName": given, "familyName": family},
                "active": True,
                "emails": [{"type": "work", "value": address, "primary": True}],
                CUSTOM_URN: {"costCode": f"CC-{number}"},
            }
            self.users.append((await self.answer("POST", "/Users", body))["id"])

    async def change(self) -> None:
        """Change a user, make the group Admins, and add the users to it."""
        change = {"op": "Replace", "path": "title", "value": "Director"}
        await self.send("PATCH", f"/Users/{self.users[0]}", {"schemas": [PATCH_URN], "Operations": [change]})
        group = (await self.answer("POST", "/Groups", {"schemas": [GROUP_URN], "displayName": "Admins"}))["id"]
        members = [{"op": "Add", "path": "members", "value": [{"value": user} for user in self.users]}]
        await self.send("PATCH", f"/Groups/{group}", {"schemas": [PATCH_URN], "Operations": members})

    async def send(self, method: str, path: str, body: Any = None, *, token: str = "") -> int:
        """Return the status that a request was answered with."""
        status, _ = await self._send(method, path, body, token or self.token)
        return status

    async def answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """Return what a request was answered."""
        status, answer = await self._send(method, path, body, self.token)
        assert status < 400, answer
        return dict(answer)

    async def _send(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token}", "content-type": SCIM}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.request(method, self.tenant_url + path, json=body) as answer,
        ):
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None


async def follow(control: Locator) -> None:
    """Click on a link or button, and wait for the page that it leads to."""
    async with control.page.expect_navigation():
        await control.click()


async def configure(page: Page, provider: str = "Microsoft Entra ID") -> Entra:
    """Connect a provider, beginning on the first page, and return one that uses what was shown."""
    await follow(page.get_by_role("link", name=f"Configure {provider}"))
    await follow(page.get_by_role("button", name="Configure"))
    endpoint, token = page.get_by_label("Endpoint URL"), page.get_by_label("Bearer token")
    return Entra(await endpoint.input_value(), await token.input_value())


async def tour(page: Page, portal_url: str) -> AsyncIterator[str]:
    """Yield the name of each page while the browser is on it."""
    root = portal_url.partition("/open#")[0]
    await page.goto(portal_url)
    yield "open"
    await follow(page.get_by_role("button", name="Open setup"))
    yield "providers"
    await follow(page.get_by_role("link", name="Configure Microsoft Entra ID"))
    yield "configure"
    await page.goto(root)
    entra = await configure(page)
    yield "connected"
    await entra.send("GET", "/Users", token=f"Bearer {entra.token}")
    await follow(page.get_by_role("link", name="Continue with the setup guide"))
    await page.locator(".trouble", has_text="Remove the word Bearer").wait_for(timeout=15_000)
    yield "guide-waiting"
    async for name in _nothing_yet(page):
        yield name
    await entra.test_connection()
    await entra.provision(PEOPLE)
    await entra.change()
    await page.locator(".trouble.settled").wait_for(timeout=15_000)
    await page.locator(".ticks li.done", has_text="Members of a group").wait_for(timeout=15_000)
    yield "guide"
    await page.goto(f"{page.url}?flow=older&source=extension_0123-4567_costCode")
    yield "guide-older"
    await follow(page.get_by_role("link", name="Overview"))
    yield "overview"
    await page.goto(root)
    yield "connections"
    await follow(page.locator(".rows .row-link"))
    async for name in _attributes(page):
        yield name
    async for name in _people(page):
        yield name
    await follow(page.get_by_role("link", name="Activity"))
    yield "activity"
    async for name in _tokens(page):
        yield name
    async for name in _ends(page, root):
        yield name


async def _tokens(page: Page) -> AsyncIterator[str]:
    """Yield the pages of tokens while the browser is on them."""
    await follow(page.get_by_role("link", name="Tokens", exact=True))
    yield "tokens"
    await follow(page.get_by_role("button", name="Revoke"))
    yield "revoke-token"
    await follow(page.get_by_role("link", name="Keep it"))
    await follow(page.get_by_role("button", name="Make a new token"))
    yield "new-token"


async def _ends(page: Page, root: str) -> AsyncIterator[str]:
    """Yield the pages about links and sessions, and those of who has none."""
    await follow(page.get_by_role("link", name="Access"))
    yield "access"
    await follow(page.get_by_role("button", name="Revoke the link").first)
    yield "revoke-link"
    await page.goto(f"{root}/nowhere")
    yield "problem"
    await page.goto(f"{root}/access")
    await follow(page.get_by_role("button", name="End session"))
    yield "ended"
    await page.goto(f"{root}/access?again=1")
    yield "no-session"


async def _nothing_yet(page: Page) -> AsyncIterator[str]:
    """Yield the pages of a directory that nothing has arrived in."""
    for link in ("Users", "Groups", "Attribute mappings"):
        await follow(page.get_by_role("link", name=link, exact=True))
        yield f"{link.split()[0].lower()}-empty"
    await follow(page.get_by_role("link", name="Setup guide", exact=True))


async def _attributes(page: Page) -> AsyncIterator[str]:
    """Yield the pages of attribute mappings while the browser is on them."""
    await follow(page.get_by_role("link", name="Attribute mappings"))
    await until_shown(page, "costCode")
    yield "attributes-unmapped"
    await follow(page.get_by_role("button", name="Map cost_code"))
    await until_shown(page, "3 of 3 users")
    yield "attributes"
    await follow(page.get_by_role("link", name="Edit cost_code"))
    await page.get_by_label("Name in").fill("cost_centre")
    yield "mapping"
    await follow(page.get_by_role("button", name="Go on"))
    yield "change-mapping"
    await follow(page.get_by_role("link", name="Cancel"))
    await follow(page.get_by_role("link", name="Remove cost_code"))
    yield "remove-mapping"
    await follow(page.get_by_role("link", name="Cancel"))


async def until_shown(page: Page, text: str, within: str = "main") -> None:
    """Load a page again until a part of it has a text that some seconds of background work bring."""
    began = time.monotonic()
    while not await page.locator(within, has_text=text).count():
        assert time.monotonic() - began < DERIVED_SECONDS, await page.locator("main").inner_text()
        await page.reload()


async def _people(page: Page) -> AsyncIterator[str]:
    """Yield the pages of users and groups while the browser is on them."""
    await follow(page.get_by_role("link", name="Users", exact=True))
    yield "users"
    await page.get_by_role("textbox").fill("nobody@contoso.example")
    await follow(page.get_by_role("button", name="Search"))
    yield "users-not-found"
    await follow(page.get_by_role("link", name="Show all"))
    await follow(page.locator("table .row-link").first)
    yield "user"
    await follow(page.get_by_role("link", name="Groups", exact=True))
    yield "groups"
    await follow(page.locator("table .row-link").first)
    yield "group"
