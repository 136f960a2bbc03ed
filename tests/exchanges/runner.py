"""Sends the requests of an exchange to a service in this process, through the conversions of its HTTP trigger."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from azure.functions import HttpRequest

from scim.triggers.http_conversion import http_response, web_request
from tests.exchanges.expectations import MISSING, meets, value_at
from tests.exchanges.placeholders import Placeholders
from tests.service import ERROR_URN, LIST_URN, ScimClient

Exchange = Mapping[str, Any]
_ANY_SUCCESS = {"status": [200, 201, 202, 204]}
_MAX_PAGES = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it goes over the wire."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    json: Any = MISSING


@dataclass(slots=True)
class Replay:
    """One exchange under way with one directory."""

    client: ScimClient
    query: str = ""
    """The query of the Tenant URL, which the provider sends with each request."""
    placeholders: Placeholders = field(init=False)

    def __post_init__(self) -> None:
        self.placeholders = Placeholders(self.client.base_url)

    async def run(self, exchange: Exchange) -> None:
        """Send what the exchange sends, in order.

        :raises AssertionError: When an answer is not as expected.
        """
        for request in exchange.get("setup", ()):
            await self._step(request, request.get("expect", _ANY_SUCCESS))
        await self._step(exchange["request"], exchange.get("expect", _ANY_SUCCESS))
        for step in exchange.get("then", ()):
            await self._step(step["request"], step.get("expect", _ANY_SUCCESS))

    async def _step(self, request: Exchange, expected: Exchange) -> None:
        for number in range(1, request.get("repeat", 1) + 1):
            local = {"i": number} if "repeat" in request else {}
            if "burst" in request:
                await self._burst(request, expected)
            elif "walk" in request:
                await self._walk(self.placeholders.filled(request, local), self.placeholders.filled(expected, local))
            else:
                await self._exchange(request, expected, local)

    async def _exchange(self, request: Exchange, expected: Exchange, local: Mapping[str, Any]) -> None:
        sent = self.placeholders.filled(_bare(request), local)
        answer = await self._send(sent)
        _check(sent, answer, self.placeholders.filled(expected, local))
        if "save" in request:
            self.placeholders.saved[self.placeholders.filled(request["save"], local)] = answer.json

    async def _burst(self, request: Exchange, expected: Exchange) -> None:
        """Send a request several times at once; ``counts`` says how many answers have which status."""
        numbers = range(1, request["burst"]["n"] + 1)
        sent = [self.placeholders.filled(_bare(request), {"i": number}) for number in numbers]
        answers = await asyncio.gather(*map(self._send, sent))
        wanted = self.placeholders.filled(expected)
        for one, answer in zip(sent, answers, strict=True):
            _check(one, answer, wanted)
        counted = Counter(str(answer.status) for answer in answers)
        assert {status: counted[status] for status in wanted.get("counts", {})} == wanted.get("counts", {})

    async def _walk(self, request: Exchange, expected: Exchange) -> None:
        """Read all pages by index, as Account Discovery does: the next begins behind what was received."""
        walk, seen, pages, total = request["walk"], list[str](), 0, 1
        while len(seen) < total and pages < _MAX_PAGES:
            start, count = len(seen) + 1, walk["count"]
            page = {**_bare(request), "query": {**request.get("query", {}), "startIndex": start, "count": count}}
            answer = await self._send(page)
            _check(page, answer, {"status": [200], "json": {"schemas": {"$contains": LIST_URN}, "startIndex": start}})
            _check(page, answer, expected)
            ids = [resource["id"] for resource in answer.json["Resources"]]
            assert 0 < len(ids) == answer.json["itemsPerPage"] <= count
            seen, pages, total = seen + ids, pages + 1, answer.json["totalResults"]
        assert len(set(seen)) == len(seen) == total
        assert pages >= walk.get("min_pages", 2)
        assert set(walk.get("includes", ())) <= set(seen)

    async def _send(self, request: Exchange) -> Answer:
        query = request.get("query") or ""
        text = "&".join(filter(None, [self.query, query if isinstance(query, str) else urlencode(query)]))
        body = json.dumps(request["body"], ensure_ascii=False).encode() if "body" in request else b""
        http = HttpRequest(
            method=request["method"],
            url=f"{self.client.base_url}{request['path']}{'?' if text else ''}{text}",
            headers=self._headers(request),
            body=body,
        )
        response = http_response(await self.client.application.provisioning.answer(web_request(http)))
        content = response.get_body()
        assert response.mimetype == "application/scim+json"
        headers = {"content-type": response.mimetype} | {
            name.lower(): value for name, value in response.headers.items()
        }
        return Answer(response.status_code, headers, content, json.loads(content) if content else MISSING)

    def _headers(self, request: Exchange) -> dict[str, str]:
        """Return the headers as Entra sends them: no User-Agent, a content type only with a body."""
        headers = {"Accept": "application/scim+json"}
        if request.get("auth") != "none":
            wrong = request.get("auth") == "bad"
            headers["Authorization"] = f"Bearer {'wrong' if wrong else self.client.token}"
        if "body" in request:
            headers["Content-Type"] = "application/scim+json; charset=utf-8"
        return {name: value for name, value in {**headers, **request.get("headers", {})}.items() if value is not None}


def _bare(request: Exchange) -> dict[str, Any]:
    """Return a request without what the runner does with it."""
    return {name: value for name, value in request.items() if name not in ("expect", "save", "repeat", "burst", "walk")}


def _check(request: Exchange, answer: Answer, expected: Exchange) -> None:
    """Assert that an answer is as expected, naming the request and the answer where it is not."""
    told = f"{request['method']} {request['path']} → {answer.status} {answer.body.decode()[:2000]}"
    if "status" in expected:
        assert answer.status in expected["status"], told
    if expected.get("empty"):
        assert answer.body == b"", told
    if expected.get("scim_error"):
        assert isinstance(answer.json, dict), told
        assert answer.json["schemas"] == [ERROR_URN], told
        assert answer.json["status"] == str(answer.status), told
    for name, wanted in expected.get("headers", {}).items():
        assert meets(answer.headers.get(name.lower(), MISSING), wanted), f"{name}: {wanted}: {told}"
    for path, wanted in expected.get("json", {}).items():
        assert meets(value_at(answer.json, path), wanted), f"{path} = {wanted}: {told}"
