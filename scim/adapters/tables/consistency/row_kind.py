"""Which rows there are, told by their keys. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

RowKind = Literal[
    "head",
    "block",
    "outbox",
    "feed",
    "user",
    "group",
    "version",
    "membership",
    "anchor",
    "reverse",
    "unfinished",
    "derived",
    "coverage",
    "member_count",
    "history",
    "name",
    "lookup",
]

_HASH, _USER, _GROUP = r"[0-9a-f]{40}", r"usr_[0-9a-zA-Z]{32}", r"grp_[0-9a-zA-Z]{32}"
_ANY = r"(?:usr|grp)_[0-9a-zA-Z]{32}"
_FORMS: Final[dict[RowKind, str]] = {
    "head": "e",
    "block": rf"e!(?:u\|(?:{_USER})?|g\|(?:{_GROUP})?)",
    "outbox": r"e\|[0-9a-f]{32}",
    "feed": r"f\|[0-9]{20}",
    "user": rf"u\|{_USER}",
    "group": rf"g\|{_GROUP}",
    "version": rf"g\|{_GROUP}\|v",
    "membership": rf"m\|{_GROUP}\|{_ANY}",
    "anchor": rf"r\|{_ANY}",
    "reverse": rf"r\|{_ANY}\|{_GROUP}",
    "unfinished": rf"e!t\|{_ANY}",
    "derived": "c",
    "coverage": "c![ug]",
    "member_count": rf"c\|{_GROUP}",
    "history": rf"h\|{_ANY}\|[0-9]{{20}}",
    "name": rf"[nd]\|{_HASH}",
    "lookup": rf"(?:z\|{_HASH}\|{_HASH}\|{_USER}|[xwl]\|{_HASH}\|{_USER}|y\|{_HASH}\|{_GROUP})",
}
_KEY = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _FORMS.items()), re.ASCII)


def kind_of(key: str) -> RowKind | None:
    """Return what a row is, or None when the service has no row of such a key."""
    match = _KEY.fullmatch(key)
    return match.lastgroup if match else None  # type: ignore[return-value]  # a group is named for its kind
