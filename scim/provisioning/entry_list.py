"""The values of one multi-valued attribute while the operations of a PATCH change them, each without a walk over all.

Which entries have a part is looked up; only what an operation is about is looked at and copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from scim2_models import InvalidValueException, TooManyException
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from scim.provisioning.entry_identity import identity
from scim.resources.document_values import comparable_form
from scim.resources.request_limits import MAX_VISITS
from scim.resources.schema import Attribute

Entry = dict[str, Any]
Test = Callable[[Any], bool]

_TEXT = ("string", "reference")
_FEW = 16
"""So few entries are tried one by one, and so many may change at once before an index is better made anew."""


class Visits:
    """How many entries the operations of one PATCH have looked at or changed."""

    def __init__(self) -> None:
        self._left = MAX_VISITS

    def spend(self, number: int) -> None:
        """Count entries.

        :raises TooManyException: When one request would look at more than a million.
        """
        self._left -= number
        if self._left < 0:
            raise TooManyException(
                detail=f"The operations of this PATCH look at more than {MAX_VISITS:,} values; send fewer at once."
            )


class EntryList:
    """The entries of an attribute, at places that stay theirs."""

    def __init__(self, attribute: Attribute, entries: Iterable[Any], visits: Visits) -> None:
        self.attribute = attribute
        present = [dict(entry) if isinstance(entry, dict) else entry for entry in entries if entry != {}]
        visits.spend(len(present))
        self.count_before = len(present)
        self._entries: dict[int, Any] = dict(enumerate(present))
        self._next = len(present)
        self._primary = {place for place, entry in self._entries.items() if _is_primary(entry)}
        self._everywhere: Entry = {}
        self._made_index: _Index | None = None
        self._visits = visits

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[Any]:
        """Return the entries in their order."""
        self._settle()
        return list(self._entries.values())

    def where(self, matches: Test, node: FilterNode | None = None) -> list[int]:
        """Return the places of the entries that a test takes.

        :param node: The filter that the test is made of, if it is: the entries that it can take are looked up.
        """
        self._settle()
        possible = None
        if node is not None and len(self._entries) > _FEW:
            possible = _possible(node, self.attribute, self._index)
        return self._tested(self._entries if possible is None else sorted(possible), matches)

    def with_parts(self, wanted: Iterable[Hashable]) -> list[int]:
        """Return the places of the entries that are one of the wanted identities, or have all its parts."""
        self._settle()
        found = {place for each in wanted for place in self._index().with_parts(each)}
        self._visits.spend(len(found))
        return sorted(found)

    def _tested(self, places: Collection[int], matches: Test) -> list[int]:
        self._visits.spend(len(places))
        return [place for place in places if matches(self._entries[place])]

    def write_everywhere(self, parts: Entry) -> None:
        """Write parts of every entry that has parts, in place of what was to be written there before.

        It is done when an entry is looked at. The parts are neither null nor what entries are told apart by.
        """
        self._everywhere |= parts

    def _settle(self) -> None:
        parts, self._everywhere = self._everywhere, {}
        if parts:
            self.change(self._entries, lambda entry: entry | parts if isinstance(entry, dict) else entry, "")

    def change(self, places: Collection[int], write: Callable[[Any], Any], label: str) -> None:
        """Write into entries; one that is left empty goes, and one newly marked primary is the only one.

        :param write: Returns the changed entry, which may be the given one.
        :raises InvalidValueException: When several were marked primary at once.
        """
        self._settle()
        self._visits.spend(len(places))
        if len(places) > _FEW:
            self._made_index = None
        was_primary = set(self._primary)
        for place in tuple(places):
            self._put(place, write(self._entries[place]))
        marked = self._primary - was_primary
        if len(marked) > 1:
            raise InvalidValueException(detail=f"{label} marks several values as primary; mark a single one.")
        if marked:
            self._unmark(self._primary - marked)

    def append(self, added: Sequence[Any]) -> None:
        """Add the entries that are not there already; a new primary one unmarks the others."""
        self._settle()
        self._visits.spend(len(added))
        index = self._index()
        new = [item for item in added if not index.holds(item)]
        if any(_is_primary(item) for item in new):
            self._unmark(set(self._primary))
        for item in new:
            self._put(self._next, dict(item) if isinstance(item, dict) else item)
            self._next += 1

    def remove(self, places: Iterable[int]) -> None:
        """Remove entries."""
        for place in places:
            self._put(place, {})

    def _unmark(self, places: Iterable[int]) -> None:
        for place in places:
            self._put(place, {**self._entries[place], "primary": False})

    def _put(self, place: int, entry: Any) -> None:
        """Have an entry at a place, or with an empty one none."""
        self._primary.discard(place)
        if _is_primary(entry):
            self._primary.add(place)
        if entry == {}:
            self._entries.pop(place, None)
        else:
            self._entries[place] = entry
        if self._made_index is not None:
            self._made_index.put(place, entry)

    def _index(self) -> _Index:
        if self._made_index is None:
            self._visits.spend(len(self._entries))
            self._made_index = _Index(self.attribute, self._entries)
        return self._made_index


class _Index:
    """Which entries are the same, and which have a part."""

    def __init__(self, attribute: Attribute, entries: Mapping[int, Any]) -> None:
        self._attribute = attribute
        self._identities: dict[int, Hashable] = {}
        self._places: dict[Hashable, set[int]] = defaultdict(set)
        """By identity, and by each pair of a part's name and identity."""
        for place, entry in entries.items():
            self.put(place, entry)

    def put(self, place: int, entry: Any) -> None:
        """Note the entry at a place, or with an empty one that there is none."""
        before = self._identities.pop(place, frozenset())
        for key in _keys(before):
            self._places[key].discard(place)
        if entry == {}:
            return
        self._identities[place] = after = identity(self._attribute, entry)
        for key in _keys(after):
            self._places[key].add(place)

    def holds(self, entry: Any) -> bool:
        """Tell whether an entry is there."""
        return bool(self._places.get(identity(self._attribute, entry)))

    def with_parts(self, wanted: Hashable) -> Iterable[int]:
        """Return the places of the entries that are an identity, or have all its parts."""
        if not isinstance(wanted, frozenset):
            return self.with_part(wanted)
        possible = min((self.with_part(part) for part in wanted), key=len, default=())
        return [place for place in possible if self._has(place, wanted)]

    def _has(self, place: int, wanted: frozenset[Any]) -> bool:
        own = self._identities[place]
        return isinstance(own, frozenset) and wanted <= own

    def with_part(self, part: Hashable) -> Collection[int]:
        """Return the places of the entries that have a part, a pair of name and identity, or are a plain value."""
        return self._places.get(part, ())


def _keys(of: Hashable) -> Iterator[Hashable]:
    yield of
    if isinstance(of, frozenset):
        yield from of


def _possible(node: FilterNode, attribute: Attribute, index: Callable[[], _Index]) -> Collection[int] | None:
    """Return places, among them those of all entries that a filter can take, or None when only trying all tells."""
    if isinstance(node, LogicalExpr):
        found = [_possible(term, attribute, index) for term in node.terms]
        known = [places for places in found if places is not None]
        if node.op is LogicalOperator.and_:
            return min(known, key=len, default=None)
        return {place for places in known for place in places} if len(known) == len(found) else None
    if not isinstance(node, Comparison) or node.op is not CompareOperator.eq or not isinstance(node.value, str):
        return None
    if attribute.type in _TEXT:
        return index().with_part(comparable_form(attribute)(node.value))
    sub = attribute.sub_attribute(node.attr_path.attr) if attribute.type == "complex" else None
    if sub is None or sub.multi_valued or sub.type not in _TEXT:
        return None
    return index().with_part((sub.name, comparable_form(sub)(node.value)))


def _is_primary(item: Any) -> bool:
    return isinstance(item, dict) and item.get("primary") is True
