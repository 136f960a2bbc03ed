"""One structured line per request: what was asked and how it went; never a token, a body or a name."""

from __future__ import annotations

import json
import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import Protocol

from scim.web import WebRequest

_log = logging.getLogger("scim.requests")
_CORRELATION_HEADERS = ("x-ms-client-request-id", "client-request-id", "x-request-id")
_MAX_CORRELATION_LENGTH = 64


def correlation_id(web: WebRequest) -> str:
    """Return the id under which the caller knows the request (Entra sends one), or a new one."""
    for name in _CORRELATION_HEADERS:
        given = web.headers.get(name, "")
        if 0 < len(given) <= _MAX_CORRELATION_LENGTH and given.isascii() and given.replace("-", "").isalnum():
            return given
    return str(uuid.uuid4())


@dataclass(slots=True)
class LogEntry:
    """What is known of one request while it is answered."""

    event: str
    """Which surface answers: ``scim_request``, ``api_request``, ``portal_request``, or none: ``other_request``."""
    correlation_id: str
    method: str
    operation: str = "unknown"
    facts: dict[str, str] = field(default_factory=dict)
    """Whom and what it concerns. Empty until the request is authenticated: an id made up is not repeated."""
    waited: float = 0.0
    """How many seconds it waited for its turn (:mod:`scim.fair_share`)."""
    started: float = field(default_factory=time.perf_counter)

    def finish(self, status: int, storage_requests: int) -> None:
        """Write the line."""
        if not _log.isEnabledFor(logging.INFO):
            return
        line = {
            "event": self.event,
            "operation": self.operation,
            "method": self.method,
            **self.facts,
            "status": status,
            "duration_ms": round((time.perf_counter() - self.started) * 1000, 1),
            "waited_ms": round(self.waited * 1000, 1),
            "storage_requests": storage_requests,
            "correlation_id": self.correlation_id,
        }
        _log.info(json.dumps(line, separators=(",", ":")))


class BeginEntry(Protocol):
    """Begins the entry of a request: :func:`begin_entry`, or what makes a span of it too."""

    def __call__(self, event: str, web: WebRequest, *facts: str) -> LogEntry:
        """Return the entry; its facts are empty until they are known."""
        ...


def begin_entry(event: str, web: WebRequest, *facts: str) -> LogEntry:
    """Return the entry of a request that begins; its facts are empty until they are known."""
    return LogEntry(event, correlation_id(web), web.method, facts=dict.fromkeys(facts, ""))
