"""Whether what the service stands on answers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from scim import last_place
from scim.request_log import BeginEntry, LogEntry, begin_entry
from scim.resources.storage_scope import storage_scope
from scim.single_flight import SingleFlight
from scim.web import WebRequest, WebResponse

KEPT_SECONDS = 10.0
"""How long a result is kept: nobody has the parts asked more often."""
_SECONDS = 5.0

_log = logging.getLogger("scim.readiness")

Check = Callable[[], Awaitable[object]]


async def answer_alive(web: WebRequest) -> WebResponse:
    """Return that the process answers; needs no settings and touches nothing."""
    return await last_place.answered(_entry(begin_entry, web, "health"), _alive, _status(500, "failed"))


class Readiness:
    """Named checks, each of which raises when its part does not answer."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        begin_entry: BeginEntry = begin_entry,
    ) -> None:
        self._checks = checks
        self._monotonic = monotonic
        self._begin_entry = begin_entry
        self._last: tuple[float, WebResponse] | None = None
        self._flights: SingleFlight[str, WebResponse] = SingleFlight()

    async def answer_request(self, web: WebRequest) -> WebResponse:
        """Return the answer to a request, which is logged."""
        return await last_place.answered(
            _entry(self._begin_entry, web, "readiness"), self.answer, _status(500, "failed")
        )

    async def answer(self) -> WebResponse:
        """Return 200 when every check passes, else 503 naming those that do not; causes stay in the log.

        One check runs at a time, whoever asks meanwhile, and its result is kept for ten seconds.
        """
        if self._last is not None and self._monotonic() - self._last[0] < KEPT_SECONDS:
            return self._last[1]
        return await self._flights.run("", self._checked)

    async def _checked(self) -> WebResponse:
        results = {}
        for name, check in self._checks.items():
            with storage_scope(_SECONDS):
                results[name] = await _passes(check)
        ready = all(results.values())
        parts = {name: "ready" if passed else "unavailable" for name, passed in results.items()}
        body = json.dumps({"status": "ready" if ready else "unavailable", "parts": parts})
        answer = WebResponse(200 if ready else 503, body.encode(), content_type="application/json")
        self._last = self._monotonic(), answer
        return answer


async def _passes(check: Check) -> bool:
    try:
        await check()
    except Exception:  # noqa: BLE001 - whatever fails, the part is not ready
        _log.exception("a readiness check failed")
        return False
    return True


def _entry(begin: BeginEntry, web: WebRequest, operation: str) -> LogEntry:
    entry = begin("other_request", web)
    entry.operation = operation
    return entry


async def _alive() -> WebResponse:
    return _status(200, "alive")


def _status(status: int, text: str) -> WebResponse:
    return WebResponse(status, json.dumps({"status": text}).encode(), content_type="application/json")
