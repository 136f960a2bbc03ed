"""A process is killed between the transactions of an operation: nothing acknowledged is lost, the rest is finished."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.deletions import CLEARING, LEAVING
from scim.adapters.tables.large_groups import ANNOUNCING, STAGING
from scim.adapters.tables.relay import relay
from scim.local_host.azurite import Azurite
from tests.resilience.deeds import DEEDS, Deed
from tests.resilience.history import Contents
from tests.resilience.hosts import Behind, behind
from tests.resilience.mortal import Mortal
from tests.resilience.soundness import age_unfinished, assert_sound
from tests.resilience.stock import Stock

Ready = Callable[[str], Awaitable[Deed]]
Survive = Callable[[str, int], Awaitable[bool]]
LEFT = {
    CLEARING: ("DELETE group", 1),
    LEAVING: ("DELETE user in 60 groups", 2),
    STAGING: ("POST group with 200 members", 5),
    ANNOUNCING: ("POST group with 200 members", 11),
}
"""What a kill behind a transaction of an operation leaves unfinished."""
_POOL = 200
_MOST_TRANSACTIONS = 40


@pytest.fixture(scope="module")
async def mortal(kept_azurite: Azurite, places: Path) -> AsyncIterator[Mortal]:
    """A host to kill."""
    async with aiohttp.ClientSession() as session:
        host = Mortal(kept_azurite.connection_string, places / "mortal", session)
        yield host
        host.close()


@pytest.fixture(scope="module")
async def rows(kept_azurite: Azurite, mortal: Mortal) -> AsyncIterator[Behind]:
    """The rows behind it."""
    found = await behind(kept_azurite.connection_string, mortal.host)
    yield found
    await found.application.close()


@pytest.fixture(scope="module")
def stock(rows: Behind) -> Stock:
    """Fills its directory."""
    return Stock(rows.store, rows.partition)


@pytest.fixture(scope="module")
async def ready(stock: Stock) -> Ready:
    """Prepare an operation."""
    pool = await stock.users(_POOL)
    return lambda name: DEEDS[name](stock, pool)


@pytest.fixture
def survive(mortal: Mortal, rows: Behind, ready: Ready) -> Survive:
    """Kill the host in an operation, have the operation repeated, and look at what is left."""

    async def run(name: str, transaction: int) -> bool:
        deed = await ready(name)
        before = await assert_sound(rows.application, rows.partition)
        has_died = await mortal.dies_in(deed.request, transaction)
        if transaction % 2:  # The sweep comes before the repetition, or after it.
            await assert_sound(rows.application, rows.partition)
        again = await mortal.client.send(deed.request.method, deed.request.path, deed.request.body)
        assert again.status in deed.repeated, again
        assert await deed.holds(mortal.client)
        assert_kept(before, await assert_sound(rows.application, rows.partition), deed)
        return has_died

    return run


def assert_kept(before: Contents, after: Contents, deed: Deed) -> None:
    """Assert that all but what an operation was about is as it was."""
    others = [*before.users, *before.groups]
    others.remove(deed.touched) if deed.touched else None
    for resource_id in others:
        assert (before.users | before.groups)[resource_id] == (after.users | after.groups)[resource_id]
    assert {pair for pair in before.memberships if deed.touched not in pair} <= after.memberships


@pytest.mark.parametrize("name", DEEDS)
async def test_an_operation_is_completed_after_a_kill(survive: Survive, name: str) -> None:
    assert await survive(name, 1 if name == "DELETE group" else 2)


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", DEEDS)
async def test_an_operation_is_completed_after_a_kill_behind_any_transaction(survive: Survive, name: str) -> None:
    transaction = 1
    while await survive(name, transaction):
        transaction += 1
        assert transaction < _MOST_TRANSACTIONS


async def kinds_of_unfinished(rows: Behind) -> list[str]:
    marks = rows.partition.rows((keys.UNFINISHED_FIRST, keys.UNFINISHED_END))
    return [str(row.values["kind"]) async for row in marks]


async def dies_behind_every_transaction(mortal: Mortal, rows: Behind) -> int:
    """Do the background work in processes that are killed behind their first transaction, until one has none."""
    killed = 0
    await age_unfinished(rows.partition)
    while mortal.dies_in_background(1):
        killed += 1
        await age_unfinished(rows.partition)
        assert killed < _MOST_TRANSACTIONS
    return killed


async def test_the_relay_is_completed_after_kills(mortal: Mortal, rows: Behind, stock: Stock) -> None:
    await assert_sound(rows.application, rows.partition)
    await stock.users(60)
    assert await dies_behind_every_transaction(mortal, rows) >= 2
    await assert_sound(rows.application, rows.partition)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", LEFT)
async def test_what_a_kill_left_is_finished_by_processes_that_are_killed_too(
    mortal: Mortal, rows: Behind, ready: Ready, kind: str
) -> None:
    name, transaction = LEFT[kind]
    deed = await ready(name)
    await relay(rows.partition)
    await mortal.dies_in(deed.request, transaction)
    assert await kinds_of_unfinished(rows) == [kind]

    assert await dies_behind_every_transaction(mortal, rows) >= 2

    assert await kinds_of_unfinished(rows) == []
    await assert_sound(rows.application, rows.partition)
