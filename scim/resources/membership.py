"""Members of a group and how a request changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group: the id of a user or group, and the display name a caller sent with it, if any."""

    id: str
    display: str | None = None


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """What becomes of a group's members: an id maps to the member to add, or to None to remove it.

    With ``replace_all`` every member that is not added is removed; that alone needs the list of members.
    """

    members: Mapping[str, Member | None] = field(default_factory=dict)
    replace_all: bool = False

    @property
    def added(self) -> list[Member]:
        """The members to add, in the order first named."""
        return [member for member in self.members.values() if member is not None]

    @property
    def removed(self) -> list[str]:
        """The ids to remove, in the order first named."""
        return [member_id for member_id, member in self.members.items() if member is None]

    def __bool__(self) -> bool:
        return self.replace_all or bool(self.members)
