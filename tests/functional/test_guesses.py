"""What guessing costs on the API and the portal: little, and nothing is said of what was not looked for."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from scim.directories.api_key import new_key
from scim.directories.portal_access import SessionKey
from scim.web import WebRequest
from tests.api import ApiClient
from tests.portal import Browser
from tests.service import ORIGIN


def guessed(browser: Browser, number: int) -> str:
    """Return a cookie of the right form that nobody has."""
    key = SessionKey.read(browser.cookie)
    assert key is not None
    return SessionKey(key.organization_id, key.link_id, f"{number:043d}").cookie


def _bytes_of(number: int, length: int) -> bytes:
    return number.to_bytes(length, "big")


async def test_unknown_api_keys_cost_twenty_reads_a_second_and_known_ones_work_on(api: ApiClient) -> None:
    keys = [new_key(partial(_bytes_of, number))[1] for number in range(1, 200)]
    before = api.meter()

    statuses = [(await replace(api, key=key).get("organizations")).status for key in keys]

    assert api.meter() - before <= 40
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 503
    assert (await api.get("organizations")).status == 200


async def test_an_unknown_api_key_is_looked_for_once_in_five_seconds(api: ApiClient) -> None:
    unknown = replace(api, key=new_key(lambda length: b"\1" * length)[1])
    before = api.meter()

    assert {(await unknown.get("organizations")).status for _ in range(50)} == {401}
    assert api.meter() - before == 1


async def test_unknown_sessions_cost_twenty_reads_a_second_and_open_ones_stay_open(browser: Browser) -> None:
    assert (await browser.get("")).status == 200
    other = Browser(browser.application, browser.meter)
    before, statuses = browser.meter(), []
    for number in range(200):
        other.cookie = guessed(browser, number)
        statuses.append((await other.get("/?again=1")).status)

    assert browser.meter() - before <= 40
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 503
    assert (await browser.get("")).status == 200


async def test_an_unknown_session_is_looked_for_once_in_five_seconds(browser: Browser) -> None:
    other = Browser(browser.application, browser.meter, cookie=guessed(browser, 1))
    before = browser.meter()

    assert {(await other.get("/?again=1")).status for _ in range(50)} == {401}
    assert browser.meter() - before == 1


async def test_the_openapi_document_is_made_once_whoever_asks_for_it(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await api.get("openapi.json")

    def fail(*_: object) -> None:
        raise LookupError("made again")

    monkeypatch.setattr("scim.management.endpoint.openapi_document", fail)
    web = WebRequest("GET", "/api/v1/openapi.json", origin='https://other.example/"\\')
    again = await api.application.management.answer(web)

    assert answer.json["servers"] == [{"url": ORIGIN}]
    assert json.loads(again.body) == {**answer.json, "servers": [{"url": web.origin}]}
