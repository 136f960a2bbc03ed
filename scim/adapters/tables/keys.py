"""Row keys of table ``resources``: one partition per directory (docs/storage.md). Pure.

User text is only ever hashed, never part of a key. ``|`` separates; ``}`` is the first character behind ``|`` that
ends a range over everything that begins with a prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scim.resources.comparison_key import comparison_hash
from scim.resources.identifiers import ResourceName
from scim.resources.profile import leading_value

HEAD = "e"
FIRST_KEY, END_KEY = " ", "~"
"""All rows of a partition lie between these."""
OUTBOX_FIRST, OUTBOX_END = "e|", "e}"
FEED_FIRST, FEED_END = "f|", "f}"
DERIVED = "c"
MEMBER_COUNTS_FIRST, MEMBER_COUNTS_END = "c|", "c}"
HISTORY_FIRST, HISTORY_END = "h|", "h}"
UNFINISHED_FIRST, UNFINISHED_END = "e!t|", "e!t}"

_LAST_PLACE, _MAX_EVENTS = 10**20 - 1, 10**6

MAX_WORK_EMAILS = 20
"""More are refused: each is a lookup row in the user's transaction. Entra maps one."""


def document(resource_id: str) -> str:
    """Return the key of a resource's document."""
    return f"{'u' if resource_id.startswith('usr_') else 'g'}|{resource_id}"


def document_range(name: ResourceName) -> tuple[str, str]:
    """Return the range of all documents of a type, in id order."""
    return ("u|", "u}") if name == "User" else ("g|", "g}")


def document_end(resource_id: str) -> str:
    """Return the key behind a resource's document, and behind a group's version row."""
    return f"{document(resource_id)}}}"


def group_version(group_id: str) -> str:
    """Return the key of a group's version row; it sorts right behind the group's document."""
    return f"g|{group_id}|v"


def group_range(group_id: str) -> tuple[str, str]:
    """Return the range of a group's document and version row."""
    return f"g|{group_id}", f"g|{group_id}|w"


def anchor(resource_id: str) -> str:
    """Return the key of the row whose existence lets a resource become a member."""
    return f"r|{resource_id}"


def anchor_range(resource_id: str) -> tuple[str, str]:
    """Return the range of a resource's anchor and of all its memberships."""
    return f"r|{resource_id}", f"r|{resource_id}}}"


def membership(group_id: str, member_id: str) -> str:
    """Return the key of a membership as the group lists it."""
    return f"m|{group_id}|{member_id}"


def membership_of(member_id: str, group_id: str) -> str:
    """Return the key of the same membership as the member lists it."""
    return f"r|{member_id}|{group_id}"


def member_range(group_id: str) -> tuple[str, str]:
    """Return the range of all memberships of a group."""
    return f"m|{group_id}|", f"m|{group_id}}}"


def group_range_of(member_id: str) -> tuple[str, str]:
    """Return the range of all memberships of a member."""
    return f"r|{member_id}|", f"r|{member_id}}}"


def last_id(key: str) -> str:
    """Return the last part of a key, such as the member's id of a membership."""
    return key.rpartition("|")[2]


def outbox(operation_id: str) -> str:
    """Return the key of an operation's outbox row."""
    return f"e|{operation_id}"


def feed(number: int) -> str:
    """Return the key of a numbered feed row; keys sort as numbers do."""
    return f"f|{number:020d}"


def page_map(name: ResourceName, first_id: str) -> str:
    """Return the key of the page-map block that begins at an id; beside the head, so that one query reads both."""
    return f"e!{'u' if name == 'User' else 'g'}|{first_id}"


def coverage(name: ResourceName) -> str:
    """Return the key of the coverage of a type; beside the mark that says how far the feed was derived."""
    return f"{DERIVED}!{'u' if name == 'User' else 'g'}"


def member_count(group_id: str) -> str:
    """Return the key of a group's member count."""
    return f"{MEMBER_COUNTS_FIRST}{group_id}"


def history(resource_id: str, number: int, index: int) -> str:
    """Return the key of what a feed row says of a resource from an event on; the newest sorts first."""
    return f"h|{resource_id}|{_LAST_PLACE - number * _MAX_EVENTS - index:020d}"


def history_range(resource_id: str) -> tuple[str, str]:
    """Return the range of a resource's history, the newest first."""
    return f"h|{resource_id}|", f"h|{resource_id}}}"


def unfinished(resource_id: str) -> str:
    """Return the key of the row that says an operation of several transactions is under way on a resource.

    It lies beside the head, so that the query that reads counts and outbox tells of unfinished work, too.
    """
    return f"e!t|{resource_id}"


def user_name(text: str) -> str:
    """Return the unique lookup key of a userName."""
    return f"n|{comparison_hash(text)}"


def group_name(text: str) -> str:
    """Return the unique lookup key of a group's displayName."""
    return f"d|{comparison_hash(text)}"


def external_id_range(name: ResourceName, text: str) -> tuple[str, str]:
    """Return the range of the resources of a type with an externalId; letter case counts (RFC 7643 §3.1)."""
    prefix = f"{'x' if name == 'User' else 'y'}|{comparison_hash(text, case_exact=True)}"
    return f"{prefix}|", f"{prefix}}}"


def work_email_range(text: str) -> tuple[str, str]:
    """Return the range of the users with a work e-mail address."""
    prefix = f"w|{comparison_hash(text)}"
    return f"{prefix}|", f"{prefix}}}"


def leading_email_range(text: str) -> tuple[str, str]:
    """Return the range of the users whose profile has an e-mail address."""
    prefix = f"l|{comparison_hash(text)}"
    return f"{prefix}|", f"{prefix}}}"


def matching_range(value_hash: str) -> tuple[str, str]:
    """Return the range of the users with a value of a matching attribute, given as the hash of both."""
    return f"z|{value_hash}|", f"z|{value_hash}}}"


def matching(value_hashes: Iterable[str], user_id: str) -> tuple[str, ...]:
    """Return the lookup keys of a user by values of matching attributes."""
    return tuple(matching_range(value_hash)[0] + user_id for value_hash in value_hashes)


def lookups(name: ResourceName, resource_id: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the lookup keys of a document, the unique one first."""
    unique = user_name(body["userName"]) if name == "User" else group_name(body["displayName"])
    keys = [unique]
    external_id = body.get("externalId")
    if isinstance(external_id, str):
        keys.append(external_id_range(name, external_id)[0] + resource_id)
    if name == "User":
        keys += dict.fromkeys(work_email_range(address)[0] + resource_id for address in work_emails(body))
        leading = leading_value(body.get("emails"))
        keys += [leading_email_range(leading)[0] + resource_id] if leading else []
    return tuple(keys)


def work_emails(body: Mapping[str, Any]) -> list[str]:
    """Return the addresses of a user's e-mails of type work, whatever the letter case of the type."""
    emails = body.get("emails") or ()
    return [
        email["value"]
        for email in emails
        if isinstance(email, dict)
        and str(email.get("type", "")).lower() == "work"
        and isinstance(email.get("value"), str)
    ]
