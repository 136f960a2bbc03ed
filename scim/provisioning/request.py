"""A request to a directory that is known and authenticated, as the operations see it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from scim2_models import PreconditionFailedException
from scim2_server.conditions import EntityTags

from scim.directories.directory import Directory
from scim.provisioning.outcome import Outcome, RequestNotes
from scim.provisioning.request_body import read_body
from scim.resources.directory_schemas import DirectorySchemas
from scim.resources.interfaces import ResourceStore
from scim.resources.projection import Projection, read_projection
from scim.resources.request_limits import cached_when_short
from scim.resources.schema import ResourceSchema
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import LARGE_BODY
from scim.web import WebRequest


@dataclass(frozen=True)
class ScimRequest:
    """One request, with the directory's schemas and store. A bulk operation is such a request, too."""

    web: WebRequest
    directory: Directory
    provider: DirectorySchemas
    store: ResourceStore
    base_url: str
    """The Tenant URL: the root of the directory's SCIM endpoint, without a trailing slash."""
    segments: tuple[str, ...] = ()
    """The path below the Tenant URL."""
    given_payload: Any = field(default=None)
    """The parsed body, where it does not come from ``web``: the data of a bulk operation."""
    notes: RequestNotes = field(default_factory=RequestNotes)

    def outcome(
        self,
        operation: str,
        resource_type: str,
        status: int,
        error: Exception | None = None,
        *,
        is_part: bool = False,
    ) -> Outcome:
        """Return how the request ended."""
        return Outcome(
            directory=self.directory,
            method=self.method,
            operation=operation,
            resource_type=resource_type,
            status=status,
            path=self.segments,
            error=error,
            findings=self.notes.findings,
            signals=self.notes.signals if error is None else {},
            changed=self.notes.changed,
            is_part=is_part,
            schemas=self.provider,
            store=self.store,
        )

    @property
    def method(self) -> str:
        """The HTTP method in upper case."""
        return self.web.method

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.web.query

    @cached_property
    def payload(self) -> Any:
        """The JSON of the body.

        :raises InvalidSyntaxException, PayloadTooLargeException: When it cannot be read.
        """
        if self.given_payload is not None:
            return self.given_payload
        return read_body(self.web, of_user=self.segments[:1] == ("Users",) and ".search" not in self.segments)

    @property
    def is_large(self) -> bool:
        """Whether the body is so large that it is read in the worker thread."""
        return (len(self.web.body) if self.given_payload is None else self._given_size) > LARGE_BODY

    @cached_property
    def _given_size(self) -> int:
        return len(json.dumps(self.given_payload))

    def projection(self, *schemas: ResourceSchema) -> Projection:
        """Return what ``attributes`` and ``excludedAttributes`` ask for."""
        return projection_of(self.query.get("attributes"), self.query.get("excludedAttributes"), schemas)

    @property
    def is_conditional(self) -> bool:
        """Whether the request has a condition on the resource's version (RFC 7644 §3.14)."""
        return bool(self.web.headers.get("if-match") or self.web.headers.get("if-none-match"))

    @property
    def is_guarded(self) -> bool:
        """Whether the request names the version it may change, so that a lost race is the caller's to resolve."""
        tags = EntityTags.parse(self.web.headers.get("if-match"))
        return tags is not None and not tags.any

    def require_preconditions(self, stored: StoredDocument) -> None:
        """Refuse a write whose If-Match or If-None-Match does not hold.

        :raises PreconditionFailedException: With what to do.
        """
        self._require_match(stored)
        if_none_match = EntityTags.parse(self.web.headers.get("if-none-match"))
        if if_none_match and if_none_match.matches(version_tag(stored.version)):
            raise changed_since()

    def _require_match(self, stored: StoredDocument) -> None:
        if_match = EntityTags.parse(self.web.headers.get("if-match"))
        if if_match and not if_match.matches(version_tag(stored.version)):
            raise changed_since()

    def is_unmodified(self, stored: StoredDocument) -> bool:
        """Tell whether a GET can be answered with 304: the caller has this version.

        :raises PreconditionFailedException: When If-Match names another version (RFC 9110 §13.2.2).
        """
        self._require_match(stored)
        if_none_match = EntityTags.parse(self.web.headers.get("if-none-match"))
        return if_none_match is not None and if_none_match.matches(version_tag(stored.version))


def projection_of(attributes: str | None, excluded: str | None, schemas: tuple[ResourceSchema, ...]) -> Projection:
    """Return a projection; callers ask for the same few again and again."""
    if attributes and excluded:
        return read_projection(attributes, excluded, schemas)
    if attributes or excluded:
        return _projection_of(f"{'+' if attributes else '-'}{attributes or excluded}", schemas)
    return _whole(schemas)


@cached_when_short(256)
def _projection_of(asked: str, schemas: tuple[ResourceSchema, ...]) -> Projection:
    names = asked[1:]
    return read_projection(names, None, schemas) if asked[0] == "+" else read_projection(None, names, schemas)


@lru_cache(maxsize=1024)
def _whole(schemas: tuple[ResourceSchema, ...]) -> Projection:
    return read_projection(None, None, schemas)


def version_tag(version: str) -> str:
    """Return the ETag of a version: weak, as SCIM prefers (RFC 7644 §3.14)."""
    return f'W/"{version}"'


def changed_since() -> PreconditionFailedException:
    """Return the error for a version that is not the resource's any more."""
    return PreconditionFailedException(
        detail="The resource changed since the version in If-Match. Read it again and repeat the change."
    )
