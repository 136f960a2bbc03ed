"""Which attributes the resources of a directory have: how many each, when last written, of what type. Pure.

A sample is masked: two characters, digits as 0, and dots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scim.resources.document_values import Document

MAX_PATHS = 200
"""How many paths of a resource type are kept; further ones are not counted."""
_SHOWN, _LONGEST = 2, 12
_NEVER_COUNTED = frozenset({"schemas", "id", "meta", "active"})
"""Of every resource, and ``active``, whose changes are events of their own."""
_OF_ENTRIES = frozenset({"type", "primary", "display", "$ref", "operation"})
"""Sub-attributes that say of an entry what it is, not what its value is."""


@dataclass(frozen=True, slots=True)
class PathCoverage:
    """What is known of one path."""

    count: int
    """How many resources have a value there."""
    seen: str
    """The hour in which a value was written last, ISO 8601."""
    type: str
    sample: str


Coverage = Mapping[str, PathCoverage]
"""By path, as an attribute mapping names it."""


def covered(coverage: Coverage, before: Document, after: Document, hour: str) -> Coverage:
    """Return the coverage after a change of a resource: from nothing for a new one, to nothing for a deleted one."""
    old, new = dict(leaf_paths(before)), dict(leaf_paths(after))
    changed = dict(coverage)
    for path in old.keys() - new.keys():
        known = changed.get(path)
        if known is not None and known.count > 1:
            changed[path] = replace(known, count=known.count - 1)
        else:
            changed.pop(path, None)
    for path, value in new.items():
        if path in old and old[path] == value:
            continue
        known = changed.get(path)
        if known is not None or len(changed) < MAX_PATHS:
            count = (known.count if known else 0) + (path not in old)
            changed[path] = PathCoverage(max(count, 1), hour, type_of(value), masked(value))
    return changed


def leaf_paths(document: Document) -> Iterator[tuple[str, Any]]:
    """Yield each path at which a document has a value, with it; of several entries of one type the first."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name in _NEVER_COUNTED:
            continue
        if name.lower().startswith("urn:") and isinstance(value, Mapping):
            for inner, item in value.items():
                _collect(found, f"{name}:{inner}", item)
        else:
            _collect(found, name, value)
    yield from found.items()


def _collect(found: dict[str, Any], path: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name not in _OF_ENTRIES:
                found.setdefault(f"{path}.{name}", item)
    elif isinstance(value, list):
        for entry in value:
            _collect_entry(found, path, entry)
    elif value is not None:
        found.setdefault(path, value)


def _collect_entry(found: dict[str, Any], path: str, entry: Any) -> None:
    if not isinstance(entry, Mapping):
        found.setdefault(path, entry)
        return
    kind = entry.get("type")
    selected = f'{path}[type eq "{kind}"]' if isinstance(kind, str) and kind.isalnum() else path
    for name, item in entry.items():
        if name not in _OF_ENTRIES:
            found.setdefault(f"{selected}.{name}", item)


def type_of(value: Any) -> str:
    """Return the type that a mapping of a value would have; ``complex`` for what cannot be mapped as a whole."""
    if isinstance(value, bool):
        return "boolean"
    names: tuple[tuple[type, str], ...] = ((int, "integer"), (float, "decimal"), (str, "string"))
    return next((name for kind, name in names if isinstance(value, kind)), "complex")


def masked(value: Any) -> str:
    """Return what may be shown of a value: two characters, digits as 0, and a dot for each further one up to ten."""
    if isinstance(value, bool):
        return "true or false"
    if not isinstance(value, str | int | float):
        return ""
    text = str(value)
    shown = "".join("0" if character.isdigit() else character for character in text[:_SHOWN])
    printable = "".join(character if character.isprintable() else "?" for character in shown)
    return printable + "." * (min(len(text), _LONGEST) - len(printable))
