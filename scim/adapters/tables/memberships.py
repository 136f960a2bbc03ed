"""Membership rows: both ways, one transaction for up to 30 members, never reading the member list to change one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from scim.adapters.tables import keys
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import (
    MAX_TRANSACTION_WRITES,
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    TransactionRefusedError,
    Value,
    Write,
    delete,
    insert,
    merge,
)
from scim.events.event import Event
from scim.events.resource_events import membership_events
from scim.resources.attempts import Attempts
from scim.resources.errors import LostRaceError, ResourceMissingError, UnknownMembersError
from scim.resources.identifiers import Operation, begin_operation
from scim.resources.membership import Member, MembershipChange

MEMBERS_PER_TRANSACTION = 30
"""Three writes a member, and room for the group's own rows and the outbox row below the limit of 100."""


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """What a transaction writes of the group itself, beside members: its writes, the first guarded, and events."""

    writes: Sequence[Write] = ()
    events: Sequence[Event] = ()
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Members:
    """Members to add and ids to remove, in one transaction or several."""

    added: Sequence[Member] = ()
    removed: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.added) + len(self.removed)

    def parts(self) -> Iterator[Members]:
        """Yield parts that each fit a transaction; the removals come first."""
        whole: list[Member | str] = [*self.removed, *self.added]
        for start in range(0, len(whole), MEMBERS_PER_TRANSACTION):
            part = whole[start : start + MEMBERS_PER_TRANSACTION]
            yield Members(
                [member for member in part if isinstance(member, Member)],
                [member for member in part if isinstance(member, str)],
            )


def version_merge(group_id: str, operation: Operation, etag: str = "*") -> Write:
    """Return the write that gives a group its new version, and that fails when the group does not exist."""
    return merge(keys.group_version(group_id), {"version": operation.id, "modified": operation.time}, etag)


def member_writes(group_id: str, members: Members) -> list[Write]:
    """Return the rows of members that come and go. Touching the anchor proves that a new member exists."""
    writes: list[Write] = []
    for member_id in members.removed:
        writes += membership_removal(group_id, member_id)
    for member in members.added:
        shown: dict[str, Value] = {"display": member.display} if member.display else {}
        writes += [
            merge(keys.anchor(member.id), {}),
            insert(keys.membership(group_id, member.id), shown),
            insert(keys.membership_of(member.id, group_id), {}),
        ]
    return writes


def membership_removal(group_id: str, member_id: str) -> list[Write]:
    """Return the writes that remove one membership, both ways."""
    return [delete(keys.membership(group_id, member_id)), delete(keys.membership_of(member_id, group_id))]


async def change_members(
    partition: Partition, group_id: str, change: MembershipChange, operation: Operation, *, guard: str = "*"
) -> tuple[str, bool]:
    """Add and remove members, and return the group's version and whether anything changed.

    One storage request for each 30 members that are all new, or all there, and one more for each 100 when there are
    more than 30. Where some are there or gone already, which is no error, the rows are looked up one by one and only
    what differs is written.

    :param guard: The state the group's version row must be in.
    :raises ResourceMissingError: When the group does not exist.
    :raises UnknownMembersError: When a member to add does not exist; then nothing was changed.
    :raises LostRaceError: When the guard does not hold, or others kept changing the same members.
    """
    commits = _Commits(partition, group_id, operation, guard)
    wanted = Members(change.added, change.removed)
    if wanted and not change.replace_all:
        await require_members(partition, wanted)
        try:
            await commits.add(wanted)
        except (RowExistsError, RowMissingError) as refused:
            _raise_if_missing(refused, group_id)
        except TransactionRefusedError as refused:
            if commits.guard != "*":
                raise LostRaceError from refused
        else:
            return commits.version, True
    return await _change_what_differs(commits, change)


@dataclass(slots=True)
class _Commits:
    """The transactions by which one request changes a group's members, each a step in the group's versions."""

    partition: Partition
    group_id: str
    operation: Operation
    """What the next transaction is known by."""
    required: str
    """The state that the caller requires the group's version row to be in before the first of them."""
    version: str = ""
    """The version after the last transaction, empty before the first."""
    state: str = ""
    """The state that the row must still be in for the next one, empty for any."""

    @property
    def guard(self) -> str:
        """The condition of the next transaction on the version row."""
        return self.state or ("*" if self.version else self.required)

    def follow(self, seen: Row, *, closely: bool) -> None:
        """Write next what differs from a state that was seen.

        :param closely: Whether nobody else may change the group before all of it is written.
        :raises LostRaceError: When the caller requires another state.
        """
        if not self.version and self.required not in ("*", seen.etag):
            raise LostRaceError
        self.state = seen.etag if closely else ""

    async def add(self, members: Members) -> None:
        """Add and remove members, in as many transactions as it takes."""
        for part in members.parts():
            # One that is refused may have been applied all the same: its id is not used again.
            operation, self.operation = self.operation, begin_operation(after=self.operation.id)
            events = membership_events(self.group_id, [member.id for member in part.added], part.removed)
            writes = [
                version_merge(self.group_id, operation, self.guard),
                *member_writes(self.group_id, part),
                outbox_insert(self.partition, operation, events, Tally()),
            ]
            await self._commit(writes, operation)

    async def _commit(self, writes: Sequence[Write], operation: Operation) -> None:
        try:
            etag = (await self.partition.commit(writes))[0]
        except TransactionRefusedError as refused:
            _raise_if_unknown(refused, writes)
            raise
        self.version = operation.id
        if self.state and not etag:  # Applied, but its answer was lost: others may have changed the members since.
            raise RowChangedError(0, uncertain=True)
        self.state = etag if self.state else ""


def _raise_if_unknown(refused: TransactionRefusedError, writes: Sequence[Write]) -> None:
    unknown = unknown_member_of(refused, writes[refused.index])
    if unknown is not None:
        raise UnknownMembersError([unknown]) from refused


def unknown_member_of(refused: TransactionRefusedError, write: Write) -> str | None:
    """Return the id of the member whose missing anchor refused a transaction, or None when that was not the cause."""
    missing = isinstance(refused, RowMissingError) and write.kind == "merge" and write.key.startswith("r|")
    return keys.last_id(write.key) if missing else None


def _raise_if_missing(refused: TransactionRefusedError, group_id: str) -> None:
    if isinstance(refused, RowMissingError) and refused.index == 0:
        raise ResourceMissingError(group_id) from refused


async def _change_what_differs(commits: _Commits, change: MembershipChange) -> tuple[str, bool]:
    async for _ in Attempts():
        version, members = await differing_members(commits.partition, commits.group_id, change)
        commits.follow(version, closely=change.replace_all)
        if not members:
            return str(version.values["version"]), bool(commits.version)
        await require_members(commits.partition, members)
        try:
            await commits.add(members)
        except TransactionRefusedError as refused:
            _raise_if_missing(refused, commits.group_id)
            continue
        return commits.version, True
    raise LostRaceError


async def differing_members(partition: Partition, group_id: str, change: MembershipChange) -> tuple[Row, Members]:
    """Return a group's version row and what of a change is not so already.

    :raises ResourceMissingError: When the group does not exist.
    """
    if change.replace_all:
        version = await partition.read(keys.group_version(group_id))
        present = {member.id async for member in read_members(partition, group_id)}
    else:
        version, present = await _present(partition, group_id, list(change.members))
    if version is None:
        raise ResourceMissingError(group_id)
    added = [member for member in change.added if member.id not in present]
    kept = {member.id for member in change.added}
    removed = [member_id for member_id in change.removed if member_id in present]
    if change.replace_all:
        removed = sorted(present - kept)
    return version, Members(added, removed)


async def _present(partition: Partition, group_id: str, member_ids: Sequence[str]) -> tuple[Row | None, set[str]]:
    version_key = keys.group_version(group_id)
    found = await partition.read_many([version_key, *(keys.membership(group_id, member) for member in member_ids)])
    version = found.pop(version_key, None)
    return version, {keys.last_id(key) for key in found}


async def require_members(partition: Partition, members: Members) -> None:
    """Refuse a change that needs several transactions before the first one when a member does not exist.

    All anchors are touched, 100 in a storage request; where that is refused, they are read to name who is unknown.
    A change of one transaction touches them itself.

    :raises UnknownMembersError: Naming the members.
    """
    if len(members) <= MEMBERS_PER_TRANSACTION:
        return
    anchors = [keys.anchor(member.id) for member in members.added]
    try:
        for start in range(0, len(anchors), MAX_TRANSACTION_WRITES):
            await partition.commit([merge(key, {}) for key in anchors[start : start + MAX_TRANSACTION_WRITES]])
    except TransactionRefusedError as refused:
        found = await partition.read_many(anchors)
        unknown = [keys.last_id(key) for key in anchors if key not in found]
        if unknown:
            raise UnknownMembersError(unknown) from refused


async def read_members(partition: Partition, group_id: str) -> AsyncIterator[Member]:
    """Yield the members of a group in id order; one storage request for each 1000."""
    async for row in partition.rows(keys.member_range(group_id)):
        yield _member(row)


async def read_member_page(partition: Partition, group_id: str, after: str, limit: int) -> list[Member]:
    """Return up to ``limit`` members of a group behind an id, in id order. One storage request."""
    first, end = keys.member_range(group_id)
    members: list[Member] = []
    async for row in partition.rows((f"{first}{after}|" if after else first, end), page_size=limit):
        members.append(_member(row))
        if len(members) == limit:
            break
    return members


def _member(row: Row) -> Member:
    display = row.values.get("display")
    return Member(keys.last_id(row.key), str(display) if display else None)


async def read_groups_of(partition: Partition, member_id: str) -> AsyncIterator[str]:
    """Yield the ids of the groups a user or group is a direct member of; one storage request for each 1000."""
    async for row in partition.rows(keys.group_range_of(member_id)):
        yield keys.last_id(row.key)
