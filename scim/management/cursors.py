"""Cursors: positions in lists, opaque to callers and good in their own list only. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from scim.management.problems import FieldError, Problem, invalid


def seal(list_name: str, position: str) -> str:
    """Return the cursor of a position in a list."""
    text = json.dumps([_tag(list_name), position])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def open_cursor(list_name: str, cursor: str) -> str:
    """Return the position that a cursor holds, empty for an empty cursor.

    :raises Problem: 422, when it is no cursor of this list.
    """
    if not cursor:
        return ""
    try:
        tag, position = json.loads(base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise not_of_this_list() from error
    if tag != _tag(list_name) or not isinstance(position, str):
        raise not_of_this_list()
    return position


def _tag(list_name: str) -> str:
    return hashlib.sha256(list_name.encode()).hexdigest()[:12]


def not_of_this_list() -> Problem:
    """Return the 422 for a cursor that is none of a list."""
    return invalid(FieldError("after", "give the cursor that an earlier page of this very list gave"))
