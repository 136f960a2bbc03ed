"""What stands for an error in a table of classes: the entry of its class, or of the nearest one it derives from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


def entry_of(error: Exception, table: Mapping[type[Exception], Entry]) -> Entry | None:
    """Return the entry of an error's class or of the nearest base class that has one, None when none has.

    So a class that is made later is answered as what it derives from, not as a defect.
    """
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)
