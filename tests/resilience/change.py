"""One change under faults: what is sent, and what is true once it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from scim.directories.errors import DirectoryStoreUnavailableError
from scim.resources.errors import StorageUnavailableError
from tests.resilience.scene import Scene
from tests.service import Answer

Step = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """A request and what must hold of it."""

    send: Callable[[], Awaitable[Answer]]
    holds: Step
    """Asserts that the change is there, in full."""
    arrange: Step = nothing
    """Makes, right before, what cannot be made for many changes at once."""
    is_whole: Step = nothing
    """Asserts that readers see the change in full or not at all, whatever happened to it."""


@dataclass(frozen=True, slots=True)
class WriteKind:
    """A kind of write: makes any number of changes, each on resources of its own."""

    prepare: Callable[[Scene, int], Awaitable[Sequence[Change]]]
    success: int
    repeated: int = 0
    """What a repetition may answer in the place of success, when the first request was done but not answered."""
    is_replayable: bool = True
    """Whether the feed still holds everything afterwards."""
    events_per_row: int = 500
    """How many members of a new group are announced at once."""


async def in_background(work: Step) -> Answer:
    """Return how background work ended as if it had been asked for by a request: it is repeated after a failure."""
    try:
        await work()
    except (StorageUnavailableError, DirectoryStoreUnavailableError) as error:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, None, {"Retry-After": str(error.retry_after)}, 0)
    return Answer(HTTPStatus.OK, None, {}, 0)
