"""A directory's whole life as the application's backend sees it, from its creation to the last row."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

from scim.composed_stores import DIRECTORIES_TABLE
from scim.directories.deletion import QUIET
from scim.directories.staleness import FRESH_SECONDS
from scim.provisioning.directory_cache import REREAD_SECONDS
from scim.resources.schema import ENTERPRISE_URN
from tests.api import ApiClient
from tests.fakes.memory_account import MemoryAccount
from tests.functional.test_api_directories import scim_of
from tests.functional.test_directory_status import Clock, another_instance
from tests.service import EXTENSION_URN, ScimClient, add_members, pass_in_storage, user

MAPPINGS = [
    {"name": "cost_centre", "path": f"{EXTENSION_URN}:costCentre"},
    {"name": "number", "path": f"{ENTERPRISE_URN}:employeeNumber", "matching": True},
]


async def provision(scim: ScimClient) -> tuple[str, str, str]:
    """Send what Entra sends in its first cycles, and return the ids of two users and of a group."""
    assert await scim.find('userName eq "anna@contoso.com"') == []
    anna = (
        await scim.new_user(
            "anna@contoso.com",
            active=True,
            emails=[{"type": "work", "value": "anna@contoso.com", "primary": True}],
            **{EXTENSION_URN: {"costCentre": "4711"}, ENTERPRISE_URN: {"employeeNumber": "17"}},
        )
    )["id"]
    bob = (await scim.new_user("bob@contoso.com", active=True))["id"]
    group = (await scim.new_group("Sales"))["id"]
    assert (await scim.patch(f"/Groups/{group}", add_members(anna))).status == 204
    off = await scim.patch(f"/Users/{bob}", {"op": "Replace", "path": "active", "value": "False"})
    assert off.status == 200
    assert await scim.find(f'{ENTERPRISE_URN}:employeeNumber eq "17"') == [anna]
    return anna, bob, group


async def rotate_under_load(api: ApiClient, one: str, scim: ScimClient, clock: Clock) -> None:
    """Rotate, and go over to the new token, while requests run of which none fails."""
    current, answered, done = [scim], asyncio.Queue[int](), asyncio.Event()

    async def requests() -> None:
        for number in count():
            answered.put_nowait((await current[0].post("/Users", user(f"user{number}@contoso.com"))).status)
            await asyncio.sleep(0)
            if done.is_set():
                return

    async def next_statuses() -> set[int]:
        return {await answered.get() for _ in range(20)}

    running = asyncio.create_task(requests())
    rotated = await api.post(f"{one}/tokens", {})
    assert rotated.status == 201
    assert await next_statuses() == {201}
    clock.seconds += REREAD_SECONDS
    current[0] = replace(scim, token=rotated.json["token"])
    assert await next_statuses() == {201}
    done.set()
    await running
    assert {answered.get_nowait() for _ in range(answered.qsize())} <= {201}


def mentions(account: MemoryAccount, text: str) -> set[str]:
    """Return the partitions, and beginnings of keys, of all rows that mention a text."""
    return {
        f"{name} {partition[:4]} {key.partition('|')[0]}"
        for name, table in account.tables.items()
        for partition in table.partitions()
        for key, row in table.rows(partition).items()
        if text in f"{partition} {key} {dict(row.values)}"
    }


async def test_from_the_first_organization_to_the_last_row(api: ApiClient) -> None:
    account, clock = api.application.account, Clock()
    assert isinstance(account, MemoryAccount)
    organization = await api.new_organization("Contoso")
    created = await api.new_directory(organization)
    one = f"directories/{created['id']}"
    mapped = await api.put(f"{one}/attribute-mappings", {"attribute_mappings": MAPPINGS})
    assert mapped.json["mapping_revision"] == 1
    instance = another_instance(api.application, clock)
    scim = replace(await scim_of(api, created), application=instance)

    anna, bob, group = await provision(scim)
    users = (await api.get(f"{one}/users", {"limit": "100"})).json["data"]
    assert [(each["id"], each["active"], each["custom_attributes"]) for each in users] == [
        (anna, True, {"cost_centre": "4711", "number": "17"}),
        (bob, False, {}),
    ]
    feed = await api.get(f"organizations/{organization}/events", {"limit": "100"})
    assert [event["type"] for event in feed.json["data"]] == [
        "directory.created",
        "directory.attribute_mappings_changed",
        "user.created",
        "user.created",
        "group.created",
        "group.user_added",
        "user.deactivated",
    ]
    assert feed.json["data"][5]["data"] == {"group_id": group, "user_id": anna}

    await rotate_under_load(api, one, scim, clock)
    assert (await api.patch(one, {"status": "disabled"})).status == 200
    clock.seconds += FRESH_SECONDS
    assert (await scim.get("/Users")).status == 401
    assert (await api.delete(one)).status == 202
    await api.application.background.relay_directory(created["id"])
    pass_in_storage(api.application, QUIET)
    await api.application.background.sweep()

    assert (await api.get(one)).status == 404
    await instance.close()
    assert await api.application.secret_store.list_versions(scim.directory.secret_name) == []
    assert mentions(account, created["id"]) == {
        f"{DIRECTORIES_TABLE} org_ f",
        f"{DIRECTORIES_TABLE} org_ a",  # who did it
        f"{DIRECTORIES_TABLE} dir_ directory",  # that the id was used
    }
    rest = await api.get(f"organizations/{organization}/events", {"after": feed.json["cursor"]})
    assert [event["type"] for event in rest.json["data"]] == [
        "token.rotated",
        "directory.disabled",
        "directory.deleted",
    ]
