"""Nothing that a caller writes ends in a 5xx, on any surface: half pairs, bytes that are no text, odd hosts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from scim.management.operation import Operation
from scim.management.registry import OPERATIONS
from scim.portal.routing import PAGES
from scim.portal.visit import Page
from scim.triggers.http_conversion import http_response, web_request
from scim.web import WebRequest, WebResponse, encoded
from tests.api import ApiClient
from tests.portal import SAME_ORIGIN, Browser
from tests.service import BULK_URN, ORIGIN, SEARCH_URN, ScimClient, user

HALF = "\ud800"
PLACES: Mapping[str, Mapping[str, Any]] = {
    "path": {"path": HALF},
    "query value": {"query": {"filter": f"userName eq {HALF}"}},
    "query name": {"query": {HALF: "1"}},
    "sortBy": {"query": {"sortBy": f"name.{HALF}"}},
    "attributes": {"query": {"attributes": f"urn:{HALF}:x"}},
    "header": {"headers": {"x-anything": HALF}},
    "authorization": {"headers": {"authorization": f"Bearer {HALF}"}},
    "if-match": {"headers": {"if-match": HALF}},
    "idempotency-key": {"headers": {"idempotency-key": HALF}},
    "content-type": {"headers": {"content-type": HALF}},
    "cookie": {"headers": {"cookie": f"a={HALF}"}},
    "method": {"method": f"GET{HALF}"},
    "host": {"origin": f"https://{HALF}"},
}
everywhere = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


def with_half(web: WebRequest, place: Mapping[str, Any]) -> WebRequest:
    """Return a request with half of a surrogate pair in one place."""
    changed = dict(place)
    if "path" in changed:
        changed["path"] = f"{web.path}{changed['path']}"
    if "headers" in changed:
        changed["headers"] = {**web.headers, **changed["headers"]}
    return replace(web, **changed)


def sentence(response: WebResponse) -> str:
    """Return what the answer says, which must be valid UTF-8."""
    text = response.body.decode()
    return str(json.loads(text)["detail"]) if response.content_type.endswith("json") else text


@everywhere
async def test_half_of_a_surrogate_pair_is_refused_by_scim(scim: ScimClient, place: Mapping[str, Any]) -> None:
    headers = {"authorization": f"Bearer {scim.token}", "content-type": "application/json"}
    for method, path in (("GET", "/Users"), ("POST", "/Users"), ("GET", "/ServiceProviderConfig"), ("GET", "/nothing")):
        body = json.dumps(user("anna")).encode()
        web = WebRequest(method, f"/scim/v2/{scim.directory.id}{path}", {}, headers, body, ORIGIN)

        response = await scim.application.provisioning.answer(with_half(web, place))

        assert response.status == 400
        assert "is not valid UTF-8" in sentence(response)
    assert (await scim.get("/Users")).json["totalResults"] == 0


@everywhere
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_half_of_a_surrogate_pair_is_refused_by_the_api(
    api: ApiClient, operation: Operation, place: Mapping[str, Any]
) -> None:
    headers = {"authorization": f"Bearer {api.key}", "content-type": "application/json"}
    web = WebRequest(operation.method, f"/api/v1/{operation.path}", {}, headers, b"{}", ORIGIN)

    response = await api.application.management.answer(with_half(web, place))

    assert response.status == 400
    assert "is not valid UTF-8" in sentence(response)


@everywhere
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_half_of_a_surrogate_pair_is_refused_by_the_portal(
    browser: Browser, page: Page, place: Mapping[str, Any]
) -> None:
    web = WebRequest(page.method, f"/portal{page.path}", {}, SAME_ORIGIN, b"", ORIGIN)

    response = await browser.application.portal.answer(with_half(web, place))

    assert response.status == 400
    assert "is not valid UTF-8" in sentence(response)


@pytest.mark.parametrize("field", [b"name=%ED%A0%80", b"name=%FF", b"name=a%00b", b"%ED%A0%80=a", b"name=\xff"])
async def test_a_field_of_a_form_that_is_no_text_is_refused(browser: Browser, field: bytes) -> None:
    for page in PAGES:
        if page.method == "POST":
            headers = {**SAME_ORIGIN, "content-type": "application/x-www-form-urlencoded"}
            web = WebRequest("POST", f"/portal{page.path}", {}, headers, field, ORIGIN)

            assert (await browser.application.portal.answer(web)).status == 400


BULK_OPERATIONS: Mapping[str, Mapping[str, Any]] = {
    "bulkId": {"bulkId": HALF},
    "method": {"method": f"POST{HALF}"},
    "path": {"path": f"/Users{HALF}"},
    "version": {"version": HALF},
    "data": {"data": user(f"anna{HALF}")},
    "name in data": {"data": user("anna", **{HALF: 1})},
    "name": {HALF: 1},
}


@pytest.mark.parametrize("changed", BULK_OPERATIONS.values(), ids=BULK_OPERATIONS)
async def test_half_of_a_surrogate_pair_in_a_bulk_request_creates_nothing(
    scim: ScimClient, changed: Mapping[str, Any]
) -> None:
    operation = {"method": "POST", "path": "/Users", "bulkId": "1", "data": user("anna"), **changed}

    assert (await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": [operation]})).status == 400
    assert (await scim.get("/Users")).json["totalResults"] == 0


@pytest.mark.parametrize("name", ["filter", "sortBy", "sortOrder", "attributes", "excludedAttributes", "cursor", HALF])
async def test_half_of_a_surrogate_pair_in_a_search_is_refused(scim: ScimClient, name: str) -> None:
    for value in (HALF, [f"urn:{HALF}:x"], {HALF: 1}):
        assert (await scim.post("/.search", {"schemas": [SEARCH_URN], name: value})).status == 400


@pytest.mark.parametrize("letter", ["\u0130", "\u0131", "\u017f", "\u212a"])
@pytest.mark.parametrize("name", ["{}", "name.{}", "urn:example:{}:title", "$ref{}"])
async def test_a_letter_that_only_folds_to_one_of_ascii_makes_no_attribute_name(
    scim: ScimClient, letter: str, name: str
) -> None:
    path = name.format(letter)
    paged = {"sortBy": path}, {"attributes": path}, {"excludedAttributes": path}, {"filter": f'{path} eq "x"'}

    assert [(await scim.get("/Users", each)).status for each in paged] == [400] * len(paged)
    created = await scim.new_user("anna")
    operation = {"op": "add", "path": path, "value": "x"}
    assert (await scim.patch(f"/Users/{created['id']}", operation)).status in (200, 204, 400)
    assert (await scim.post("/Users", user("ben", **{path: "x"}))).status in (201, 400)


URLS = {
    "bytes that are not UTF-8 in the path": (f"{ORIGIN}/PATH/%FF", 400),
    "what a host puts in their place": (f"{ORIGIN}/PATH/%EF%BF%BD", 400),
    "a half pair in the path": (f"{ORIGIN}/PATH/%ED%A0%80", 400),
    "bytes that are not UTF-8 in the query": (f"{ORIGIN}/PATH?filter=%C3", 400),
    "bytes that are not UTF-8 in a name": (f"{ORIGIN}/PATH?%FF=1", 400),
    "a host that is none": ("https://[/PATH", None),
    "a port that is none": ("https://a:99999999/PATH", None),
    "a host that normalizes to a path": ("https://a\u2100b/PATH", None),
    "a host beyond ASCII": ("https://\u00fc.example/PATH", None),
    "no host": ("https:///PATH", None),
    "brackets in the query": (f"{ORIGIN}/PATH?[=]&]=[", None),
}


@pytest.mark.parametrize(("url", "status"), URLS.values(), ids=URLS)
async def test_no_address_ends_in_a_failure(scim: ScimClient, browser: Browser, url: str, status: int | None) -> None:
    application, scim_path = scim.application, f"scim/v2/{scim.directory.id}"
    surfaces: list[tuple[str, str, Any]] = [
        ("GET", f"{scim_path}/Users", application.provisioning.answer),
        ("POST", f"{scim_path}/Users", application.provisioning.answer),
        ("GET", f"{scim_path}/ServiceProviderConfig", application.provisioning.answer),
        ("GET", "api/v1/organizations", application.management.answer),
        ("GET", "portal/open", application.portal.answer),
        ("POST", "portal/open", application.portal.answer),
    ]
    for number, (method, path, answer) in enumerate(surfaces):
        headers = {"Authorization": f"Bearer {scim.token}", "Content-Type": "application/json", **SAME_ORIGIN}
        body = json.dumps(user(f"anna{number}")).encode()
        request = func.HttpRequest(method, url.replace("PATH", path), headers=headers, body=body)

        converted = http_response(await answer(web_request(request)))

        assert converted.status_code < 500
        assert status in (None, converted.status_code)
        assert all(value.isascii() and value.isprintable() for value in converted.headers.values())


def test_what_utf_8_cannot_hold_is_answered_as_a_question_mark() -> None:
    assert encoded(f"a{HALF}b") == b"a?b"
