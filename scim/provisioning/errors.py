"""SCIM errors that the protocol library does not know."""

from __future__ import annotations

from scim2_models import SCIMException


class ServiceUnavailableException(SCIMException):
    """What is needed to answer is out of reach for now; the answer carries Retry-After (RFC 9110 §15.6.4)."""

    status = 503
    _default_detail = "The service cannot answer for the moment. Try again shortly."

    def __init__(self, *, detail: str | None = None, retry_after: int = 5) -> None:
        super().__init__(detail=detail)
        self.retry_after = retry_after
