"""A JSON object whose members are found in any letter case, however many it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class NamedMembers(dict[str, Any]):
    """The members of an object that is being written: a lookup in another letter case reads them once, not each time.

    It is a dict in everything else. Changed by item assignment, ``pop`` and ``setdefault`` only.
    """

    __slots__ = ("_spellings", "count_before")

    def __init__(self, members: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__(members)
        self._spellings: dict[str, str] | None = None
        self.count_before = len(self)
        """How many members it was made with."""

    def stored_name(self, name: str) -> str:
        """Return the name in the letter case in which a member has it, or as it is."""
        if name in self:
            return name
        if self._spellings is None:
            self._spellings = {}
            for each in self:
                self._spellings.setdefault(each.lower(), each)
        found = self._spellings.get(name.lower())
        return found if found is not None and found in self and len(found) == len(name) else name

    def __setitem__(self, name: str, value: Any) -> None:
        if self._spellings is not None and name not in self:
            self._spellings[name.lower()] = name
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        if self._spellings is not None and self._spellings.get(name.lower()) == name:
            del self._spellings[name.lower()]

    def pop(self, name: str, default: Any = None) -> Any:
        """Remove a member and return it, or the default."""
        value = self.get(name, default)
        if name in self:
            del self[name]
        return value

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return a member; one that is missing is made."""
        if name not in self:
            self[name] = default
        return self[name]
