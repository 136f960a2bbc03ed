"""Ordering documents by an attribute (RFC 7644 §3.4.2.3), with positions that a cursor can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from scim2_models import InvalidCursorException, InvalidPathException, InvalidValueException

from scim.resources.document_values import (
    Document,
    ResolvedAttribute,
    comparable_form,
    parse_attribute_path,
    quoted,
    raw_reader,
    resolve_attribute,
    value_reader,
)
from scim.resources.schema import ResourceSchema

SortValue = str | bool | int | float | datetime


class Position(NamedTuple):
    """The place of a resource in an order. Positions compare as their resources do, and no two are equal."""

    missing: bool
    """Whether the resource has no value: such come last when ascending, first when descending."""
    value: SortValue
    id: str

    def encoded(self) -> dict[str, Any]:
        """Return the position in a form JSON can hold, for :meth:`decoded`."""
        value: Any = None if self.missing else self.value
        return {"k": {"datetime": value.isoformat()} if isinstance(value, datetime) else value, "i": self.id}

    @classmethod
    def decoded(cls, encoded: Any) -> Position:
        """Return the position that :meth:`encoded` gave.

        :raises InvalidCursorException: When it did not.
        """
        try:
            value, resource_id = encoded["k"], encoded["i"]
            if isinstance(value, dict):
                value = datetime.fromisoformat(value["datetime"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidCursorException from error
        if not isinstance(resource_id, str) or not isinstance(value, (str, bool, int, float, datetime, type(None))):
            raise InvalidCursorException
        return cls(value is None, "" if value is None else value, resource_id)


@dataclass(frozen=True, slots=True)
class SortKey:
    """What a search is ordered by; without ``sortBy``, by id, which is by time of creation."""

    text: str | None
    descending: bool
    _readers: Mapping[ResourceSchema, Callable[[Document], Any]]

    def sort_value(self, schema: ResourceSchema, document: Document) -> SortValue | None:
        """Return the value a resource is ordered by: text in its comparison form; None when it has none.

        Of a multi-valued attribute it is that of the primary entry, or else of the first.
        """
        read = self._readers.get(schema)
        value: SortValue | None = read(document) if read else None
        return value

    def position(self, schema: ResourceSchema, document: Document) -> Position:
        """Return the place of a resource in the order, told apart from equal ones by its id."""
        value = self.sort_value(schema, document)
        return Position(value is None, "" if value is None else value, document["id"])

    def precedes(self, first: Position, second: Position) -> bool:
        """Return whether the first position comes before the second."""
        return first > second if self.descending else first < second

    def sort(self, resources: Iterable[tuple[ResourceSchema, Document]]) -> list[tuple[ResourceSchema, Document]]:
        """Return resources in order."""
        return sorted(resources, key=lambda resource: self.position(*resource), reverse=self.descending)


def read_sort_key(sort_by: str | None, sort_order: str | None, schemas: Sequence[ResourceSchema]) -> SortKey:
    """Return the order that ``sortBy`` and ``sortOrder`` ask for.

    An attribute that one of several schemas declares is enough; resources of the others have no value.

    :raises InvalidPathException: When ``sortBy`` names no attribute that resources can be ordered by.
    :raises InvalidValueException: When ``sortOrder`` is neither ``ascending`` nor ``descending``.
    """
    descending = _is_descending(sort_order)
    if not sort_by or not sort_by.strip():
        return SortKey(None, descending=False, _readers={})
    found = {schema: resolved for schema in schemas if (resolved := _resolve(sort_by, schema))}
    if not found:
        raise InvalidPathException(detail=f"Cannot sort by {quoted(sort_by)}: {_names(schemas)} has no such attribute.")
    reasons = {schema: _unsortable_reason(resolved) for schema, resolved in found.items()}
    if all(reasons.values()):
        raise InvalidPathException(detail=f"Cannot sort by {quoted(sort_by)}: {next(iter(reasons.values()))}.")
    readers = {schema: _reader(resolved.with_value()) for schema, resolved in found.items() if not reasons[schema]}
    return SortKey(sort_by, descending, readers)


def _is_descending(sort_order: str | None) -> bool:
    order = (sort_order or "ascending").strip().lower()
    if order not in ("ascending", "descending"):
        raise InvalidValueException(detail=f'sortOrder is "ascending" or "descending", not {quoted(sort_order)}.')
    return order == "descending"


def _names(schemas: Sequence[ResourceSchema]) -> str:
    return " or ".join(schema.name for schema in schemas)


def _resolve(sort_by: str, schema: ResourceSchema) -> ResolvedAttribute | None:
    path = parse_attribute_path(sort_by)
    return resolve_attribute(schema, path) if path else None


def _unsortable_reason(resolved: ResolvedAttribute) -> str | None:
    """Return why resources cannot be ordered by an attribute, or None when they can."""
    if resolved.compared.type == "complex" and not resolved.attribute.multi_valued:
        return "it is made of several values, so name one of them, such as name.familyName"
    target = resolved.with_value()
    if target.compared.type == "complex":
        return "its entries are made of several values, so name one of them, such as addresses.locality"
    if target.compared.type == "binary":
        return "it holds binary data"
    return "it is never given out" if target.write_only else None


def _reader(resolved: ResolvedAttribute) -> Callable[[Document], Any]:
    if not resolved.attribute.multi_valued:
        return value_reader(resolved)
    read, of_right_type = raw_reader(resolved), comparable_form(resolved.attribute)
    comparable, sub = comparable_form(resolved.compared), resolved.sub

    def read_leading(document: Document) -> Any:
        entries = read(document)
        if not isinstance(entries, list):
            return None
        entry = _leading_entry([entry for entry in entries if of_right_type(entry) is not None])
        return comparable(entry.get(sub.name) if sub and entry is not None else entry)

    return read_leading


def _leading_entry(entries: list[Any]) -> Any:
    """Return the primary entry, or else the first, or None."""
    primary = (entry for entry in entries if isinstance(entry, dict) and entry.get("primary") is True)
    return next(primary, entries[0] if entries else None)
