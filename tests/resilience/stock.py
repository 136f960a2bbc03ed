"""What tests begin with: users and groups made at the store, since making them is not what is tested."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from scim.adapters.tables.memberships import MEMBERS_PER_TRANSACTION
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Write
from scim.adapters.tables.users import user_inserts
from scim.events.resource_events import created_events
from scim.resources.identifiers import begin_operation, new_resource_id
from scim.resources.interfaces import ResourceStore
from scim.resources.membership import Member, MembershipChange
from scim.resources.schema import GROUP_URN, USER_URN

_AT_ONCE = 8
_USERS_PER_TRANSACTION = 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stock:
    """Fills a directory."""

    store: ResourceStore
    partition: Partition

    async def user(self, **attributes: Any) -> str:
        """Create a user and return its id."""
        document = {"schemas": [USER_URN], "id": new_resource_id("User"), "userName": unique(), **attributes}
        return (await self.store.create_user(document, begin_operation())).id

    async def users(self, count: int, **attributes: Any) -> list[str]:
        """Create users, many in a transaction, and return their ids."""
        made: list[str] = []
        while len(made) < count:
            writes: list[Write] = []
            for _ in range(min(count - len(made), _USERS_PER_TRANSACTION)):
                document = {"schemas": [USER_URN], "id": new_resource_id("User"), "userName": unique(), **attributes}
                writes += self._creation(document)
                made.append(document["id"])
            await self.partition.commit(writes)
        return made

    def _creation(self, document: dict[str, Any]) -> list[Write]:
        operation = begin_operation()
        tally = Tally(users=1, active=int(document.get("active") is not False), created=document["id"])
        events = created_events("User", document)
        return [*user_inserts(document, operation), outbox_insert(self.partition, operation, events, tally)]

    async def group(self, members: Sequence[str] = (), name: str = "") -> str:
        """Create a group and return its id."""
        document = {"schemas": [GROUP_URN], "id": new_resource_id("Group"), "displayName": name or unique()}
        first = [Member(each) for each in members[:MEMBERS_PER_TRANSACTION]]
        group = await self.store.create_group(document, first, begin_operation())
        await self.join(group.id, members[MEMBERS_PER_TRANSACTION:])
        return group.id

    async def groups(self, count: int, members: Sequence[str] = ()) -> list[str]:
        """Create groups and return their ids."""
        return await at_once([self.group(members) for _ in range(count)])

    async def join(self, group_id: str, members: Sequence[str]) -> None:
        """Add members to a group."""
        for start in range(0, len(members), MEMBERS_PER_TRANSACTION):
            part = {each: Member(each) for each in members[start : start + MEMBERS_PER_TRANSACTION]}
            await self.store.change_members(group_id, MembershipChange(part), begin_operation())


def unique() -> str:
    """Return a text that no other has."""
    return uuid4().hex


async def at_once(work: Sequence[Awaitable[T]], number: int = _AT_ONCE) -> list[T]:
    """Return the results of work of which a few are under way at once."""
    places = asyncio.Semaphore(number)

    async def run(each: Awaitable[T]) -> T:
        async with places:
            return await each

    return list(await asyncio.gather(*map(run, work)))
