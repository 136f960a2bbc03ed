"""What a restore puts back, and whether it may: read before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scim.adapters.tables.directory_rows import LIST_PARTITION, is_there
from scim.adapters.tables.table import Row
from scim.adapters.tables.told_events import ORGANIZATION
from scim.composed_stores import DIRECTORIES_TABLE
from scim.composition import Application
from scim.directories.directory import is_directory_id
from scim.directories.row_format import READABLE_FORMATS
from scim.maintenance.copy_file import CopiedRow, CopyFileError, copied_rows
from scim.settings import FURTHER_ACCOUNTS

DIRECTORY: Final = "directory"
"""The key of a directory's own row."""
LISTS: Final = LIST_PARTITION


@dataclass(frozen=True, slots=True)
class Plan:
    """What a copy has, and what of it is to come back."""

    rows: int
    only: frozenset[str]
    """The partitions that were named; all that have no rows when empty."""
    organizations: Mapping[str, str]
    """The organization of each directory of the copy."""

    def directories_of(self, organization_id: str) -> list[str]:
        """Return the directories of an organization."""
        return [each for each, organization in self.organizations.items() if organization == organization_id]


def leads_to(copied: CopiedRow, partitions: Collection[str]) -> bool:
    """Tell whether a row leads to one of some partitions: an entry of a list, or a claim of an external id."""
    kind, _, name = copied.row.key.partition("|")
    if kind == "x":
        return copied.place.partition == LISTS and copied.row.values.get("organization") in partitions
    return kind in ("d", "i", "o") and name in partitions


async def plan_of(application: Application, path: Path, only: frozenset[str], *, deleted: bool) -> Plan:
    """Return the plan of a restore.

    :raises CopyFileError: When an account of the copy is not named, a named partition cannot come back, or a newer
        version wrote it.
    """
    by_account: Counter[str] = Counter()
    partitions: set[str] = set()
    organizations: dict[str, str] = {}
    for copied in copied_rows(path):
        by_account[copied.place.account] += 1
        partitions.add(copied.place.partition)
        if copied.place.table == DIRECTORIES_TABLE and copied.row.key == DIRECTORY:
            _require_readable(path, copied)
            organizations[copied.place.partition] = str(copied.row.values.get("organization", ""))
    for account in by_account:
        if account not in application.accounts:
            raise CopyFileError(f"{path}: name data account {account!r}, which it has rows of, in {FURTHER_ACCOUNTS}")
    for name in sorted(only - partitions):
        raise CopyFileError(f"{path}: this copy has no rows of {name!r}")
    for directory_id in sorted(filter(is_directory_id, only)):
        await _require_way(application, directory_id, organizations, only, deleted=deleted)
    return Plan(by_account.total(), only, organizations)


def _require_readable(path: Path, copied: CopiedRow) -> None:
    found = copied.row.values.get("format", 0)
    if found not in READABLE_FORMATS:
        raise CopyFileError(
            f"{path}: the rows of {copied.place.partition} are of format {found!r}, and this version of the service "
            f"reads formats up to {READABLE_FORMATS[-1]}: restore with the version that wrote them"
        )


async def _require_way(
    application: Application,
    directory_id: str,
    organizations: Mapping[str, str],
    only: frozenset[str],
    *,
    deleted: bool,
) -> None:
    """Refuse to bring back what was erased on purpose, and what nobody could reach.

    :raises CopyFileError: Saying what to name besides.
    """
    table = application.account.table(DIRECTORIES_TABLE)
    row = await table.read(directory_id, DIRECTORY)
    if row is not None and is_deleted(row) and not deleted:
        raise CopyFileError(
            f"{directory_id}: this directory was deleted on purpose, with its personal data; "
            "say --deleted to bring it back all the same"
        )
    organization_id = organizations.get(directory_id, str(row.values.get("organization", "")) if row else "")
    if not organization_id:
        raise CopyFileError(f"{directory_id}: neither the copy nor the service has the row of this directory")
    if organization_id in only:
        return
    if await table.read(organization_id, ORGANIZATION) is None:
        raise CopyFileError(
            f"{directory_id}: its organization {organization_id} is gone; "
            f"say --only {organization_id}, too, to bring both back"
        )
    if await table.read(LISTS, f"o|{organization_id}") is None:
        raise CopyFileError(
            f"{directory_id}: its organization {organization_id} stands in no list; say --only {organization_id}, too"
        )


def is_deleted(row: Row) -> bool:
    """Tell whether a directory's row says no more than that there was one."""
    return not is_there(row)
