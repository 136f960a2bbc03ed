"""Brings changed attribute mappings to the users that were there before: lookup rows, and one event for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scim.adapters.tables import keys
from scim.adapters.tables.directories import TableDirectoryStore
from scim.adapters.tables.mapped_attributes import matching_values
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition, in_parallel
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Value, delete, insert, replace
from scim.adapters.tables.users import commit_replace, mapping_values, moved_lookups, read_user, user_values
from scim.adapters.tables.walks import forwards
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.directories.directory_changes import end_job, note_examined
from scim.directories.errors import DirectoryNotFoundError
from scim.directories.mapping_job import SETTLING, MappingJob
from scim.events.event import Event
from scim.events.resource_events import mapping_events
from scim.resources.attempts import Attempts
from scim.resources.directory_schemas import directory_schemas
from scim.resources.errors import LostRaceError
from scim.resources.identifiers import begin_operation
from scim.resources.profile import custom_attributes
from scim.resources.storage_scope import current_storage_scope
from scim.resources.stored_document import StoredDocument

USERS_AT_ONCE = 100
"""After so many users the directory's row says how far the job is; a crash repeats no event all the same."""
SECONDS_KEPT = 15.0
_PAGE = 250

Mappings = tuple[AttributeMapping, ...]


@dataclass(frozen=True, slots=True)
class MappingChanges:
    """Carries out the jobs of directories. Any number of machines may do so at once, and stop at any point."""

    directories: TableDirectoryStore
    partition_of: Callable[[Directory], Partition]
    ask: Callable[[str], None]
    """Asks for :meth:`proceed` soon, and does not wait; the sweep follows in any case."""
    service_time: Callable[[], Awaitable[datetime]]
    """The time by storage's clock."""

    async def proceed(self, directory: Directory) -> None:
        """Go on with the job of a directory just read, as far as time allows."""
        job = directory.mapping_job
        if job is None or not await self._has_settled(directory, job):
            return
        change = await self._change(directory, job)
        if change is None:
            return
        users: list[StoredDocument] = []
        async for user in forwards(change.partition, ["User"], job.after, _PAGE):
            users.append(user)
            if len(users) < USERS_AT_ONCE:
                continue
            job, users = await self._brought(change, job, users), []
            if not await self._is_current(directory, job) or current_storage_scope().remaining() < SECONDS_KEPT:
                self.ask(directory.id)
                return
        job = await self._brought(change, job, users)
        ended = await self.directories.update_directory(directory.id, lambda old: end_job(old, job))
        if ended.mapping_job is None:
            await self.directories.forget_mappings(directory.id, job.revision)

    async def _has_settled(self, directory: Directory, job: MappingJob) -> bool:
        """Tell whether no process goes by the mappings before the job any more, by storage's clock."""
        if not job.is_to_settle:
            return True
        changed = await self.directories.mappings_replaced_at(directory.id, job.revision - 1)
        return changed is not None and await self.service_time() - changed >= SETTLING

    async def _change(self, directory: Directory, job: MappingJob) -> _Change | None:
        """Return what is to be brought, or None when another machine has come to the end of it."""
        former: dict[int, Mappings] = {}
        for basis in job.bases:
            mappings = await self.directories.former_mappings(directory.id, basis.revision)
            if mappings is None:
                return None
            former[basis.revision] = mappings
        return _Change(self.partition_of(directory), directory.attribute_mappings, job, former)

    async def _brought(self, change: _Change, job: MappingJob, users: Sequence[StoredDocument]) -> MappingJob:
        if not users:
            return job
        updated = await in_parallel(users, change.bring)
        if any(updated):
            await relay(change.partition)  # reads of the directory stay cheap while the outbox is short
        return job.advanced(users[-1].id, len(users), sum(updated))

    async def _is_current(self, directory: Directory, job: MappingJob) -> bool:
        """Write down how far a job is, and tell whether no other has taken its place."""
        try:
            noted = await self.directories.update_directory(directory.id, lambda old: note_examined(old, job))
        except DirectoryNotFoundError:
            return False
        return noted.mapping_job is not None and noted.mapping_job.revision == job.revision


@dataclass(frozen=True, slots=True)
class _Change:
    """New mappings, and those that users were told of before."""

    partition: Partition
    mappings: Mappings
    job: MappingJob
    former: Mapping[int, Mappings]

    async def bring(self, user: StoredDocument) -> bool:
        """Bring the mappings to a user, and return whether there is an event of it.

        :raises LostRaceError: When others kept changing the user.
        """
        async for _ in Attempts():
            events = self._events(user)
            found_by = matching_values(self.partition.attributes, user.document())
            if not events and found_by == user.matching:
                return False
            try:
                await _rewrite(self.partition, user, events, found_by, self.job.revision)
            except LostRaceError:
                read = await read_user(self.partition, user.id)
                if read is None:
                    return False
                user = read
            else:
                return bool(events)
        raise LostRaceError

    def _events(self, user: StoredDocument) -> list[Event]:
        if user.announced >= self.job.revision:
            return []
        document = user.document()
        basis = user.announced if user.announced in self.former else self.job.basis_of(user.id)
        before, after = (
            custom_attributes(mappings, directory_schemas(mappings).user, document)
            for mappings in (self.former[basis], self.mappings)
        )
        return mapping_events(document, before, self.job.actor.to_json()) if before != after else []


async def _rewrite(
    partition: Partition, user: StoredDocument, events: Sequence[Event], found_by: Sequence[str], revision: int
) -> None:
    """Store a user's lookup rows by new mappings; with an event it has a new version, the document stays as it is."""
    operation = begin_operation(user.version)
    values: dict[str, Value] = {
        **user_values(user.text, user.document(), operation, user.created),
        **mapping_values(revision if events else user.announced, found_by),
        **(user.kept or {}),
    }
    if not events:
        values |= {"version": user.version, "modified": user.last_modified}
    removed, added = moved_lookups(keys.matching(user.matching, user.id), keys.matching(found_by, user.id))
    writes = [
        replace(keys.document(user.id), values, user.etag),
        *(insert(key, {"id": user.id}) for key in added),
        *(delete(key) for key in removed),
    ]
    if events:
        writes.append(outbox_insert(partition, operation, events, Tally()))
    await commit_replace(partition, writes, "userName")
