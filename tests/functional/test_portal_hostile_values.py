"""Values that would do harm in a page, a spreadsheet or a log are shown as the text that they are, on every page."""

from __future__ import annotations

import re
from html import unescape

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.portal.routing import PAGES
from tests.portal import SAME_ORIGIN, Browser, form_token_of, open_browser
from tests.service import EXTENSION_URN, ScimClient, Service

HOSTILE = (
    "x' or 1=1",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "../../etc/passwd",
    "\u202egpj.exe",
    "\u2028",
    '"><img src=x onerror=alert(1)>',
)
LEAVING = ("close",)
"""Forms that end the session."""
ELEMENTS = re.compile(r"<(script|img|iframe|object|svg)\b[^>]*>", re.IGNORECASE)


async def hostile_directory(browser: Browser, value: str) -> dict[str, str]:
    """Return the ids of a directory, a user and a group that hold the value wherever it may stand."""
    shown = await browser.configure(value if value.strip() else "Entra")
    directory_id = shown.value("endpoint").rpartition("/")[2]
    mapping = AttributeMapping("cost_code", f"{EXTENSION_URN}:costCode", description=value)
    directory = await browser.application.directories.update_directory(directory_id, mappings=[mapping])
    client = ScimClient(browser.application, directory, shown.value("token"), browser.meter)
    user = await client.new_user(
        f"u{value}".replace("\u202e", ""),
        displayName=value,
        externalId=value,
        title=value,
        emails=[{"type": "work", "value": value}],
        **{EXTENSION_URN: {"costCode": value, "other": value}},
    )
    group = await client.new_group(f"g{value}", [user["id"]], externalId=value)
    await client.patch(f"/Users/{user['id']}", {"op": "replace", "path": "nickName", "value": value})
    await client.relay()
    return {"directory_id": directory_id, "user_id": user["id"], "group_id": group["id"]}


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_hostile_value_is_shown_as_text_on_every_page(service: Service, value: str) -> None:
    browser = await open_browser(service, value if value.strip() else "Contoso")
    ids = await hostile_directory(browser, value)
    known = {**ids, "provider": "entra_id"}
    paths = {
        page.name: re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], "unknown"), page.path)
        for page in PAGES
        if page.method == "GET" and not page.is_fragment
    }
    paths["show_change_mapping"] += "?resource=User&name=cost_code"
    paths["show_remove_mapping"] += "?resource=User&name=cost_code"
    usual = {element for name in ("home", "overview") for element in await elements(browser, paths[name])}

    for name, path in paths.items():
        shown = await browser.get(path)
        assert shown.status == (404 if name == "static_file" else 200), name
        if name == "activity_csv":
            assert shown.headers["Content-Disposition"].startswith("attachment")
            assert shown.headers["X-Content-Type-Options"] == "nosniff"
            continue
        assert {match[0] for match in ELEMENTS.finditer(shown.html)} <= usual | svg_of(shown.html), name
        assert "49" not in re.findall(r">([^<]*)<", shown.html), name
    for name in ("users", "user", "group", "groups", "activity"):
        assert value in unescape((await browser.get(paths[name])).html), name
    searched = await browser.get(f"{paths['users']}?q={value}")
    assert ids["user_id"] in searched.html or not value.strip()


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_hostile_value_of_a_form_is_shown_as_text_in_its_answer(service: Service, value: str) -> None:
    browser = await open_browser(service)
    ids = await hostile_directory(browser, value)
    usual = await elements(browser, "")
    fields = dict.fromkeys(
        ("name", "path", "type", "resource", "description", "before", "code", "provider", "overlap", "required"), value
    )
    known = {"resource": "User", "before": "cost_code", "name": "cost_code", "type": "string"}
    likely = {**fields, **known, "path": f"{EXTENSION_URN}:other"}
    token = form_token_of(browser)

    for page in (page for page in PAGES if page.method == "POST" and page.name not in LEAVING):
        path = re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "unknown"), page.path)
        for sent in (fields, likely):
            shown = await browser.send("POST", path, {**sent, "form_token": token}, SAME_ORIGIN)
            assert shown.status < 500, page.name
            assert page.name != "change_mapping" or sent is fields or value in unescape(shown.html)
            assert {match[0] for match in ELEMENTS.finditer(shown.html)} <= usual | svg_of(shown.html), page.name
            assert "49" not in re.findall(r">([^<]*)<", shown.html), page.name


async def elements(browser: Browser, path: str) -> set[str]:
    return {match[0] for match in ELEMENTS.finditer((await browser.get(path)).html)}


def svg_of(html: str) -> set[str]:
    """Return our own pictures: icons of providers, and the logo."""
    return {match[0] for match in ELEMENTS.finditer(html) if 'class="icon"' in match[0]}
