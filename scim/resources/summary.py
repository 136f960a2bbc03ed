"""What a list shows of a user or group: few short texts, kept beside the document so that it need not be read. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scim.resources.comparison_key import comparison_key
from scim.resources.identifiers import ResourceName
from scim.resources.profile import is_active, leading_value

LONGEST_TEXT = 200
"""What is longer is cut: lists show no more, and the resource has it whole."""
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Summary:
    """A user or group as lists show it."""

    id: str
    name: str
    """The displayName; of a user without one the given and family name, else the userName."""
    user_name: str = ""
    email: str = ""
    external_id: str = ""
    active: bool = True
    modified: str = ""

    @property
    def title(self) -> str:
        """What it is called where a name must be seen: its id when the name is nothing that can be seen."""
        return next((text for text in (self.name, self.user_name) if text.strip()), self.id)

    def holds(self, key: str) -> bool:
        """Tell whether one of its texts has a part that compares equal to a comparison key."""
        texts = (self.name, self.user_name, self.email, self.external_id)
        return any(key in comparison_key(text) for text in texts)


@dataclass(frozen=True, slots=True)
class MembershipCount:
    """How many groups a user is in, or how many members a group has, as far as that was counted."""

    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """A part of a list, how long the whole list is, and the memberships of those that they were counted of."""

    summaries: Sequence[Summary]
    total: int
    memberships: Mapping[str, MembershipCount] = field(default_factory=dict)


def summary_of(name: ResourceName, document: Mapping[str, Any], modified: str = "") -> Summary:
    """Return what lists show of a document."""
    texts = summary_texts(name, document)
    return Summary(str(document["id"]), **texts, active=is_active(document), modified=modified)


def summary_texts(name: ResourceName, document: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a summary by its fields."""
    texts: dict[str, Any] = {"name": document.get("displayName"), "external_id": document.get("externalId")}
    if name == "User":
        texts["name"] = texts["name"] or _full_name(document.get("name")) or document.get("userName")
        texts |= {"user_name": document.get("userName"), "email": leading_value(document.get("emails"))}
    return {field: _short(text) for field, text in texts.items()}


def _full_name(name: Any) -> str:
    if not isinstance(name, Mapping):
        return ""
    parts = [name.get(part) for part in ("givenName", "familyName")]
    return " ".join(part for part in parts if isinstance(part, str) and part) or name.get("formatted") or ""


def _short(text: Any) -> str:
    return _UNFIT.sub(" ", text[:LONGEST_TEXT]) if isinstance(text, str) else ""
