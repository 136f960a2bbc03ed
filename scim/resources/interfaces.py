"""What the surfaces need of storage, for the resources of one directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from scim.resources.errors import ValueTakenError
from scim.resources.identifiers import Operation, ResourceName
from scim.resources.membership import Member, MembershipChange
from scim.resources.search import Search, SearchResult
from scim.resources.stored_document import StoredDocument


class ResourceStore(Protocol):
    """The users and groups of one directory. Every write is one transaction with its event, or says how it is split.

    Any method may raise StorageUnavailableError; a write may then have happened or not, and can be repeated.
    """

    async def read(self, name: ResourceName, resource_id: str) -> StoredDocument | None:
        """Return a resource, a group without its members, or None. One storage request."""
        ...

    async def search(self, search: Search) -> SearchResult:
        """Return a page of matching resources.

        :raises TooManyRowsError: When that needs more reading than one request may do.
        """
        ...

    async def create_user(self, document: dict[str, Any], operation: Operation) -> StoredDocument:
        """Store a new user and return it. One storage request.

        :raises ValueTakenError: When the userName is taken.
        """
        ...

    async def replace_user(self, before: StoredDocument, after: dict[str, Any], operation: Operation) -> StoredDocument:
        """Store a user's new document and return it. One storage request.

        :raises ValueTakenError: When the new userName is taken.
        :raises LostRaceError: When the user changed since it was read.
        """
        ...

    async def delete_user(self, user: StoredDocument) -> None:
        """Delete a user and take it out of its groups. 2 storage requests up to 20 groups.

        :raises LostRaceError: When the user changed since it was read.
        :raises ResourceMissingError: When another request deleted it.
        """
        ...

    async def create_group(
        self, document: dict[str, Any], members: Sequence[Member], operation: Operation
    ) -> StoredDocument:
        """Store a new group and return it; it appears whole or not at all. One storage request up to 30 members.

        :raises ValueTakenError: When the displayName is taken.
        :raises UnknownMembersError: When a member does not exist.
        """
        ...

    async def replace_group(
        self,
        before: StoredDocument,
        after: dict[str, Any],
        change: MembershipChange,
        operation: Operation,
        *,
        guarded: bool,
    ) -> tuple[str, bool]:
        """Store a group's new document and member changes; return its version and whether anything changed.

        :param guarded: Whether its members, too, must be as when it was read.
        :raises ValueTakenError, UnknownMembersError, LostRaceError: As above.
        """
        ...

    async def change_members(self, group_id: str, change: MembershipChange, operation: Operation) -> tuple[str, bool]:
        """Add and remove members without reading the group; return its version and whether anything changed.

        :raises ResourceMissingError: When the group does not exist.
        :raises UnknownMembersError: When a member to add does not exist.
        """
        ...

    async def delete_group(self, group: StoredDocument, *, guarded: bool) -> None:
        """Delete a group of any size. One storage request; membership rows go in the background.

        :raises LostRaceError: When the group changed since it was read.
        """
        ...

    async def members(self, group_id: str, *, limit: int) -> list[Member]:
        """Return the members of a group in id order.

        :raises TooManyMembersError: When there are more than ``limit``.
        """
        ...

    async def member_page(self, group_id: str, after: str, limit: int) -> tuple[list[Member], str]:
        """Return members of a group whose id is greater than ``after``, and the id to go on behind, empty at the end.

        One storage request, and one more when groups are among them.
        """
        ...

    async def holder_of(self, taken: ValueTakenError) -> str:
        """Return the id of the resource that holds a value that was taken, empty when none does any more.

        One storage request.
        """
        ...

    async def groups_of(self, user_id: str) -> list[str]:
        """Return the ids of the groups that a user is a direct member of."""
        ...
