"""``python -m tests.pages.screenshots`` writes a picture of each page to docs/images: desktop, phone, dark."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from playwright.async_api import FloatRect, Page

from scim.local_host.place import PROJECT
from scim.local_host.started_host import started_host
from tests.pages.chromium import DESKTOP, PHONE, Theme, chromium, chromium_path, looks
from tests.pages.tour import Backend, tour

IMAGES = PROJECT / "docs" / "images"
LOOKS: dict[str, tuple[Theme, dict[str, int]]] = {
    "desktop": ("light", DESKTOP),
    "phone": ("light", PHONE),
    "dark": ("dark", DESKTOP),
}


HIGHEST = 1100
"""How many pixels of a long page are in its picture."""


async def take(folder: Path) -> int:
    """Write the pictures, and return how many there are."""
    os.environ |= {"SCIM_PORTAL_NAME": "Hero", "SCIM_PORTAL_SUPPORT": "support@hero.example"}
    taken = 0
    with started_host("--ephemeral", "--port", "0") as (_, ready):
        backend = Backend(ready["api_url"], ready["api_key"])
        async with chromium() as browser:
            for look, (theme, viewport) in LOOKS.items():
                organization = (await backend.post("organizations", {"name": "Contoso"}))["id"]
                link = await backend.post(f"organizations/{organization}/portal-links", {})
                context = await browser.new_context(**looks(theme, viewport))
                page = await context.new_page()
                async for name in tour(page, link["url"]):
                    await _picture(page, folder / f"portal-{name}-{look}.png")
                    taken += 1
                await context.close()
    return taken


async def _picture(page: Page, path: Path) -> None:
    """Write a picture of a page, of a long one its beginning."""
    high = await page.evaluate("document.documentElement.scrollHeight")
    width = page.viewport_size["width"] if page.viewport_size else 0
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(high, HIGHEST)}
    await page.evaluate("document.activeElement.blur()")
    await page.screenshot(path=path, full_page=True, clip=clip)


if __name__ == "__main__":
    if chromium_path() is None:
        sys.exit("Chromium is not installed (Debian: apt install chromium)")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    target.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{asyncio.run(take(target))} pictures in {target}\n")
