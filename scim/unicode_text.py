"""What no text of a request may hold, because it can be neither stored nor written again. Pure."""

from __future__ import annotations

from enum import Enum


class TextFault(Enum):
    """What is wrong with a text."""

    SURROGATE = "half of a surrogate pair"
    NUL = "the character U+0000"


def fault_in(text: str) -> TextFault | None:
    """Return what a text holds that it may not, or None."""
    if text.isascii():
        return TextFault.NUL if "\0" in text else None
    if "\0" in text:
        return TextFault.NUL
    try:
        text.encode()
    except UnicodeEncodeError:
        return TextFault.SURROGATE
    return None
