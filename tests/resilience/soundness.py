"""What must hold of a directory after whatever happened to it."""

from __future__ import annotations

from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.outbox import read_events
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.settled import is_settled
from scim.adapters.tables.table import Row, merge
from scim.composition import Application
from tests.resilience.history import Contents, stored_contents, told_contents

LONG_AGO = "2020-01-01T00:00:00.000Z"


async def assert_sound(application: Application, partition: Partition) -> Contents:
    """Sweep a directory as if much time had passed; then nothing of it is wrong, and its feed tells what it holds."""
    await sweep_later(application, partition)
    rows = await all_rows(partition)
    assert [row.key for row in rows if row.key.startswith(("e|", "e!t|")) and not is_settled(row)] == []
    violations = await check_directory(partition)
    assert violations == [], violations
    held, told = stored_contents(rows), told_contents(events_of(rows))
    assert told.users == held.users
    assert told.groups == held.groups
    assert told.memberships == held.memberships
    return held


async def sweep_later(application: Application, partition: Partition) -> None:
    """Run the sweep as it runs when whoever began an unfinished operation is surely gone."""
    await age_unfinished(partition)
    await application.background.relay_directory(partition.directory_id)


async def age_unfinished(partition: Partition) -> None:
    """Let every operation under way look as if it began long ago."""
    async for row in partition.rows((keys.UNFINISHED_FIRST, keys.UNFINISHED_END)):
        await partition.commit([merge(row.key, {"time": LONG_AGO}, row.etag)])


async def all_rows(partition: Partition) -> list[Row]:
    """Return every row of a directory."""
    return [row async for row in partition.rows(("", "~"))]


def events_of(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the events of the feed among some rows, all of its numbers and each operation once."""
    feed = [row for row in rows if row.key.startswith(keys.FEED_FIRST)]
    assert [int(keys.last_id(row.key)) for row in feed] == list(range(1, len(feed) + 1))
    operations = [row.values["operation"] for row in feed]
    assert len(set(operations)) == len(operations)
    return [event for row in feed for event in read_events(row)]
