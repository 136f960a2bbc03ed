"""Whether what the service stands on answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from scim.resources.storage_scope import storage_scope
from scim.web import WebResponse

_SECONDS = 5.0

_log = logging.getLogger("scim.readiness")

Check = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Named checks, each of which raises when its part does not answer."""

    checks: Mapping[str, Check]

    async def answer(self) -> WebResponse:
        """Return 200 when every check passes, else 503 naming those that do not; causes stay in the log."""
        results = {}
        for name, check in self.checks.items():
            with storage_scope(_SECONDS):
                results[name] = await _passes(check)
        ready = all(results.values())
        parts = {name: "ready" if passed else "unavailable" for name, passed in results.items()}
        body = json.dumps({"status": "ready" if ready else "unavailable", "parts": parts})
        return WebResponse(200 if ready else 503, body.encode(), content_type="application/json")


async def _passes(check: Check) -> bool:
    try:
        await check()
    except Exception:  # noqa: BLE001 - whatever fails, the part is not ready
        _log.exception("a readiness check failed")
        return False
    return True
