"""What went wrong, as a page that says what to do; never a text of a library, a stack trace or another's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scim.directories.error_lookup import entry_of
from scim.directories.errors import (
    DirectoryBusyError,
    DirectoryDeletingError,
    DirectoryError,
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    IdUsedError,
    InvalidValueError,
    LinkNotFoundError,
    LinkUsedUpError,
    NewerRowsError,
    OrganizationNotFoundError,
    SecretStoreError,
    TokenEndedError,
    TokenNotFoundError,
    TokensFullError,
)
from scim.events.feed import CursorExpiredError
from scim.events.organization_feed import TooManyDirectoriesError
from scim.fair_share import NoTurnError
from scim.json_body import UnreadableBodyError
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


class PortalProblem(Exception):  # noqa: N818 - the pages' word, as RFC 9457 has it for programs
    """An answer that is a page about a problem."""

    def __init__(
        self,
        status: int,
        title: str,
        text: str,
        headers: Mapping[str, str] | None = None,
        *,
        asks_for_link: bool = False,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text
        self.headers = headers or {}
        self.asks_for_link = asks_for_link


def not_found() -> PortalProblem:
    """Return the problem of what does not exist, or is not the session's to see: the two look alike."""
    return PortalProblem(
        404, "This page does not exist", "The address is wrong, or what it named is gone. Go back to the start."
    )


def no_session(method: str = "GET") -> PortalProblem:
    """Return the problem of a visit without an open session, which for a form says that it did nothing."""
    saved = "" if method == "GET" else " Nothing was changed: send the form again then."
    return PortalProblem(
        401,
        "Open the portal with your link",
        "Your session has ended, or there is none in this browser. "
        "One ends after 8 hours, or 30 minutes after its last use. "
        "Open your link once more; most open the portal once, so if yours was used, ask whoever sent it for a new one."
        f"{saved}",
        asks_for_link=True,
    )


def two_sessions(method: str = "GET") -> PortalProblem:
    """Return the problem of a browser that sends two sessions, of which another site may have set one."""
    saved = "" if method == "GET" else " Nothing was changed."
    return PortalProblem(
        401,
        "This browser sends two sessions",
        "Another site of the same domain may have set one of them, so neither is taken. "
        f"Delete the cookies of this site in your browser, then open the link that you were sent once more.{saved}",
    )


def no_entry() -> PortalProblem:
    """Return the problem of a link that opens nothing, the same for every cause."""
    return PortalProblem(
        403,
        "This link does not open the portal",
        "It was not copied as a whole, it has expired, or it was revoked. Ask whoever sent it for a new one.",
        asks_for_link=True,
    )


def _used_up(_: Exception) -> PortalProblem:
    return PortalProblem(
        403,
        "This link was used already",
        "It opens the portal as often as whoever sent it has chosen, mostly once, and it was used that often. "
        "If that was you in another browser, go on there. Otherwise ask whoever sent it for a new one, and tell them "
        "if nobody of yours used it.",
        asks_for_link=True,
    )


def foreign_form() -> PortalProblem:
    """Return the problem of a form that this portal did not make for this session."""
    return PortalProblem(
        403,
        "This form did not come from your session",
        "It was made before the portal was opened once more, or by another site. "
        "Nothing was changed. Go back, load the page again, and repeat what you did.",
    )


def form_too_old() -> PortalProblem:
    """Return the problem of a form whose new id may not be used any more."""
    return PortalProblem(
        410,
        "This form was open for more than an hour",
        "Nothing was changed. Open its page again, and send the form then.",
    )


def failure() -> PortalProblem:
    """Return the problem of a failure of ours."""
    return PortalProblem(
        500,
        "Something failed on our side",
        "It was logged. Go back and look whether your change was saved; then try again.",
    )


def not_allowed(method: str) -> PortalProblem:
    """Return the problem of an address that takes another method."""
    return PortalProblem(405, "This address is no page", "Go back to the start.", {"Allow": method})


def problem_of(error: Exception) -> PortalProblem | None:
    """Return the problem that an error is to an administrator, or None for a failure of ours."""
    if isinstance(error, PortalProblem):
        return error
    translation = entry_of(error, _TRANSLATIONS)
    return translation(error) if translation else None


def _secrets_unavailable(error: SecretStoreError) -> PortalProblem:
    return PortalProblem(
        503,
        "No token can be made at the moment",
        "The place where tokens are kept does not answer. Nothing was changed. Try again in a minute.",
        {"Retry-After": str(getattr(error, "retry_after", None) or 60)},
    )


def _unavailable(error: Any) -> PortalProblem:
    return PortalProblem(
        503,
        "The portal does not answer at the moment",
        "Load the page again in a minute. If you were changing something, look first whether it was saved.",
        {"Retry-After": str(getattr(error, "retry_after", 5))},
    )


def _newer_rows(error: NewerRowsError) -> PortalProblem:
    return PortalProblem(
        503, "This connection cannot be shown for the moment", error.sentence, {"Retry-After": str(error.retry_after)}
    )


def _tokens_full(_: Exception) -> PortalProblem:
    return PortalProblem(
        409,
        "There are two valid tokens already",
        "Enter the newer one in your identity provider and revoke the older one; then a new one can be made.",
    )


def _id_used(_: Exception) -> PortalProblem:
    return PortalProblem(
        409,
        "This form made a connection that is gone",
        "It was sent before, and what it made was deleted since. Nothing was changed. Open the provider's page again.",
    )


def _invalid(error: InvalidValueError) -> PortalProblem:
    return PortalProblem(422, "A value was not accepted", f"{str(error).capitalize()}. Nothing was changed.")


def _refused(_: Exception) -> PortalProblem:
    return PortalProblem(
        409, "This cannot be done as things are", "Something has changed meanwhile. Load the page again, and try again."
    )


def _too_much(_: Exception) -> PortalProblem:
    return PortalProblem(
        413, "This is too much for one page", "Search for less at once: by a name, an e-mail address or a group."
    )


def _no_turn(error: NoTurnError) -> PortalProblem:
    return PortalProblem(
        429,
        "Too many pages are asked for at once",
        "Nothing was changed. Load the page again in a few seconds.",
        {"Retry-After": str(error.retry_after)},
    )


def unreadable(sentence: str) -> PortalProblem:
    """Return the problem of a request or a form that is no text."""
    return PortalProblem(400, "This could not be read", f"{sentence} Nothing was changed. Go back and try again.")


_TRANSLATIONS: Mapping[type[Exception], Callable[[Any], PortalProblem]] = {
    NoTurnError: _no_turn,
    UnreadableRequestError: lambda error: unreadable(str(error)),
    InvalidValueError: _invalid,
    OrganizationNotFoundError: lambda _: no_session(),
    DirectoryDeletingError: lambda _: PortalProblem(
        409, "This connection is being deleted", "It can no longer be changed, and will be gone within minutes."
    ),
    DirectoryNotFoundError: lambda _: not_found(),
    TokenNotFoundError: lambda _: not_found(),
    LinkNotFoundError: lambda _: not_found(),
    LinkUsedUpError: _used_up,
    ResourceMissingError: lambda _: not_found(),
    IdUsedError: _id_used,
    TokensFullError: _tokens_full,
    TokenEndedError: _tokens_full,
    DirectoryBusyError: _unavailable,
    NewerRowsError: _newer_rows,
    DirectoryStoreUnavailableError: _unavailable,
    StorageUnavailableError: _unavailable,
    SecretStoreError: _secrets_unavailable,
    LostRaceError: _unavailable,
    CursorExpiredError: lambda _: not_found(),
    DirectoryError: _refused,
    UnreadableBodyError: _refused,
    **dict.fromkeys((LimitExceededError, TooManyMembersError, TooManyRowsError, TooManyDirectoriesError), _too_much),
    **dict.fromkeys((ValueTakenError, UnknownMembersError), _refused),
}
