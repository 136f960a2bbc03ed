"""The commands: each does one thing to one directory."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from scim.adapters.tables.consistency.check import examine
from scim.adapters.tables.consistency.counts import readable_index
from scim.adapters.tables.consistency.recount import recount
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.consistency.ways import mend_ways, way_violations
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.seeding import seed_group, seed_users
from scim.composed_stores import DIRECTORIES_TABLE
from scim.composition import Application
from scim.directories.directory import Directory, is_directory_id
from scim.maintenance.progress import Progress
from scim.maintenance.results import CheckResult, RelayResult, SeedResult
from scim.maintenance.sample_documents import sample_group, sample_user
from scim.resources.directory_schemas import DirectorySchemas, directory_schemas

_REPORTS: Final = 20
"""How many users a sample manager has."""


async def check(application: Application, directory_id: str, progress: Progress, *, repair: bool) -> CheckResult:
    """Return what is wrong in a directory and with what leads to it, or what a repair mended and left.

    :raises DirectoryNotFoundError: When there is no such directory, and nothing that names it.
    """
    ways, mended_ways = await _ways(application, directory_id, repair=repair)
    if any(violation.kind == "listed_without_directory" for violation in ways):
        return CheckResult(directory_id, 0, {}, ways, [] if repair else None)
    partition = await _partition(application, directory_id)
    mended = None
    if repair:
        done = await repair_directory(partition, progress)
        current = await _partition(application, directory_id)
        if current.attributes.revision != partition.attributes.revision:  # it may have gone by mappings of before
            done = await repair_directory(current, progress)
        found, rows, mended = done.left, done.rows, sorted([*mended_ways, *done.mended])
    else:
        examined = await examine(partition, progress)
        found, rows = examined.violations, examined.rows
    index = await readable_index(partition)
    counts = index.current_counts() if index else {}
    return CheckResult(directory_id, rows, counts, sorted([*ways, *found]), mended)


async def _ways(
    application: Application, directory_id: str, *, repair: bool
) -> tuple[list[Violation], list[Violation]]:
    """Return what is wrong with what leads to a directory, and what of it was mended."""
    table = application.account.table(DIRECTORIES_TABLE)
    found = await way_violations(table, directory_id) if is_directory_id(directory_id) else []
    if not repair or not found:
        return found, []
    directory = await application.directory_store.directory(directory_id)
    if directory is not None:
        await mend_ways(table, directory, found)
    left = await way_violations(table, directory_id)
    return left, [violation for violation in found if violation not in left]


async def relay_now(application: Application, directory_id: str) -> RelayResult:
    """Move what waits in a directory's outbox into its feed.

    :raises DirectoryNotFoundError: When there is no such directory.
    """
    partition = await _partition(application, directory_id)
    return RelayResult(directory_id, await relay(partition))


async def seed(
    application: Application, directory_id: str | None, users: int, groups: Sequence[int], progress: Progress
) -> SeedResult:
    """Fill a directory, or a new one, with sample users and groups of so many of them each.

    :raises DirectoryNotFoundError: When there is no such directory.
    """
    directory, token = await _directory_to_seed(application, directory_id)
    partition, schemas = application.partition_of(directory), directory_schemas(directory.attribute_mappings)
    sample, counter, begun = _Sample(schemas), _Counter(progress), time.perf_counter()
    await seed_users(partition, sample.users(users), counter.add)
    members: dict[str, int] = {}
    for size in groups:
        document = sample_group(schemas, sample.batch, size)
        await seed_group(partition, document, sample.ids[:size], counter.add)
        members[document["id"]] = size
    seconds = time.perf_counter() - begun
    is_counted = await recount(partition, progress)
    return SeedResult(directory.id, users, members, counter.rows, seconds, is_counted, token)


class _Sample:
    """The users of one run and their ids."""

    def __init__(self, schemas: DirectorySchemas) -> None:
        self.batch = secrets.token_hex(4)
        self.ids: list[str] = []
        self._schemas = schemas

    def users(self, count: int) -> Iterator[dict[str, Any]]:
        """Yield new users; each leads the ones that follow it."""
        for number in range(count):
            manager = self.ids[number - number % _REPORTS] if number % _REPORTS else None
            document = sample_user(self._schemas, self.batch, number, manager)
            self.ids.append(document["id"])
            yield document


class _Counter:
    """Adds up the rows that were written, and says so."""

    def __init__(self, progress: Progress) -> None:
        self.rows = 0
        self._progress = progress

    def add(self, rows: int) -> None:
        """Count some more."""
        self.rows += rows
        self._progress("rows written", self.rows)


async def _directory_to_seed(application: Application, directory_id: str | None) -> tuple[Directory, str | None]:
    if directory_id is not None:
        return await application.directories.get_directory(directory_id), None
    await application.prepare_storage()
    organization = await application.directories.create_organization("Seeded organization")
    new = await application.directories.create_directory(organization.id, name="Seeded directory", provider="entra_id")
    return new.directory, new.token


async def _partition(application: Application, directory_id: str) -> Partition:
    return application.partition_of(await application.directories.get_directory(directory_id))
