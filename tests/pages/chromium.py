"""Chromium as the tests of pages use it: where it is, and what it must not have seen when a page is left."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

Theme = Literal["light", "dark"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


def chromium_path() -> str | None:
    """Return where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium, and stop it."""
    async with async_playwright() as playwright:
        # Without the sandbox it runs as root and in containers; it loads our own pages only.
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(slots=True)
class Watched:
    """A page, and what is wrong with what it did: errors on the console, violations of the policy, other hosts."""

    page: Page
    host: str
    wrong: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self._check(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.wrong.append(text)

    def _check(self, url: str) -> None:
        if urlsplit(url).netloc != self.host:
            self.wrong.append(f"request to {url}")


async def watched_page(context: BrowserContext, base_url: str) -> Watched:
    """Return a new page that is watched."""
    watched = Watched(await context.new_page(), urlsplit(base_url).netloc)
    watched.listen()
    return watched


def looks(theme: Theme, viewport: Any = None, *, script: bool = True) -> dict[str, Any]:
    """Return how a context looks at pages."""
    return {"color_scheme": theme, "viewport": viewport or DESKTOP, "java_script_enabled": script, "locale": "en-GB"}
