"""Deriving from the feed when storage fails: it is taken up where it was, and nothing is counted twice."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.derived_rows import TableDerivedReader
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import StorageUnavailableError
from tests.fakes.memory_table import MemoryTable, Request
from tests.service import ScimClient


async def test_a_derivation_that_breaks_off_is_taken_up_where_it_was(scim: ScimClient, rows: MemoryTable) -> None:
    group = (await scim.new_group("Team", await scim.new_users(70)))["id"]
    reader = TableDerivedReader(scim.partition)
    await relay(scim.partition)

    for lost in range(8):
        commits = iter(range(lost % 3 + 1))

        def fault(request: Request, commits: Any = commits) -> Exception | None:
            if request.operation != "commit" or next(commits, None) is not None:
                return None
            return StorageUnavailableError("down")

        rows.before, rows.after = (fault, None) if lost % 2 else (None, fault)
        with suppress(StorageUnavailableError):
            await derive(scim.partition)
    rows.before = rows.after = None
    await derive(scim.partition)

    assert (await reader.member_counts([group])) == {group: 70}
    page = await reader.history(group, "", 100)
    assert sum(len(entry.related) for entry in page.entries) == 70
    assert await check_directory(scim.partition) == []
