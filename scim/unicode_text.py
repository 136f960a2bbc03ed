"""What no text of a request may hold, because it can be neither stored nor written again. Pure."""

from __future__ import annotations

import re
from enum import Enum

_DISGUISE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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


def hides_what_it_is(text: str) -> bool:
    """Tell whether a text holds control characters, or what turns the direction of the text around it.

    The marks U+200E and U+200F turn nothing around, and names in Arabic and Hebrew have them.
    """
    return _DISGUISE.search(text) is not None
