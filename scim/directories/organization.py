"""A customer of the application."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from scim.directories.errors import InvalidValueError

MAX_NAME_LENGTH = 200
MAX_EXTERNAL_ID_LENGTH = 200

MappingsBy = Literal["administrators", "application"]
"""Who may change attribute mappings: the organization's administrators in the portal, too, or the application alone."""

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ORGANIZATION_ID = re.compile(r"org_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Organization:
    """A customer of the application; it owns directories."""

    id: str
    """``org_`` and 32 hex digits."""
    name: str
    external_id: str | None
    """The application's own id of the customer; unique when given."""
    created: datetime
    mappings_by: MappingsBy = "administrators"

    def __post_init__(self) -> None:
        """Refuse a malformed id, an empty or overlong name or external id, and an unknown choice."""
        if not is_organization_id(self.id):
            raise InvalidValueError("id", "give org_ and 32 hex digits in lower case")
        if self.mappings_by not in get_args(MappingsBy):
            raise InvalidValueError("mappings_by", f"give one of {', '.join(get_args(MappingsBy))}")
        check_text("name", self.name, MAX_NAME_LENGTH)
        if self.external_id is not None:
            check_text("external_id", self.external_id, MAX_EXTERNAL_ID_LENGTH)


def is_organization_id(text: str) -> bool:
    """Tell whether a text has the form of an organization's id, which makes it safe as a key."""
    return _ORGANIZATION_ID.fullmatch(text) is not None


def check_text(field: str, text: str, longest: int) -> None:
    """Refuse a text that is blank, longer than ``longest`` characters, or holds control characters.

    :raises InvalidValueError: Naming the field.
    """
    if not text.strip() or len(text) > longest or _UNFIT.search(text):
        raise InvalidValueError(field, f"give 1 to {longest} characters, not all spaces, without control characters")
