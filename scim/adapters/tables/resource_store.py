"""The resource store on Table Storage; each method's work is in the module of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scim.adapters.tables.deletions import delete_group, delete_user
from scim.adapters.tables.groups import create_group, replace_group
from scim.adapters.tables.large_groups import create_large_group
from scim.adapters.tables.lookups import read_resource
from scim.adapters.tables.memberships import (
    MEMBERS_PER_TRANSACTION,
    change_members,
    read_groups_of,
    read_member_page,
    read_members,
)
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.search import search_documents
from scim.adapters.tables.unfinished import visible_groups
from scim.adapters.tables.users import create_user, replace_user
from scim.resources.errors import LostRaceError, StorageUnavailableError, TooManyMembersError, ValueTakenError
from scim.resources.identifiers import Operation, ResourceName
from scim.resources.membership import Member, MembershipChange
from scim.resources.search import Search, SearchResult
from scim.resources.stored_document import StoredDocument


@dataclass(slots=True)
class _RelayWish:
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class TableResourceStore:
    """The users and groups of one directory: see :class:`scim.resources.interfaces.ResourceStore` for the promises."""

    partition: Partition
    changed: Callable[[str], None]
    """Called with the directory's id after each change, so that the relay follows; must not wait."""

    @contextmanager
    def _relayed(self) -> Iterator[_RelayWish]:
        """Ask for the relay after a change, and after a failure that leaves it open whether something was changed."""
        wish = _RelayWish()
        try:
            yield wish
        except (StorageUnavailableError, LostRaceError):
            self.changed(self.partition.directory_id)
            raise
        if wish.wanted:
            self.changed(self.partition.directory_id)

    async def read(self, name: ResourceName, resource_id: str) -> StoredDocument | None:
        """Return a resource, a group without its members, or None."""
        return await read_resource(self.partition, name, resource_id)

    async def search(self, search: Search) -> SearchResult:
        """Return a page of matching resources."""
        return await search_documents(self.partition, search)

    async def create_user(self, document: dict[str, Any], operation: Operation) -> StoredDocument:
        """Store a new user and return it."""
        with self._relayed():
            return await create_user(self.partition, document, operation)

    async def replace_user(self, before: StoredDocument, after: dict[str, Any], operation: Operation) -> StoredDocument:
        """Store a user's new document and return it."""
        with self._relayed():
            return await replace_user(self.partition, before, after, operation)

    async def delete_user(self, user: StoredDocument) -> None:
        """Delete a user and take it out of its groups."""
        with self._relayed():
            await delete_user(self.partition, user)

    async def create_group(
        self, document: dict[str, Any], members: Sequence[Member], operation: Operation
    ) -> StoredDocument:
        """Store a new group and return it."""
        create = create_group if len(members) <= MEMBERS_PER_TRANSACTION else create_large_group
        with self._relayed():
            return await create(self.partition, document, members, operation)

    async def replace_group(
        self,
        before: StoredDocument,
        after: dict[str, Any],
        change: MembershipChange,
        operation: Operation,
        *,
        guarded: bool,
    ) -> tuple[str, bool]:
        """Store a group's new document and member changes; return its version and whether anything changed."""
        with self._relayed() as relayed:
            version, relayed.wanted = await replace_group(
                self.partition, before, after, change, operation, guarded=guarded
            )
        return version, relayed.wanted

    async def change_members(self, group_id: str, change: MembershipChange, operation: Operation) -> tuple[str, bool]:
        """Add and remove members without reading the group; return its version and whether anything changed."""
        with self._relayed() as relayed:
            version, relayed.wanted = await change_members(self.partition, group_id, change, operation)
        return version, relayed.wanted

    async def delete_group(self, group: StoredDocument, *, guarded: bool) -> None:
        """Delete a group of any size."""
        with self._relayed():
            await delete_group(self.partition, group, guarded=guarded)

    async def members(self, group_id: str, *, limit: int) -> list[Member]:
        """Return the members of a group in id order, without groups that are being deleted."""
        members: list[Member] = []
        async for member in read_members(self.partition, group_id):
            members.append(member)
            if len(members) > limit:
                raise TooManyMembersError
        return await self._visible(members)

    async def member_page(self, group_id: str, after: str, limit: int) -> tuple[list[Member], str]:
        """Return members of a group behind an id, and the id to go on behind, empty at the end."""
        members = await read_member_page(self.partition, group_id, after, limit + 1)
        last = members[limit - 1].id if len(members) > limit else ""
        return await self._visible(members[:limit]), last

    async def _visible(self, members: list[Member]) -> list[Member]:
        visible = set(await visible_groups(self.partition, [member.id for member in members]))
        return [member for member in members if member.id in visible]

    async def holder_of(self, taken: ValueTakenError) -> str:
        """Return the id of the resource that holds a value that was taken, empty when none does any more."""
        row = await self.partition.read(taken.lookup)
        return str(row.values["id"]) if row else ""

    async def groups_of(self, user_id: str) -> list[str]:
        """Return the ids of the groups that a user is a direct member of."""
        return await visible_groups(
            self.partition, [group_id async for group_id in read_groups_of(self.partition, user_id)]
        )
