"""Whether what leads to a directory is there: lists and organizations name it, and what they name exists."""

from __future__ import annotations

from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.directory_races import commit_any_state, insert_once
from scim.adapters.tables.directory_rows import (
    HELD,
    LIST_PARTITION,
    entry_key,
    is_there,
    reference_of,
    reference_values,
)
from scim.adapters.tables.table import RowExistsError, RowMissingError, Table, insert, merge
from scim.adapters.tables.told_events import ORGANIZATION
from scim.directories.directory import Directory, DirectoryReference

_DIRECTORY = "directory"


async def way_violations(table: Table, directory_id: str) -> list[Violation]:
    """Return what is wrong with what leads to a directory, in the table ``directories``. 2 to 5 storage requests."""
    key = entry_key(directory_id)
    row, entry = await table.read(directory_id, _DIRECTORY), await table.read(LIST_PARTITION, key)
    if row is None or not is_there(row):
        is_lost = entry is not None and not reference_of(entry).creating
        sentence = "The list of all directories names a directory that does not exist; the next sweep takes it out."
        return [Violation("listed_without_directory", key, sentence)] if is_lost else []
    if row.values["status"] == "deleting":
        return []  # What leads to it goes first.
    found = []
    if row.values.get(HELD) is True:
        sentence = "A restore of it broke off, or is under way: it is disabled until that is repeated."
        found.append(Violation("restore_broke_off", _DIRECTORY, sentence))
    if entry is None:
        sentence = "The list of all directories lacks it: no sweep, retention or watcher comes to it."
        found.append(Violation("unlisted_directory", key, sentence))
    return [*found, *await _organization_violations(table, directory_id, str(row.values["organization"]))]


async def _organization_violations(table: Table, directory_id: str, organization_id: str) -> list[Violation]:
    if await table.read(organization_id, ORGANIZATION) is None:
        sentence = f"Its organization {organization_id} is gone: put it back with restore --only."
        return [Violation("lost_organization", ORGANIZATION, sentence)]
    found = []
    if await table.read(LIST_PARTITION, f"o|{organization_id}") is None:
        sentence = f"The list of organizations lacks {organization_id}: put it back with restore --only."
        found.append(Violation("unlisted_organization", f"o|{organization_id}", sentence))
    if await table.read(organization_id, entry_key(directory_id)) is None:
        sentence = f"Its organization {organization_id} does not list it."
        found.append(Violation("not_in_organization", entry_key(directory_id), sentence))
    return found


async def mend_ways(table: Table, directory: Directory, found: list[Violation]) -> None:
    """List a directory again where it was not, beside an organization that is there."""
    kinds = {violation.kind for violation in found}
    if "lost_organization" in kinds:
        return
    if "not_in_organization" in kinds:
        await insert_once(table, directory.organization_id, insert(entry_key(directory.id), {}))
    if "unlisted_directory" in kinds and "unlisted_organization" not in kinds:
        await _list(table, directory)


async def _list(table: Table, directory: Directory) -> None:
    """Enter a directory in the list of all, unless its organization goes at this moment."""
    reference = DirectoryReference(
        directory.id, directory.organization_id, directory.data_account, directory.created, creating=False
    )
    guard = merge(f"o|{directory.organization_id}", {})
    entry = insert(entry_key(directory.id), reference_values(reference))
    try:
        await commit_any_state(table, LIST_PARTITION, [guard, entry])
    except (RowExistsError, RowMissingError):
        return  # Another repair was faster, or the organization is gone: the next look tells.
