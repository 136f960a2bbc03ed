"""Requests as spans and metrics, made with the entry of the log."""

from __future__ import annotations

from opentelemetry import context
from opentelemetry.trace import StatusCode, set_span_in_context

from scim.adapters.telemetry.instruments import Instruments
from scim.provisioning.authentication import Admission, Authenticates
from scim.request_log import LogEntry, correlation_id
from scim.resources.storage_scope import current_storage_scope
from scim.web import WebRequest

_SERVER_ERROR = 500


class ObservedEntry(LogEntry):
    """A log entry whose request is a span too: below the host's own span, and above those of storage and vault."""

    def __init__(self, instruments: Instruments, event: str, web: WebRequest, facts: tuple[str, ...]) -> None:
        super().__init__(event, correlation_id(web), web.method, facts=dict.fromkeys(facts, ""))
        self._instruments = instruments
        self._surface = event.removesuffix("_request")
        self._span = instruments.tracer.start_span(self._surface)
        self._outer = context.attach(set_span_in_context(self._span))

    def finish(self, status: int, storage_requests: int) -> None:
        """Write the line, end the span and count the request."""
        super().finish(status, storage_requests)
        context.detach(self._outer)
        self._span.update_name(f"{self._surface} {self.operation}")
        self._span.set_attributes(
            {
                "scim.surface": self._surface,
                "scim.operation": self.operation,
                "scim.status": status,
                "scim.storage_requests": storage_requests,
                "scim.correlation_id": self.correlation_id,
                **{f"scim.{name}": value for name, value in self.facts.items() if value},
            }
        )
        if status >= _SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()
        self._instruments.count_request(self._surface, self.operation, status, storage_requests)


class ObservedAuthenticator:
    """An authenticator that counts whether the directory was known in memory."""

    def __init__(self, authenticator: Authenticates, instruments: Instruments) -> None:
        self._authenticator = authenticator
        self._instruments = instruments

    async def authenticate(self, directory_id: str, authorization: str | None) -> Admission:
        """Return for which directory a request with this Authorization header may act, and by which token."""
        scope = current_storage_scope()
        before = scope.requests
        try:
            return await self._authenticator.authenticate(directory_id, authorization)
        finally:
            self._instruments.count_lookup(hit=scope.requests == before)
