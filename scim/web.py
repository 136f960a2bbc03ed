"""An HTTP request and its response, as the surfaces see them: free of Azure Functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request. Header names are lower-case; ``path`` begins with ``/`` and is percent-decoded once."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = ""
    """Scheme and host as the caller named them; used only where no public base URL is configured."""


@dataclass(frozen=True, slots=True)
class WebResponse:
    """One response; an empty body is sent as no content."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/scim+json"


def encoded(text: str) -> bytes:
    """Return a text as the body of an answer; what UTF-8 cannot hold becomes a question mark, never an error."""
    return text.encode(errors="replace")
