"""Doing again what lost a race against another request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from scim.resources.attempts import Attempts
from scim.resources.errors import LostRaceError

Result = TypeVar("Result")


async def decided_anew(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Return the result of an attempt, which reads, decides and commits; after a lost race it is made again.

    A request without If-Match never sees a 412: its change is applied to what the other request left. With If-Match
    the new attempt finds another version and refuses it, unless only the state of a row had changed, not the resource.

    :raises PreconditionFailedException: When the race was lost to another version than the request names.
    :raises LostRaceError: When races kept being lost for 10 s.
    """
    async for _ in Attempts():
        try:
            return await attempt()
        except LostRaceError:
            continue
    raise LostRaceError
