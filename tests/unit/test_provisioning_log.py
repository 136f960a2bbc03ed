"""The provisioning log off the way of requests: repeats are one entry, bounds hold, and no failure is anybody's."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest

from scim.adapters.tables.failures import AttemptFailedError
from scim.adapters.tables.provisioning_log import TableProvisioningLog
from scim.adapters.tables.retrying_table import RetryingTable
from scim.directories.bearer_token import TokenMistake
from scim.directories.directory import Directory
from scim.provisioning import provisioning_log
from scim.provisioning.authentication import AuthenticationFailedException
from scim.provisioning.findings import _CAUSES, without_values
from scim.provisioning.outcome import Outcome
from scim.provisioning.provisioning_log import ENTRIES_PER_HOUR, ProvisioningLog
from scim.resources.directory_schemas import directory_schemas
from scim.resources.errors import ResourceMissingError, StorageUnavailableError
from scim.resources.identifiers import new_resource_id
from scim.resources.log_words import CAUSES, TOKEN_PREFIX, words_of
from scim.resources.provisioning_log import Finding, LogPage, LogPosition, ProvisioningLogEntry
from tests.fakes.memory_table import MemoryTable, fail_at

START = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
DIRECTORY = Directory("dir_" + "0" * 32, "org_" + "0" * 32, "entra_id", "Entra", "active", START, START)


@dataclass(slots=True)
class OneDirectory:
    """Knows one directory, until it is deleted."""

    known: Directory | None = DIRECTORY

    async def directory(self, directory_id: str) -> Directory | None:
        return self.known


@dataclass(slots=True)
class Process:
    """A process with its log, over a table that others may share."""

    table: MemoryTable = field(default_factory=MemoryTable)
    directories: OneDirectory = field(default_factory=OneDirectory)
    time: datetime = START
    log: Any = None

    def __post_init__(self) -> None:
        self.log = ProvisioningLog(TableProvisioningLog(self.table), self.directories, now=lambda: self.time)

    async def see(self, *errors: Exception, **outcome: Any) -> None:
        """Let these failures happen, and be stored."""
        for error in errors:
            self.log.observe(Outcome(DIRECTORY, "GET", "read", "User", 404, error=error, **outcome))
            self.time += timedelta(microseconds=1)
        await self.log.close()

    async def entries(self) -> list[ProvisioningLogEntry]:
        """Return the whole log, newest first, page by page."""
        store, found, after = TableProvisioningLog(self.table), list[ProvisioningLogEntry](), None
        while True:
            page: LogPage = await store.page(DIRECTORY.id, after, 3)
            found += [entry for _, entry in page.entries]
            after = page.last
            if after is None:
                return found


def wrong_token(mistake: TokenMistake = TokenMistake.EMPTY) -> Exception:
    return AuthenticationFailedException(mistake, DIRECTORY)


async def test_repeats_are_one_entry_with_first_and_last_time() -> None:
    process = Process()
    await process.see(wrong_token(), wrong_token())
    process.time += timedelta(minutes=10)
    await process.see(wrong_token())

    (entry,) = await process.entries()

    assert (entry.count, entry.first, entry.last - entry.first) == (3, START, timedelta(minutes=10, microseconds=2))


async def test_another_hour_begins_another_entry() -> None:
    process = Process()
    await process.see(wrong_token())
    process.time += timedelta(minutes=31)
    await process.see(wrong_token())

    assert [entry.count for entry in await process.entries()] == [1, 1]


async def test_repeats_of_many_processes_are_one_entry() -> None:
    first = Process()
    others = [Process(first.table) for _ in range(3)]
    for process in (first, *others, first):
        await process.see(wrong_token(), wrong_token(TokenMistake.ENDED))

    assert [entry.count for entry in await first.entries()] == [5, 5]


async def test_guessing_costs_a_dozen_entries_an_hour_and_a_few_requests() -> None:
    process = Process()
    for _ in range(1_000):
        for mistake in TokenMistake:
            process.log.observe(Outcome(DIRECTORY, "GET", "unknown", "", 401, error=wrong_token(mistake)))
    await process.log.close()

    assert len(process.table.requests) == 1
    assert {entry.count for entry in await process.entries()} == {1_000}


async def test_different_entries_have_a_bound() -> None:
    process = Process()
    ids = [new_resource_id("User") for _ in range(ENTRIES_PER_HOUR + 50)]
    for each in ids:
        await process.see(ResourceMissingError(each), path=("Users", each))

    shared, *others = await process.entries()

    assert (shared.count, shared.finding.resource_id) == (50, "")
    assert len(others) == ENTRIES_PER_HOUR


async def test_what_waits_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioning_log, "MAX_WAITING", 10)
    process = Process()
    for _ in range(30):
        each = new_resource_id("User")
        process.log.observe(Outcome(DIRECTORY, "GET", "read", "User", 404, ("Users", each), ResourceMissingError(each)))
    await process.log.close()

    assert len(await process.entries()) == 10


async def test_a_lost_answer_counts_nothing_twice() -> None:
    process = Process()
    process.log = ProvisioningLog(
        TableProvisioningLog(RetryingTable(process.table, AsyncMock())), process.directories, now=lambda: process.time
    )
    for number in (1, 2, 3):
        lost = iter([AttemptFailedError("the answer was lost", may_be_applied=True)])
        process.table.after = lambda request, lost=lost: next(lost, None) if request.operation == "commit" else None
        await process.see(wrong_token())
        assert [entry.count for entry in await process.entries()] == [number]


async def test_an_outage_keeps_what_waits_for_later(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    process = Process()
    process.table.before = fail_at(0)
    await process.see(wrong_token())
    assert "was not stored" in caplog.text
    assert await process.entries() == []

    await process.see(wrong_token())

    assert [entry.count for entry in await process.entries()] == [2]


async def test_nothing_is_stored_for_a_directory_that_was_deleted() -> None:
    process = Process(directories=OneDirectory(None))
    await process.see(wrong_token())

    assert process.table.partitions() == []


async def test_a_page_that_storage_answers_in_parts_is_whole() -> None:
    table = MemoryTable(page_size=1)
    store = TableProvisioningLog(table)
    entry = ProvisioningLogEntry(Finding("failure"), "GET", "read", "User", 500, "", START, START)
    await store.add(DIRECTORY.id, [entry, replace(entry, status=501)])

    page = await store.page(DIRECTORY.id, None, 1)

    assert len(page.entries) == 1
    assert page.last == page.entries[0][0]
    assert (await store.page(DIRECTORY.id, LogPosition("l}"), 1)).entries == []


def test_every_cause_has_words_and_every_token_mistake_of_a_known_directory_is_a_cause() -> None:
    assert {TOKEN_PREFIX + mistake for mistake in TokenMistake} - CAUSES.keys() == {
        TOKEN_PREFIX + TokenMistake.UNKNOWN_DIRECTORY
    }
    assert set(_CAUSES.values()) <= CAUSES.keys()
    for words in CAUSES.values():
        assert words.title
        assert words.explanation.endswith(".")
        assert words.remedy.endswith(".")


def test_words_name_the_attribute_of_the_finding() -> None:
    assert words_of(Finding("ignored", "password")).explanation == "password was sent, and is never stored."
    assert words_of(Finding("of a later version")).title == CAUSES["refused"].title


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("active must be true or false, not text.", "active must be true or false, not text."),
        ('"name.givenName" holds one value.', '"name.givenName" holds one value.'),
        ('"name.anna" holds one value.', '"…" holds one value.'),
        ('The body must hold "Operations" as a list.', 'The body must hold "Operations" as a list.'),
        ('emails[value eq "a@b.c"].type selects no entries.', 'emails[value eq "…"].type selects no entries.'),
        ("'O'Brien \"x\"' is not an attribute path.", '"…" is not an attribute path.'),
        ("half a \ud800 name", "half a � name"),
    ],
)
def test_an_answer_is_shown_without_what_may_be_a_value(detail: str, shown: str) -> None:
    schemas = directory_schemas(())

    assert without_values(detail, (schemas.user, schemas.group)) == shown


async def test_a_failing_store_fails_no_request() -> None:
    process = Process()
    process.table.before = lambda _: StorageUnavailableError("down")

    await process.see(wrong_token())

    assert process.table.partitions() == []
