"""Users for a directory, created through the service itself."""

from __future__ import annotations

import json

from benchmarks.measuring import Call, Server, measure
from benchmarks.payloads import new_user
from benchmarks.progress import say

_AT_ONCE = 16
_STEP = 1000


async def seed_users(server: Server, number: int) -> list[str]:
    """Create users and return their ids."""
    ids: list[str] = []
    while len(ids) < number:
        names = [f"seed{len(ids) + index:06d}" for index in range(min(_STEP, number - len(ids)))]
        calls = [Call("seed", "POST", "/Users", new_user(name)) for name in names]
        _, answers = await measure(server, calls, _AT_ONCE)
        ids += [json.loads(answer.body)["id"] for answer in answers]
        say(f"created {len(ids):,} of {number:,} users")
    return ids
