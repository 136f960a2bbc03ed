"""The SCIM surface: finds and authenticates the directory, answers the request, and says in the log what was done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scim2_models import NotFoundException, SCIMException

from scim import last_place
from scim.directories.actor import Actor, become
from scim.directories.directory import Directory
from scim.fair_share import FairShare
from scim.provisioning.answers import error_answer
from scim.provisioning.authentication import Authenticates, AuthenticationFailedException
from scim.provisioning.discovery import answer_service_provider_config
from scim.provisioning.errors import let_go, scim_error
from scim.provisioning.outcome import Observer, Outcome
from scim.provisioning.request import ScimRequest
from scim.provisioning.routing import canonical_segments, route
from scim.readable_request import require_readable
from scim.request_log import BeginEntry, LogEntry, begin_entry
from scim.resources.directory_schemas import directory_schemas
from scim.resources.interfaces import ResourceStore
from scim.web import WebRequest, WebResponse

_log = logging.getLogger("scim.provisioning")
_PREFIX = "/scim/v2/"
_FACTS = ("directory_id", "resource_type", "token_version", "token_last_four")


@dataclass(frozen=True, slots=True)
class ProvisioningEndpoint:
    """Answers every request below ``/scim/v2/``. One per process; it keeps nothing of a request."""

    authenticator: Authenticates
    store_of: Callable[[Directory], ResourceStore]
    public_base_url: str = ""
    """Scheme and host under which callers reach the service; empty to use what each caller names."""
    begin_entry: BeginEntry = begin_entry
    observers: Sequence[Observer] = ()
    """Are told of every outcome once the answer is made."""
    fair_share: FairShare = field(default_factory=FairShare)
    """Who may work now, by directory; requests that are not authenticated have no place in it."""

    async def answer(self, web: WebRequest) -> WebResponse:
        """Return the answer to a request: never an exception, never a text of a library."""
        exchange = _Exchange(self.begin_entry("scim_request", web, *_FACTS))
        response = await last_place.answered(
            exchange.entry, lambda: self._response(web, exchange), _LAST_WORDS, tells_changes=False
        )
        self._tell(exchange, response.status)
        let_go(exchange.error)
        return response

    async def answer_unknown_path(self, web: WebRequest) -> WebResponse:
        """Return the 404 for a path that belongs to no surface."""
        return await last_place.answered(self.begin_entry("other_request", web), _unknown_path, _LAST_WORDS)

    async def _response(self, web: WebRequest, exchange: _Exchange) -> WebResponse:
        try:
            return await self._answered(web, exchange)
        except Exception as error:  # noqa: BLE001 - whatever is raised is answered in SCIM form
            exchange.error = error
            return _failure(error)

    def _tell(self, exchange: _Exchange, status: int) -> None:
        try:
            for outcome in exchange.outcomes(status):
                for observe in self.observers:
                    observe(outcome)
        except Exception:  # noqa: BLE001 - whatever observers meet, the answer stands
            _log.exception("the outcome of a request could not be told")

    async def _answered(self, web: WebRequest, exchange: _Exchange) -> WebResponse:
        require_readable(web)
        entry = exchange.entry
        directory_id, *segments = web.path.removeprefix(_PREFIX).strip("/").split("/")
        base_url = f"{self.public_base_url or web.origin}{_PREFIX}{directory_id}"
        if segments == ["ServiceProviderConfig"] and web.method == "GET" and not web.query.get("filter"):
            entry.operation = "service_provider_config"
            return answer_service_provider_config(base_url)
        admission = await self.authenticator.authenticate(directory_id, web.headers.get("authorization"))
        directory = admission.directory
        become(Actor("provider", directory.id, directory.name))
        facts, token = entry.facts, admission.token
        facts["directory_id"], facts["token_version"], facts["token_last_four"] = (
            directory.id,
            token.version,
            token.last_four,
        )
        async with self.fair_share.turn(directory.id, entry):
            return await self._worked(web, exchange, directory, base_url, segments)

    async def _worked(
        self, web: WebRequest, exchange: _Exchange, directory: Directory, base_url: str, segments: Sequence[str]
    ) -> WebResponse:
        exchange.request = request = ScimRequest(
            web=web,
            directory=directory,
            provider=directory_schemas(directory.attribute_mappings),
            store=self.store_of(directory),
            base_url=base_url,
            segments=canonical_segments(segments),
        )
        chosen = route(request)
        exchange.entry.operation, exchange.entry.facts["resource_type"] = chosen.operation, chosen.resource_type
        return await chosen.answer(request)


@dataclass(slots=True)
class _Exchange:
    """A request as far as it is known yet, and what became of it."""

    entry: LogEntry
    request: ScimRequest | None = None
    error: Exception | None = None

    def outcomes(self, status: int) -> list[Outcome]:
        """Return what there is to tell: nothing of a request to no known directory."""
        operation, resource_type = self.entry.operation, self.entry.facts["resource_type"]
        if self.request is not None:
            whole = self.request.outcome(operation, resource_type, status, self.error)
            return [whole, *self.request.notes.parts]
        if isinstance(self.error, AuthenticationFailedException) and self.error.directory is not None:
            return [
                Outcome(self.error.directory, self.entry.method, operation, resource_type, status, error=self.error)
            ]
        return []


async def _unknown_path() -> WebResponse:
    return error_answer(
        NotFoundException(
            detail="There is nothing at this address. The Tenant URL has the form https://…/scim/v2/dir_…"
        )
    )


def _failure(error: Exception) -> WebResponse:
    known = scim_error(error)
    if known is not None:
        return error_answer(known)
    _log.error("request failed", exc_info=error)
    return _failed()


def _failed() -> WebResponse:
    """Return the answer to a failure of ours."""
    unknown = SCIMException(detail="The request failed for a reason on our side; it was logged. Repeat it later.")
    unknown.status = 500
    return error_answer(unknown)


_LAST_WORDS = _failed()
"""Made beforehand, so that nothing is left that could fail."""
