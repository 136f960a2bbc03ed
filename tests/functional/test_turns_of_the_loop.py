"""However large an allowed request is, the process serves others within 50 ms: one event loop answers them all."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from scim.web import WebRequest
from tests.fakes.memory_table import MemoryTable
from tests.hostile_requests import GROWING, HostileRequest, emails, numbered, patch, post, search
from tests.service import MAPPINGS, ScimClient, group, user

SECONDS = 0.05
TRIES = 3
"""A gap is a fault when it is there each time: a pause of this machine is not."""

LARGE_TEXT = "x" * 250_000
AT_THE_LIMIT = {name: family(1000) for name, family in GROWING.items()} | {
    "a user of 256 KiB": post(title=LARGE_TEXT),
    "a user of eight lists": post(
        **dict.fromkeys(("emails", "phoneNumbers", "ims", "photos", "entitlements", "roles", "hobbies"), emails(600))
    ),
    "a user of nested lists": post(nested=[[[[0] * 9] * 9] * 9] * 50),
    "PATCH of every entry back and forth": patch(
        1000, lambda i: {"op": "replace", "path": "emails.display", "value": None if i % 2 else "x"}, present=400
    ),
    "PATCH by a filter that reads every entry": patch(
        900, lambda i: {"op": "remove", "path": f'emails[value co "no {i}" and type co "no"]'}, present=1000
    ),
    "fifty operations on every entry": patch(
        50, lambda i: {"op": "remove", "path": f'emails[value co "no {i}" and type co "no"]'}, present=1000
    ),
    "fifty paths of twenty comparisons": patch(
        50, lambda i: {"op": "remove", "path": f"emails[{' or '.join(['value pr'] * 19)} or a{i} pr]"}
    ),
    "a group of 30,000 members": HostileRequest(
        "POST", "/Groups", group("Team", [f"usr_{index:032x}" for index in range(30_000)])
    ),
    "a group of undeclared numbers": HostileRequest("POST", "/Groups", group("Team", nested={"a": "0" * 200_000})),
    "a body of lists": HostileRequest("POST", "/Groups", {**group("Team"), "members": [[]] * 95_000}),
    "a body of numbers": HostileRequest("POST", "/Groups", {**group("Team"), "members": [0] * 600_000}),
}


@contextmanager
def yielding_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let others have their turn before each storage request, as they have when it goes over a network."""
    with monkeypatch.context() as patched:
        for name in ("read", "query", "commit"):
            patched.setattr(MemoryTable, name, _after_a_turn(getattr(MemoryTable, name)))
        yield


def _after_a_turn(method: Any) -> Any:
    async def call(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return await method(*arguments, **named)

    return call


async def longest_gap(client: ScimClient, web: WebRequest) -> tuple[float, int]:
    """Return the most CPU time of the process between two turns of the loop while a request is answered, its status."""
    gaps, done = [0.0], False

    async def count_turns() -> None:
        last = time.process_time()
        while not done:
            await asyncio.sleep(0)
            now = time.process_time()
            gaps.append(now - last)
            last = now

    counting = asyncio.create_task(count_turns())
    await asyncio.sleep(0)
    status = (await client.application.provisioning.answer(web)).status
    done = True
    await counting
    return max(gaps), status


async def least_gap(client: ScimClient, request: HostileRequest) -> float:
    """Return the longest gap of the best of several tries."""
    found = []
    for number in range(TRIES):
        web = await prepared(client, request, number)
        gc.collect()
        gap, status = await longest_gap(client, web)
        assert status < 500
        found.append(gap)
        if gap <= SECONDS:
            break
    return min(found)


async def prepared(client: ScimClient, request: HostileRequest, number: int) -> WebRequest:
    """Return a request as the service meets it, once what it changes is there."""
    path = request.path
    if path is None and request.of_group:
        path = f"/Groups/{(await client.new_group(f'Group {number}'))['id']}"
    elif path is None:
        path = f"/Users/{(await client.new_user(f'user {number}', emails=emails(request.emails)))['id']}"
    body = json.dumps(request.body).replace('"anna', f'"anna-{number}').encode() if request.body else b""
    return WebRequest(
        request.method,
        f"/scim/v2/{client.directory.id}{path}",
        request.query,
        {"authorization": f"Bearer {client.token}", "content-type": "application/scim+json"},
        body,
    )


@pytest.mark.parametrize("name", AT_THE_LIMIT)
async def test_others_have_their_turn_while_a_large_request_is_answered(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with yielding_tables(monkeypatch):
        assert await least_gap(scim, AT_THE_LIMIT[name]) <= SECONDS


LISTS = {
    "all of it": search(count=200),
    "one name": search(count=200, attributes=["userName"]),
    "200 names": search(count=200, attributes=[f"a{index:05d}.b" for index in range(200)]),
    "left out": search(count=200, excludedAttributes=[f"a{index:05d}" for index in range(200)]),
    "a filter": search(filter=" or ".join(f'emails.value co "no {index}"' for index in range(199)), count=5, cursor=""),
    "a filter of values": search(filter=f"emails[{' or '.join(['display pr'] * 100)}]", count=5, cursor=""),
    "sorted": search(sortBy="title", count=200),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("kind", ["text", "entries", "attributes"])
async def test_others_have_their_turn_while_a_list_of_large_users_is_read(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    large: dict[str, dict[str, Any]] = {
        "text": {"title": "é" * 120_000},
        "entries": {"emails": [{**each, "display": "x" * 150} for each in emails(1000)]},
        "attributes": {**numbered(900), "nickName": "x" * 200_000},
    }
    for number in range(40):
        await scim.new_user(f"user {number}", **large[kind])

    with yielding_tables(monkeypatch):
        assert await least_gap(scim, LISTS[name]) <= SECONDS


async def test_others_have_their_turn_while_mappings_are_compared_with_a_large_user(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = [replace(MAPPINGS[0], name=f"m{index}", path=f'emails[type eq "t{index}"].display') for index in range(50)]
    client = await service.new_directory(mapped)
    request = patch(1, lambda _: {"op": "replace", "path": "title", "value": "x"}, present=1000)

    with yielding_tables(monkeypatch):
        assert await least_gap(client, request) <= SECONDS


async def test_a_group_with_many_members_is_shown_while_others_have_their_turn(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await scim.new_users(1500)
    path = f"/Groups/{(await scim.new_group('Team', ids))['id']}"
    change = {"op": "replace", "path": "displayName", "value": "Group"}

    with yielding_tables(monkeypatch):
        assert await least_gap(scim, HostileRequest("GET", path)) <= SECONDS
        assert await least_gap(scim, HostileRequest("GET", path, query={"attributes": "members.display"})) <= SECONDS
    assert (await scim.patch(path, change)).status == 204


def test_a_thousand_names_fit_the_family() -> None:
    assert user("anna").keys() | numbered(990).keys() <= set(GROWING["POST of undeclared members"](1000).body)
