"""Deletes directories: at once for the identity provider, in the background for what is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from scim.directories.actor import current_actor, note_change
from scim.directories.directory import Directory
from scim.directories.directory_changes import begin_deletion, deleted_event, note_removed
from scim.directories.errors import DirectoryNotFoundError
from scim.directories.interfaces import DirectoryStore, SecretStore
from scim.directories.organization_events import OrganizationEvent, OrganizationEvents, note_event
from scim.directories.staleness import MARGIN
from scim.directories.token_events import untold_events

QUIET = MARGIN
"""By then nobody writes into the directory any more, not even a process that the table does not answer."""


class DirectoryRows(Protocol):
    """The rows that a directory has in tables of its own partition."""

    async def remove(self, directory: Directory, removed: Callable[[int], Awaitable[None]]) -> bool:
        """Remove them, and return whether none is left; False when there is no time for all of them.

        Anybody may do the same at the same time, and stop at any point.

        :param removed: Told how many rows more are gone.
        """
        ...


class DirectoryDeletion:
    """Deletes a directory in steps that may be repeated, by anybody and after a crash between any two.

    The row says first that the directory is being deleted, which stops SCIM. Its resources and its secret go next.
    When nobody can have it in memory any more, what was written meanwhile goes, too; the organization's feed is told,
    and the row and the entries that lead to it go last.
    """

    def __init__(
        self,
        store: DirectoryStore,
        secret_store: SecretStore,
        events: OrganizationEvents,
        rows: DirectoryRows,
        *,
        ask: Callable[[str], None],
        now: Callable[[], datetime],
        service_time: Callable[[], Awaitable[datetime]],
    ) -> None:
        """Use these stores.

        :param ask: Asks for :meth:`proceed` soon, and does not wait; the sweep follows in any case.
        :param service_time: The time by storage's clock.
        """
        self._store = store
        self._secrets = secret_store
        self._events = events
        self._rows = rows
        self._ask = ask
        self._now = now
        self._service_time = service_time

    async def begin(self, directory_id: str) -> Directory:
        """Return the directory as one that is being deleted: refused everywhere within 30 s. Two storage requests.

        Doing it again changes nothing.

        :raises DirectoryNotFoundError: When there is none of this id.
        """
        actor, begins = current_actor(), False

        def begin(old: Directory) -> Directory:
            nonlocal begins
            begins = old.deletion is None
            return begin_deletion(old, self._now(), actor)

        directory = await self._store.update_directory(directory_id, begin, deleting=True)
        if begins:
            note_change("directory.deleting", directory_id, actor, organization_id=directory.organization_id)
        self._ask(directory_id)
        return directory

    async def proceed(self, directory: Directory) -> None:
        """Go on with the deletion of a directory just read, as far as time allows; others may do the same."""
        if directory.deletion is None:
            return
        quiet = await self._is_quiet(directory)
        if not await self._rows.remove(directory, lambda rows: self._note(directory.id, rows)):
            self._ask(directory.id)
            return
        await self._secrets.delete(directory.secret_name)
        if quiet:
            await self._tell(directory)
            await self._store.forget_directory(directory)

    async def _is_quiet(self, directory: Directory) -> bool:
        """Tell whether the row has said for long enough that the directory is being deleted, by storage's clock.

        A row that was written again meanwhile waits anew: it tells of its last writing only.
        """
        written = directory.written_at
        return written is not None and await self._service_time() - written >= QUIET

    async def _tell(self, directory: Directory) -> None:
        now = self._now()
        untold: tuple[OrganizationEvent, ...] = (*directory.untold, *untold_events(directory, now))
        for event in (*untold, deleted_event(directory, now)):
            await self._events.tell(event)
            note_event(event)

    async def _note(self, directory_id: str, rows: int) -> None:
        with suppress(DirectoryNotFoundError):  # others were faster
            await self._store.update_directory(directory_id, lambda old: note_removed(old, rows), deleting=True)
