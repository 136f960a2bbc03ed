"""What can go wrong when resources are stored; each surface says it in its own words."""

from __future__ import annotations

from collections.abc import Sequence


class StorageUnavailableError(Exception):
    """Storage was busy, timed out or unreachable, retries included. Nothing is known of a commit under way."""

    def __init__(self, reason: str, *, retry_after: int = 5) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ResourceMissingError(Exception):
    """No resource of this type has this id."""

    def __init__(self, resource_id: str) -> None:
        super().__init__("the resource does not exist")
        self.resource_id = resource_id


class ValueTakenError(Exception):
    """Another resource of the directory holds a value that must be unique: ``attribute`` is its SCIM name.

    ``lookup`` is what the store finds that resource by (``ResourceStore.holder_of``); it does not show the value.
    """

    def __init__(self, attribute: str, lookup: str) -> None:
        super().__init__(f"{attribute} is taken")
        self.attribute = attribute
        self.lookup = lookup


class LostRaceError(Exception):
    """The resource changed between our read and our commit; read it again and decide anew."""


class UnknownMembersError(Exception):
    """Members are to be added that do not exist in the directory."""

    def __init__(self, member_ids: Sequence[str]) -> None:
        super().__init__("unknown members")
        self.member_ids = tuple(member_ids)


class TooManyMembersError(Exception):
    """A group has more members than one answer can hold."""


class TooManyRowsError(Exception):
    """A search would have to read more rows than one request may."""


class LimitExceededError(Exception):
    """A resource is larger than what is stored: ``limit`` says in words what the limit is."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit
