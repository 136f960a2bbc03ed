"""An administrator's browser without script, as tests play it: follows links, fills in forms, keeps its cookie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from scim.composition import Application
from scim.directories.portal_access import SessionKey
from scim.web import WebRequest
from tests.service import ORIGIN, Meter, ScimClient, Service

SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


@dataclass(slots=True)
class Form:
    """A form of a page: where it leads, and what its fields hold."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    """Collects the forms, and what is shown as text or in a field."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.values: dict[str, str] = {}
        self.links: list[str] = []
        self.texts: list[str] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("method", "get").upper(), given.get("action", "")))
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "input":
            self.values[given.get("id", "")] = given.get("value", "")
        is_sent = given.get("type") != "checkbox" or "checked" in given
        if tag == "input" and self.forms and "name" in given and is_sent:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        if tag == "select":
            self._select = given["name"]
        if tag == "option" and "selected" in given:
            self.forms[-1].fields[self._select] = given["value"]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(" ".join(data.split()))


@dataclass(frozen=True, slots=True)
class Shown:
    """What the portal answered."""

    status: int
    html: str
    headers: Mapping[str, str]
    storage_requests: int

    @property
    def parsed(self) -> _Forms:
        parser = _Forms()
        parser.feed(self.html)
        return parser

    @property
    def text(self) -> str:
        return " ".join(self.parsed.texts)

    def value(self, field_id: str) -> str:
        """Return what a field holds."""
        return self.parsed.values[field_id]

    def form(self, ending: str) -> Form:
        """Return the one form whose address ends so."""
        (found,) = [form for form in self.parsed.forms if urlsplit(form.action).path.endswith(ending)]
        return found


@dataclass(slots=True)
class Browser:
    """A browser that has opened nothing yet."""

    application: Application = field(repr=False)
    meter: Meter
    cookie: str = ""
    organization_id: str = ""

    async def get(self, path: str, **headers: str) -> Shown:
        """Load an address below ``/portal``."""
        return await self.send("GET", path, headers=headers)

    async def submit(self, form: Form, **fields: str) -> Shown:
        """Send a form of a page, with fields filled in."""
        path = form.action.removeprefix("/portal")
        if form.method == "GET":
            return await self.get(f"{path.partition('#')[0]}?{urlencode({**form.fields, **fields})}")
        return await self.send("POST", path, {**form.fields, **fields}, SAME_ORIGIN)

    async def follow(self, shown: Shown) -> Shown:
        """Load what a form leads to."""
        assert shown.status == 303, shown.text
        return await self.get(shown.headers["Location"].removeprefix("/portal"))

    async def send(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Shown:
        """Send a request with the cookie, and keep the one that the answer sets."""
        sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        if self.cookie:
            sent["cookie"] = f"other=1; __Secure-scim={self.cookie}"
        if form is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
        path, _, query = path.partition("?")
        body = urlencode(form or {}).encode()
        web = WebRequest(method, f"/portal{path}", dict(parse_qsl(query)), sent, body, ORIGIN)
        before = self.meter()
        response = await self.application.portal.answer(web)
        spent = self.meter() - before
        self._keep(response.headers.get("Set-Cookie", ""))
        text = response.body.decode() if response.content_type.startswith("text/") else ""
        return Shown(response.status, text, response.headers, spent)

    def _keep(self, cookie: str) -> None:
        value, _, attributes = cookie.partition(";")
        if value:
            self.cookie = "" if "Max-Age=0" in attributes else value.removeprefix("__Secure-scim=")

    async def open(self, code: str) -> Shown:
        """Open the portal with a code, as the button of the link's page does."""
        shown = await self.get("/open")
        return await self.submit(shown.form("/open"), code=code)

    async def configure(self, name: str = "Entra", provider: str = "entra_id") -> Shown:
        """Make a directory, and return the page that shows its endpoint and token."""
        shown = await self.get(f"/providers/{provider}")
        return await self.submit(shown.form("/directories"), name=name)

    async def connect(self) -> ScimClient:
        """Make a directory, and return the identity provider that uses what Configure showed."""
        return await self.client_of(await self.configure())

    async def client_of(self, shown: Shown) -> ScimClient:
        """Return what an identity provider does with the endpoint and the token of a page."""
        directory_id = shown.value("endpoint").rpartition("/")[2]
        directory = await self.application.directories.get_directory(directory_id)
        return ScimClient(self.application, directory, shown.value("token"), self.meter)


def form_token_of(browser: Browser) -> str:
    """Return what every form of the browser's session carries."""
    key = SessionKey.read(browser.cookie)
    assert key is not None
    return key.form_token


async def open_browser(service: Service, name: str = "Contoso", **link: Any) -> Browser:
    """Return a browser with an open session of a new organization."""
    application = service.application
    organization = await application.directories.create_organization(name)
    made = await application.portal_access.create_link(organization.id, **link)
    browser = Browser(application, service.meter, organization_id=organization.id)
    assert (await browser.open(made.code)).status == 303
    return browser


@pytest.fixture
async def browser(service: Service) -> Browser:
    """A browser with an open session of a new organization."""
    return await open_browser(service)
