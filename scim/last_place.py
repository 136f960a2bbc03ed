"""The last place of every request: it is answered and its line is written, whatever happened before."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from scim.directories.actor import acting
from scim.request_log import LogEntry
from scim.resources.storage_scope import storage_scope
from scim.web import WebResponse

UNANSWERED = 499
"""The status in the line of a request whose caller was gone, or whose process ended, before it was answered."""

_log = logging.getLogger("scim.requests")

Respond = Callable[[], Awaitable[WebResponse]]


async def answered(
    entry: LogEntry, respond: Respond, last_words: WebResponse, *, tells_changes: bool = True
) -> WebResponse:
    """Return the answer of a request with its id, not to be stored by anybody, and write its line in any case.

    :param respond: Makes the answer, that to an error included.
    :param last_words: What is answered where even that fails.
    :param tells_changes: Whether the line says who acted and what was changed.
    """
    status = UNANSWERED
    with storage_scope() as scope, acting(has_line=tells_changes) as now:
        try:
            try:
                response = await respond()
            except Exception:  # noqa: BLE001 - whatever was raised, the caller is answered
                _log.exception("a request could not be answered")
                response = last_words
            status = response.status
        finally:
            if tells_changes:
                entry.facts |= now.facts()
            _finish(entry, status, scope.requests)
    headers = {"Cache-Control": "no-store", **response.headers, "request-id": entry.correlation_id}
    return WebResponse(response.status, response.body, headers, response.content_type)


def _finish(entry: LogEntry, status: int, storage_requests: int) -> None:
    try:
        entry.finish(status, storage_requests)
    except Exception:  # noqa: BLE001 - whatever telemetry meets, the answer stands
        _log.exception("the line of a request could not be finished")
