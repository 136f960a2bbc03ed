"""How much one request may hold: far more than an identity provider sends, and so little that none stops the process.

Each limit is checked before work begins and before anything of the request is kept (docs/decisions/0035). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from functools import lru_cache, wraps
from typing import Any, TypeVar

from scim2_models import InvalidPathException, InvalidValueException, TooManyException

MAX_NAME_LENGTH = 1000
"""Characters of an attribute's name, of a path, and of a bulk operation's path or id."""
MAX_ENTRIES = 1000
"""Values of one attribute; a group's members have rows of their own, and no such limit."""
MAX_MEMBERS = 1000
"""Attributes of a resource, of an extension and of a complex attribute."""
MAX_OPERATIONS = 1000
"""Operations of a PATCH, and attributes that they write together."""
MAX_PATH_COMPARISONS = 20
"""Comparisons between the brackets of a path."""
MAX_BULK_PATCH_OPERATIONS = 10_000
"""PATCH operations of a bulk request together."""
MAX_VISITS = 1_000_000
"""Entries that the operations of a PATCH look at or change, each counted as often as that happens."""
MAX_JSON_CONTAINERS = 100_000
"""Objects and lists of a body: so many are read within 30 ms, in which nothing else can run."""

_LONGEST_CACHED = 200

S = TypeVar("S")
R = TypeVar("R")


def require_short_name(name: str) -> None:
    """Refuse an attribute's name that is too long.

    :raises InvalidValueException: Saying what to change.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidValueException(
            detail=f"The name of an attribute is longer than {MAX_NAME_LENGTH:,} characters; shorten it."
        )


def require_short_path(path: str) -> None:
    """Refuse a path that is too long.

    :raises InvalidPathException: Saying what to change.
    """
    if len(path) > MAX_NAME_LENGTH:
        raise InvalidPathException(detail=f"The path is longer than {MAX_NAME_LENGTH} characters; shorten it.")


def require_few_entries(entries: Sized, path: str, *, before: int = 0) -> None:
    """Refuse more values of an attribute than it may have; one that had more already may keep or lose some.

    :param path: How the caller named the attribute.
    :raises TooManyException: Saying what to change.
    """
    if len(entries) > max(MAX_ENTRIES, before):
        raise TooManyException(detail=f"{path[:80]} would have more than {MAX_ENTRIES:,} values; send fewer.")


def require_few_members(members: Sized, name: str, *, before: int = 0) -> None:
    """Refuse more members of an object than it may have; one that had more already may keep or lose some.

    :raises TooManyException: Saying what to change.
    """
    if len(members) > max(MAX_MEMBERS, before):
        raise TooManyException(detail=f"{name[:80]} would have more than {MAX_MEMBERS:,} attributes; send fewer.")


def cached_when_short(entries: int) -> Callable[[Callable[[str, S], R]], Callable[[str, S], R]]:
    """Return a decorator that keeps results by a caller's text: at most so many, and of short texts only.

    So what a cache holds of a caller's is bounded in bytes, and what is longer than anybody writes is never kept.
    """

    def decorate(function: Callable[[str, S], R]) -> Callable[[str, S], R]:
        cached: Any = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def call(text: str, schema: S) -> R:
            result: R = (function if len(text) > _LONGEST_CACHED else cached)(text, schema)
            return result

        return call

    return decorate
