"""What long requests cost on the surface alone, and what those twice as long do: twice as much, if all is well."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.in_process import Surface, open_surface
from benchmarks.payloads import new_user

HALF, WHOLE = 500, 1000
"""Operations, attributes, entries or terms of a request; a thousand are allowed."""
_USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
_PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_RESERVED = 30

Body = Callable[[int], Mapping[str, Any]]


def _patch(operation: Callable[[int], Mapping[str, Any]]) -> Body:
    return lambda number: {
        "schemas": [_PATCH_URN],
        "Operations": [operation(index) for index in range(number - _RESERVED)],
    }


def _post(number: int) -> Mapping[str, Any]:
    attributes = {f"a{index:05d}": index for index in range(number - _RESERVED)}
    return {"schemas": [_USER_URN], "userName": f"user {number}", **attributes}


POST = "POST, undeclared attributes"
PATCHES: Mapping[str, Body] = {
    "PATCH, one attribute again and again": _patch(
        lambda index: {"op": "replace", "path": "title", "value": str(index)}
    ),
    "PATCH, undeclared attributes": _patch(lambda index: {"op": "add", "path": f"a{index:05d}", "value": index}),
    "PATCH, e-mails by filter": _patch(
        lambda index: {"op": "add", "path": f'emails[type eq "t{index}"].value', "value": f"{index}@fabrikam.example"}
    ),
    "PATCH, display of every e-mail": _patch(
        lambda index: {"op": "replace", "path": "emails.display", "value": str(index)}
    ),
}


async def growth_milliseconds(rounds: int) -> dict[str, tuple[float, float]]:
    """Return the CPU time of a request of each kind, and of one twice as long: the least of some rounds."""
    measured: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            surface = await open_surface(Path(folder))
            posts = [await _milliseconds(surface, "POST", "/Users", _post(number)) for number in (HALF, WHOLE)]
            measured.setdefault(POST, []).append((posts[0], posts[1]))
            for name, body in PATCHES.items():
                spent = [await _patched(surface, name, body(number)) for number in (HALF, WHOLE)]
                measured.setdefault(name, []).append((spent[0], spent[1]))
    return {name: (min(half for half, _ in each), min(whole for _, whole in each)) for name, each in measured.items()}


async def _patched(surface: Surface, name: str, body: Mapping[str, Any]) -> float:
    number = len(body["Operations"])
    _, (created,) = await surface.time("POST", ["/Users"], [new_user(f"{name.replace(' ', '-')}{number}")])
    return await _milliseconds(surface, "PATCH", f"/Users/{json.loads(created.body)['id']}", body)


async def _milliseconds(surface: Surface, method: str, path: str, body: Mapping[str, Any]) -> float:
    microseconds, _ = await surface.time(method, [path], [json.dumps(body).encode()])
    return microseconds / 1000
