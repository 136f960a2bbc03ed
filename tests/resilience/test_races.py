"""Requests that meet, answered by two processes on one storage: each as if it had come alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any

from tests.resilience.hosts import Behind, HostClient, Reply
from tests.resilience.soundness import all_rows, assert_sound, events_of
from tests.resilience.stock import unique
from tests.service import add_members, group, user

AT_ONCE = 16


async def gathered(requests: Sequence[Awaitable[Reply]], at_once: int = AT_ONCE) -> list[Reply]:
    """Return the answers to requests, many of which are under way at once."""
    places = asyncio.Semaphore(at_once)

    async def send(request: Awaitable[Reply]) -> Reply:
        async with places:
            return await request

    return list(await asyncio.gather(*map(send, requests)))


def statuses(replies: Sequence[Reply]) -> Counter[int]:
    return Counter(reply.status for reply in replies)


async def new_users(client: HostClient, number: int) -> list[str]:
    replies = await gathered([client.send("POST", "/Users", user(unique()), at=at) for at in range(number)])
    assert statuses(replies) == {201: number}
    return [reply.json["id"] for reply in replies]


async def new_group(client: HostClient, members: Sequence[str] = (), name: str = "") -> str:
    reply = await client.send("POST", "/Groups", group(name or unique(), members))
    assert reply.status == 201
    return str(reply.json["id"])


async def members_of(client: HostClient, group_id: str) -> list[str]:
    reply = await client.send("GET", f"/Groups/{group_id}")
    return [member["value"] for member in reply.json.get("members", [])]


def replacing(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


async def test_of_six_creations_of_one_user_name_one_succeeds(client: HostClient, storage: Behind) -> None:
    name = unique()

    replies = await gathered([client.send("POST", "/Users", user(name), at=at) for at in range(6)])

    assert statuses(replies) == {201: 1, 409: 5}
    await assert_sound(storage.application, storage.partition)


async def test_a_hundred_members_added_one_by_one_are_a_hundred_members_and_events(
    client: HostClient, storage: Behind
) -> None:
    members, team = await new_users(client, 100), await new_group(client)

    replies = await gathered(
        [client.patch(f"/Groups/{team}", add_members(each), at=at) for at, each in enumerate(members)]
    )

    assert statuses(replies) == {204: 100}
    assert await members_of(client, team) == sorted(members)
    await assert_sound(storage.application, storage.partition)
    told = [
        event["data"] for event in events_of(await all_rows(storage.partition)) if event["type"] == "group.user_added"
    ]
    assert sorted(data["user_id"] for data in told if data["group_id"] == team) == sorted(members)


async def test_different_attributes_changed_at_once_are_all_changed(client: HostClient, storage: Behind) -> None:
    (anna,) = await new_users(client, 1)
    changes = {name: unique() for name in ("displayName", "nickName", "title", "userType", "locale", "timezone")}

    replies = await gathered(
        [client.patch(f"/Users/{anna}", replacing(*change), at=at) for at, change in enumerate(changes.items())]
    )

    assert statuses(replies) == {200: len(changes)}
    stored = (await client.send("GET", f"/Users/{anna}")).json
    assert {name: stored[name] for name in changes} == changes
    await assert_sound(storage.application, storage.partition)


async def test_of_six_changes_that_name_one_version_one_succeeds(client: HostClient, storage: Behind) -> None:
    (anna,) = await new_users(client, 1)
    version = (await client.send("GET", f"/Users/{anna}")).headers["ETag"]

    replies = await gathered(
        [client.patch(f"/Users/{anna}", replacing("title", str(at)), at=at, If_Match=version) for at in range(6)]
    )

    assert statuses(replies) == {200: 1, 412: 5}
    (done,) = [reply.json["title"] for reply in replies if reply.status == 200]
    assert (await client.send("GET", f"/Users/{anna}")).json["title"] == done
    await assert_sound(storage.application, storage.partition)


async def test_of_six_changes_of_members_that_name_one_version_one_succeeds(
    client: HostClient, storage: Behind
) -> None:
    members, team = await new_users(client, 6), await new_group(client)
    version = (await client.send("GET", f"/Groups/{team}")).headers["ETag"]

    replies = await gathered(
        [client.patch(f"/Groups/{team}", add_members(each), at=at, If_Match=version) for at, each in enumerate(members)]
    )

    assert statuses(replies) == {204: 1, 412: 5}
    assert len(await members_of(client, team)) == 1
    await assert_sound(storage.application, storage.partition)


async def test_a_user_that_is_deleted_while_it_is_added_is_nobodys_member(client: HostClient, storage: Behind) -> None:
    users, team = await new_users(client, 20), await new_group(client)
    additions = [client.patch(f"/Groups/{team}", add_members(each), at=at) for at, each in enumerate(users)]
    deletions = [client.send("DELETE", f"/Users/{each}", at=at + 1) for at, each in enumerate(users)]

    replies = await gathered([request for pair in zip(additions, deletions, strict=True) for request in pair])

    assert set(statuses(replies[0::2])) <= {204, 400}
    assert statuses(replies[1::2]) == {204: 20}
    held = await assert_sound(storage.application, storage.partition)
    assert not [pair for pair in held.memberships if pair[0] == team]


async def test_a_user_is_changed_while_it_is_added_to_a_hundred_groups(client: HostClient, storage: Behind) -> None:
    (anna,) = await new_users(client, 1)
    teams = [await new_group(client) for _ in range(100)]
    additions = [client.patch(f"/Groups/{team}", add_members(anna), at=at) for at, team in enumerate(teams)]

    async def change_again_and_again() -> list[Reply]:
        return [await client.patch(f"/Users/{anna}", replacing("title", str(at)), at=at) for at in range(40)]

    added, changed = await asyncio.gather(gathered(additions), change_again_and_again())

    assert statuses(added) == {204: 100}
    assert statuses(changed) == {200: 40}
    held = await assert_sound(storage.application, storage.partition)
    assert held.users[anna]["title"] == "39"
    assert {team for team, member in held.memberships if member == anna} == set(teams)


async def test_a_user_is_changed_by_twenty_requests_at_once_while_it_is_added_to_forty_groups(
    client: HostClient, storage: Behind
) -> None:
    (anna,) = await new_users(client, 1)
    teams = [await new_group(client) for _ in range(40)]
    changes = [client.patch(f"/Users/{anna}", replacing("title", str(at)), at=at) for at in range(20)]
    additions = [client.patch(f"/Groups/{team}", add_members(anna), at=at) for at, team in enumerate(teams)]

    replies = await gathered([*changes, *additions])

    assert statuses(replies) == {200: 20, 204: 40}
    await assert_sound(storage.application, storage.partition)


async def test_a_group_is_deleted_while_its_name_is_used_again(client: HostClient, storage: Behind) -> None:
    members = await new_users(client, 3)
    for at in range(10):
        name = unique()
        old = await new_group(client, members, name)
        deletion = client.send("DELETE", f"/Groups/{old}", at=at)
        creations = [client.send("POST", "/Groups", group(name, members[:2]), at=at + 1) for _ in range(3)]

        deleted, *created = await gathered([deletion, *creations])

        assert deleted.status == 204
        assert set(statuses(created)) <= {201, 409}
        assert statuses(created)[201] <= 1
        again = await client.send("POST", "/Groups", group(name, members[:2]), at=at)
        assert again.status == (409 if statuses(created)[201] else 201)
    await assert_sound(storage.application, storage.partition)


async def test_two_replacements_of_all_members_leave_the_members_of_one(client: HostClient, storage: Behind) -> None:
    users = await new_users(client, 90)
    for size in (20, 20, 20, 45, 45):
        name = unique()
        team = await new_group(client, users[30:40], name)
        wished = users[:size], users[-size:]

        replies = await gathered(
            [client.send("PUT", f"/Groups/{team}", group(name, members), at=at) for at, members in enumerate(wished)]
        )

        assert statuses(replies) == {200: 2}
        assert await members_of(client, team) in [sorted(members) for members in wished]
    await assert_sound(storage.application, storage.partition)


async def test_replacing_all_members_and_adding_some_happen_one_after_the_other(
    client: HostClient, storage: Behind
) -> None:
    users = await new_users(client, 20)
    for at in range(10):
        name = unique()
        team = await new_group(client, users[:5], name)
        replacement = client.send("PUT", f"/Groups/{team}", group(name, users[5:10]), at=at)
        additions = [client.patch(f"/Groups/{team}", add_members(each), at=at + 1) for each in users[10:14]]

        replies = await gathered([replacement, *additions])

        assert statuses(replies) == {200: 1, 204: 4}
        left = set(await members_of(client, team))
        assert set(users[5:10]) <= left <= set(users[5:14])
    await assert_sound(storage.application, storage.partition)
