"""Requests as large as is allowed, and larger, of the kinds that once stopped a process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.service import BULK_URN, PATCH_URN, SEARCH_URN, user

UNDECLARED_URN = "urn:example:other:2.0:User"


@dataclass(frozen=True, slots=True)
class HostileRequest:
    """One request; ``path`` None is the user or group that it changes."""

    method: str
    path: str | None
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    emails: int = 0
    """How many e-mails the user has before."""
    of_group: bool = False


def emails(number: int) -> list[dict[str, str]]:
    return [{"value": f"{index}@x.example", "type": f"t{index}"} for index in range(number)]


def numbered(number: int, prefix: str = "a") -> dict[str, int]:
    return {f"{prefix}{index:05d}": index for index in range(number)}


def patch(number: int, operation: Callable[[int], Any], *, present: int = 0, of_group: bool = False) -> HostileRequest:
    body = {"schemas": [PATCH_URN], "Operations": [operation(index) for index in range(number)]}
    return HostileRequest("PATCH", None, body, emails=present, of_group=of_group)


def post(**attributes: Any) -> HostileRequest:
    return HostileRequest("POST", "/Users", user("anna", **attributes))


def search(**parameters: Any) -> HostileRequest:
    return HostileRequest("POST", "/Users/.search", {"schemas": [SEARCH_URN], **parameters})


def bulk(*operations: Mapping[str, Any]) -> HostileRequest:
    return HostileRequest("POST", "/Bulk", {"schemas": [BULK_URN], "Operations": list(operations)})


_ROOM = 10
"""How many of a thousand members and attributes a resource needs for itself."""

GROWING: Mapping[str, Callable[[int], HostileRequest]] = {
    "POST of undeclared members": lambda n: post(**numbered(n - _ROOM)),
    "POST of members in a namespace": lambda n: post(**numbered(n - _ROOM, f"{UNDECLARED_URN}:a")),
    "POST of members of an extension": lambda n: post(**{UNDECLARED_URN: numbered(n - _ROOM)}),
    "POST of sub-attributes": lambda n: post(**numbered(n - _ROOM, "name.a")),
    "POST of e-mails": lambda n: post(emails=emails(n)),
    "PATCH of undeclared attributes": lambda n: patch(
        n - _ROOM, lambda i: {"op": "add", "path": f"a{i:05d}", "value": i}
    ),
    "PATCH of one attribute": lambda n: patch(n, lambda i: {"op": "replace", "path": "title", "value": str(i)}),
    "PATCH of an extension": lambda n: patch(
        n - _ROOM, lambda i: {"op": "add", "path": f"{UNDECLARED_URN}:a{i}", "value": i}
    ),
    "PATCH of sub-attributes": lambda n: patch(
        n - _ROOM, lambda i: {"op": "add", "path": f"name.a{i}", "value": str(i)}
    ),
    "PATCH without a path": lambda n: patch(1, lambda _: {"op": "add", "value": numbered(n - _ROOM)}),
    "PATCH that creates entries": lambda n: patch(
        n, lambda i: {"op": "add", "path": f'emails[type eq "t{i}"].value', "value": f"{i}@x.example"}
    ),
    "PATCH that creates undeclared entries": lambda n: patch(
        n, lambda i: {"op": "add", "path": f'hobbies[type eq "t{i}"].value', "value": str(i)}
    ),
    "PATCH that adds entries": lambda n: patch(
        n, lambda i: {"op": "add", "path": "emails", "value": [{"value": f"{i}@x.example"}]}
    ),
    "PATCH that changes entries": lambda n: patch(
        n, lambda i: {"op": "replace", "path": f'emails[type eq "t{i}"].display', "value": str(i)}, present=n
    ),
    "PATCH that removes entries by filter": lambda n: patch(
        n, lambda i: {"op": "remove", "path": f'emails[type eq "t{i}"]'}, present=n
    ),
    "PATCH that removes entries by value": lambda n: patch(
        n, lambda i: {"op": "remove", "path": "emails", "value": [{"value": f"{i}@x.example"}]}, present=n
    ),
    "PATCH of every entry": lambda n: patch(
        n, lambda i: {"op": "replace", "path": "emails.display", "value": str(i)}, present=n
    ),
    "PATCH of members one by one": lambda n: patch(
        n, lambda i: {"op": "remove", "path": f'members[value eq "usr_{i:032x}"]'}, of_group=True
    ),
    "names in attributes": lambda n: search(attributes=list(numbered(n // 5))),
    "long names in attributes": lambda n: search(attributes=[f"urn:{'a:' * 400}x{index}" for index in range(n // 5)]),
    "terms of a filter": lambda n: search(filter=" or ".join(f'title eq "{index}"' for index in range(n // 5))),
    "bulk of POSTs": lambda n: bulk(
        *({"method": "POST", "path": "/Users", "bulkId": str(i), "data": user(f"anna {i}")} for i in range(n))
    ),
    "bulk of refused operations": lambda n: bulk(
        *({"method": "PATCH", "path": "/Nothing", "data": {}} for _ in range(n))
    ),
}
"""By what grows with ``n``, of which a thousand are allowed."""


def sent(request: HostileRequest) -> bytes:
    """Return the body as it is sent."""
    return json.dumps(request.body).encode() if request.body is not None else b""
