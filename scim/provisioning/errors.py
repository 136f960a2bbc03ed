"""Errors in SCIM form: those the protocol library does not know, and what storage errors mean to a caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scim2_models import (
    InvalidValueException,
    NotFoundException,
    PayloadTooLargeException,
    SCIMException,
    TooManyException,
    UniquenessException,
)

from scim.directories.error_lookup import entry_of
from scim.directories.errors import (
    DirectoryError,
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    InvalidValueError,
    SecretStoreError,
)
from scim.fair_share import NoTurnError
from scim.readable_request import UnreadableRequestError
from scim.resources.errors import (
    LimitExceededError,
    LostRaceError,
    ResourceMissingError,
    StorageUnavailableError,
    TooManyMembersError,
    TooManyRowsError,
    UnknownMembersError,
    ValueTakenError,
)


class ServiceUnavailableException(SCIMException):
    """What is needed to answer is out of reach for now; the answer carries Retry-After (RFC 9110 §15.6.4)."""

    status = 503
    _default_detail = "The service cannot answer for the moment. Try again shortly."

    def __init__(self, *, detail: str | None = None, retry_after: int = 5) -> None:
        super().__init__(detail=detail)
        self.retry_after = retry_after


class TooManyRequestsException(SCIMException):
    """A directory asks more at once than its share; the answer carries Retry-After (RFC 6585 §4)."""

    status = 429
    _default_detail = (
        "This directory sends more requests at once than are answered at once. "
        "Repeat the request after the seconds in Retry-After."
    )

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class RefusedOrderException(SCIMException):
    """The directory is in a state that does not allow what is asked for (RFC 7644 §3.12, 409)."""

    status = 409
    _default_detail = "The directory is being changed, and does not take this request now. Repeat it later."


_NO_DIRECTORY = "This directory does not exist any more. Check the Tenant URL."
_LOST_RACE = "The resource is being changed by many requests at once. Repeat the request."
_TOO_MANY_MEMBERS = (
    "The group has more members than one answer can hold. Read it with excludedAttributes=members, "
    'and ask for a membership with the filter id eq "…" and members eq "…".'
)
_TOO_MANY_ROWS = (
    "Answering this needs more resources to be read than one request may. Filter on userName, externalId, id, "
    'emails[type eq "work"].value or a group\'s displayName, which are matched quickly, '
    "or page with a cursor and without sortBy."
)


def _missing(resource_id: str) -> str:
    return f"{shown(resource_id)} does not exist in this directory, or no longer."


def _taken(attribute: str) -> str:
    kind = "user" if attribute == "userName" else "group"
    return (
        f"Another {kind} of this directory has this {attribute}; letter case makes no difference. "
        f"Give this {kind} another {attribute}, or delete the other {kind}."
    )


def _unknown_members(member_ids: Sequence[str]) -> str:
    named = ", ".join(shown(member_id) for member_id in member_ids[:5])
    more = f" and {len(member_ids) - 5} more" if len(member_ids) > 5 else ""  # noqa: PLR2004 - what a sentence can hold
    return f"No user or group of this directory has the id {named}{more}. Provision the member first, then add it."


def shown(text: str) -> str:
    """Return a caller's text as an error shows it: in quotes, shortened, without control characters."""
    printable = "".join(character if character.isprintable() else "�" for character in text[:60])
    return f'"{printable}{"…" if len(text) > 60 else ""}"'  # noqa: PLR2004 - what a sentence can hold


_TRANSLATIONS: dict[type[Exception], Callable[[Any], SCIMException]] = {
    NoTurnError: lambda error: TooManyRequestsException(error.retry_after),
    UnreadableRequestError: lambda error: InvalidValueException(detail=str(error)),
    ResourceMissingError: lambda error: NotFoundException(detail=_missing(error.resource_id)),
    ValueTakenError: lambda error: UniquenessException(detail=_taken(error.attribute)),
    UnknownMembersError: lambda error: InvalidValueException(detail=_unknown_members(error.member_ids)),
    TooManyMembersError: lambda _: TooManyException(detail=_TOO_MANY_MEMBERS),
    TooManyRowsError: lambda _: TooManyException(detail=_TOO_MANY_ROWS),
    LimitExceededError: lambda error: PayloadTooLargeException(detail=error.limit),
    LostRaceError: lambda _: ServiceUnavailableException(detail=_LOST_RACE, retry_after=1),
    StorageUnavailableError: lambda error: ServiceUnavailableException(retry_after=error.retry_after),
    DirectoryStoreUnavailableError: lambda error: ServiceUnavailableException(retry_after=error.retry_after),
    SecretStoreError: lambda error: ServiceUnavailableException(retry_after=getattr(error, "retry_after", None) or 5),
    DirectoryNotFoundError: lambda _: NotFoundException(detail=_NO_DIRECTORY),
    InvalidValueError: lambda error: InvalidValueException(detail=f"{error}."),
    DirectoryError: lambda _: RefusedOrderException(),
}


def scim_error(error: Exception) -> SCIMException | None:
    """Return what a storage error is in SCIM, with a sentence that says what to change; None for an error of ours."""
    if isinstance(error, SCIMException):
        return error
    translation = entry_of(error, _TRANSLATIONS)
    return translation(error) if translation else None


def let_go(error: BaseException | None) -> None:
    """Drop what an error that was answered still holds of its request.

    Its traceback leads to frames that lead to the error again; such circles, with the bodies in them, stay until a
    collection finds them, which comes by the number of objects, not by their size.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
