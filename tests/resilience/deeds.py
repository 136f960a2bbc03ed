"""Operations of several transactions, in which a process is killed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.resilience.hosts import HostClient
from tests.resilience.mortal import Request
from tests.resilience.stock import Stock, unique
from tests.service import PATCH_URN, add_members, group

Holds = Callable[[HostClient], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Deed:
    """A request, how a repetition of it may be answered, and whether it is done."""

    request: Request
    repeated: frozenset[int]
    holds: Holds
    touched: str = ""
    """The id of the resource it changes, if there is one yet."""


Preparation = Callable[[Stock, Sequence[str]], Awaitable[Deed]]


async def _members(client: HostClient, group_id: str) -> set[str]:
    reply = await client.send("GET", f"/Groups/{group_id}")
    return {member["value"] for member in reply.json.get("members", [])}


async def _delete_user(stock: Stock, pool: Sequence[str]) -> Deed:
    user_id = await stock.user()
    for _ in range(60):
        await stock.group([user_id])
    return _deletion(f"/Users/{user_id}", user_id)


async def _delete_group(stock: Stock, pool: Sequence[str]) -> Deed:
    group_id = await stock.group(pool[:100])
    await stock.group([group_id])
    return _deletion(f"/Groups/{group_id}", group_id)


def _deletion(path: str, resource_id: str) -> Deed:
    async def holds(client: HostClient) -> bool:
        return (await client.send("GET", path)).status == 404

    return Deed(Request("DELETE", path), frozenset([204, 404]), holds, resource_id)


async def _create_group(stock: Stock, pool: Sequence[str]) -> Deed:
    name = unique()

    async def holds(client: HostClient) -> bool:
        found = await client.send("GET", f'/Groups?filter=displayName eq "{name}"&attributes=id')
        (each,) = found.json["Resources"]
        return await _members(client, each["id"]) == set(pool)

    return Deed(Request("POST", "/Groups", group(name, pool)), frozenset([201, 409]), holds)


async def _add_members(stock: Stock, pool: Sequence[str]) -> Deed:
    group_id, added = await stock.group(pool[:10]), pool[10:110]
    body = {"schemas": [PATCH_URN], "Operations": [add_members(*added)]}

    async def holds(client: HostClient) -> bool:
        return await _members(client, group_id) == set(pool[:110])

    return Deed(Request("PATCH", f"/Groups/{group_id}", body), frozenset([204]), holds, group_id)


async def _replace_group(stock: Stock, pool: Sequence[str]) -> Deed:
    group_id, name = await stock.group(pool[:50]), unique()

    async def holds(client: HostClient) -> bool:
        found = await client.send("GET", f"/Groups/{group_id}?attributes=displayName")
        return found.json["displayName"] == name and await _members(client, group_id) == set(pool[30:90])

    return Deed(Request("PUT", f"/Groups/{group_id}", group(name, pool[30:90])), frozenset([200]), holds, group_id)


DEEDS: dict[str, Preparation] = {
    "DELETE user in 60 groups": _delete_user,
    "POST group with 200 members": _create_group,
    "PATCH group, adding 100": _add_members,
    "PUT group": _replace_group,
    "DELETE group": _delete_group,
}
