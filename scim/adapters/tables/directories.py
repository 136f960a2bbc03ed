"""Organizations and directories in the table ``directories``.

| PartitionKey | RowKey | holds |
|---|---|---|
| directory id | ``directory`` | the directory; of a deleted one that it was, so that its id is never used again |
| | ``mappings|{revision}`` | earlier mappings, while a change of them is on its way through the users |
| organization id | ``o`` | the organization |
| | ``d|{directory}`` | that the directory is one of the organization's |
| ``organizations`` | ``o|{organization}`` | entry in the list of organizations, with copies of name and external id |
| | ``x|{h(external id)}`` | → organization; unique |
| | ``d|{directory}`` | entry in the list of all directories |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace as changed
from datetime import datetime

from scim.adapters.tables.directory_races import (
    commit_any_state,
    delete_once,
    insert_once,
    outages,
    read_rows,
)
from scim.adapters.tables.directory_rows import (
    DELETED,
    LIST_PARTITION,
    changed_values,
    directory_of,
    directory_values,
    entry_key,
    is_there,
    mappings_of,
    mappings_values,
    reference_of,
    reference_values,
)
from scim.adapters.tables.organizations import TableOrganizations
from scim.adapters.tables.remains import unlist
from scim.adapters.tables.removal import delete_rows
from scim.adapters.tables.service_time import written_at
from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    TransactionRefusedError,
    Value,
    delete,
    insert,
    merge,
    replace,
)
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory, DirectoryReference, is_directory_id
from scim.directories.errors import (
    DirectoryBusyError,
    DirectoryDeletingError,
    DirectoryNotFoundError,
    IdUsedError,
    OrganizationNotFoundError,
)
from scim.directories.interfaces import DirectoriesPage, DirectoryPage
from scim.directories.organization import is_organization_id
from scim.resources.attempts import Attempts

_DIRECTORY, _FORMER = "directory", "mappings|"


class TableDirectoryStore(TableOrganizations):
    """Implements ``DirectoryStore`` on one table.

    :param changed: Is told the id of every directory that was created or changed through this object.
    """

    def __init__(self, table: Table, *, changed: Callable[[str], None] = lambda _directory_id: None) -> None:
        super().__init__(table)
        self._changed = changed

    async def directory(self, directory_id: str) -> Directory | None:
        """Return a directory, or None. One storage request; none for what has not the form of an id."""
        row = await self._directory_row(directory_id)
        return changed(directory_of(directory_id, row.values), written_at=written_at(row)) if row else None

    async def is_deleted(self, directory_id: str) -> bool:
        """Tell whether there was a directory of this id, and it is gone. One storage request."""
        if not is_directory_id(directory_id):
            return False
        with outages():
            row = await self._table.read(directory_id, _DIRECTORY, select=["status"])
        return row is not None and not is_there(row)

    async def create_directory(self, directory: Directory) -> DirectoryReference:
        """Keep a new directory: its entry, guarded by its organization's, then its row, then the organization's.

        Three storage requests.
        """
        reference = DirectoryReference(
            directory.id, directory.organization_id, directory.data_account, directory.created, creating=True
        )
        values = directory_values(directory)
        with outages():
            is_new = await self._insert_entry(reference)
            try:
                await self._insert_row(directory, values)
            except IdUsedError:
                if is_new:
                    await delete_once(self._table, LIST_PARTITION, entry_key(directory.id))
                raise
        self._changed(directory.id)
        await self.link_to_organization(directory)
        return reference

    async def link_to_organization(self, directory: Directory) -> None:
        """List a directory with its organization; doing it again changes nothing."""
        with outages():
            await insert_once(self._table, directory.organization_id, insert(entry_key(directory.id), {}))

    async def confirm_creation(self, reference: DirectoryReference) -> None:
        """List a directory as one whose creation has ended; an entry that is gone meanwhile stays gone."""
        with outages():
            try:
                await commit_any_state(
                    self._table, LIST_PARTITION, [merge(entry_key(reference.directory_id), {"creating": False})]
                )
            except RowMissingError:
                return

    async def withdraw_creation(self, directory: Directory) -> None:
        """Take back a new directory, unless its row has changed: the organization's entry, the row, its own entry."""
        row = await self._directory_row(directory.id)
        if row is None or directory_of(directory.id, row.values) != directory:
            return
        with outages():
            await delete_once(self._table, directory.organization_id, entry_key(directory.id))
            try:
                await self._table.commit(directory.id, [delete(_DIRECTORY, row.etag)])
            except (RowChangedError, RowMissingError):
                return
            await delete_once(self._table, LIST_PARTITION, entry_key(directory.id))

    async def discard_reference(self, reference: DirectoryReference) -> None:
        """Take an entry from the list of directories; doing it again changes nothing."""
        with outages():
            await unlist(self._table, entry_key(reference.directory_id), reference.directory_id, reference.data_account)

    async def update_directory(
        self, directory_id: str, change: Callable[[Directory], Directory], *, deleting: bool = False
    ) -> Directory:
        """Replace a directory by ``change`` of it, guarded by its ETag. Two storage requests without a race."""
        async for _ in Attempts():
            row = await self._directory_row(directory_id)
            if row is None:
                raise DirectoryNotFoundError(directory_id)
            old = directory_of(directory_id, row.values)
            if old.deletion is not None and not deleting:
                raise DirectoryDeletingError(directory_id)
            new = change(old)
            if new == old or await self._replaced(row, old, new):
                self._changed(directory_id)
                return new
        raise DirectoryBusyError(directory_id)

    async def former_mappings(self, directory_id: str, revision: int) -> tuple[AttributeMapping, ...] | None:
        """Return the mappings of an earlier revision, or None when they are not kept any more. One storage request."""
        with outages():
            row = await self._table.read(directory_id, _former(revision))
        return mappings_of(row.values) if row else None

    async def mappings_replaced_at(self, directory_id: str, revision: int) -> datetime | None:
        """Return when others took the place of the mappings of a revision, by storage's clock; None when it is over.

        One storage request.
        """
        with outages():
            row = await self._table.read(directory_id, _former(revision))
        return written_at(row) if row else None

    async def forget_mappings(self, directory_id: str, before: int) -> None:
        """Delete the mappings of earlier revisions; doing it again changes nothing."""
        with outages():
            rows = await read_rows(self._table, directory_id, (_FORMER, _former(before)))
            await delete_rows(self._table, directory_id, [row.key for row in rows])

    async def forget_directory(self, directory: Directory) -> None:
        """Delete what is left of a directory, but for its status: the entry by which sweeps find it last."""
        with outages():
            await delete_once(self._table, directory.organization_id, entry_key(directory.id))
            rows = await read_rows(self._table, directory.id, (" ", "~"))
            await delete_rows(self._table, directory.id, [row.key for row in rows if row.key != _DIRECTORY])
            await self._leave_deleted(directory.id)
            await unlist(self._table, entry_key(directory.id), directory.id, directory.data_account)
        self._changed(directory.id)

    async def directories_of(self, organization_id: str) -> Sequence[Directory]:
        """Return the directories of an organization, oldest first. One storage request and one for each."""
        if not is_organization_id(organization_id):
            return []
        with outages():
            rows = await read_rows(self._table, organization_id, ("d|", "d}"))
        return await self._directories([row.key.removeprefix("d|") for row in rows])

    async def directory_page(self, organization_id: str, after: str, limit: int) -> DirectoriesPage:
        """Return directories of an organization behind an id. One storage request and one for each."""
        if not is_organization_id(organization_id):
            return DirectoriesPage([], "")
        first = f"d|{after}|" if after else "d|"
        with outages():
            rows = await read_rows(self._table, organization_id, (first, "d}"), limit + 1)
        ids = [row.key.removeprefix("d|") for row in rows]
        return DirectoriesPage(await self._directories(ids[:limit]), ids[limit - 1] if len(ids) > limit else "")

    async def _directories(self, directory_ids: Sequence[str]) -> list[Directory]:
        found = await asyncio.gather(*map(self.directory, directory_ids))
        return [directory for directory in found if directory is not None]

    async def list_directories(self, continuation: Mapping[str, str] | None = None) -> DirectoryPage:
        """Return a page of the list of all directories. One storage request."""
        with outages():
            page = await self._table.query(LIST_PARTITION, "d|", "d}", continuation=continuation)
        # What has not the form of an id was made before ids were checked, and leads to nothing.
        named = [row for row in page.rows if is_directory_id(row.key.removeprefix("d|"))]
        return DirectoryPage([reference_of(row) for row in named], page.continuation)

    # -- Steps ----------------------------------------------------------

    async def _directory_row(self, directory_id: str) -> Row | None:
        if not is_directory_id(directory_id):
            return None
        with outages():
            row = await self._table.read(directory_id, _DIRECTORY)
        return row if is_there(row) else None

    async def _insert_entry(self, reference: DirectoryReference) -> bool:
        """Return whether the entry is new; one of this organization may be there from an earlier attempt."""
        organization, key = reference.organization_id, entry_key(reference.directory_id)
        if not is_organization_id(organization):
            raise OrganizationNotFoundError(organization)
        writes = [merge(f"o|{organization}", {}), insert(key, reference_values(reference))]
        try:
            await commit_any_state(self._table, LIST_PARTITION, writes)
        except RowMissingError as error:
            raise OrganizationNotFoundError(organization) from error
        except RowExistsError as error:
            kept = await self._table.read(LIST_PARTITION, key)
            if kept is not None and reference_of(kept).organization_id != organization:
                raise IdUsedError(reference.directory_id) from error
            return False
        return True

    async def _insert_row(self, directory: Directory, values: Mapping[str, Value]) -> None:
        """Insert the row, unless the same creation did: an attempt whose answer was lost, or one beside this one.

        Of two attempts of one creation each has made a token, and the row says which becomes active.
        """
        try:
            await self._table.commit(directory.id, [insert(_DIRECTORY, values)])
        except RowExistsError as error:
            kept = await self._table.read(directory.id, _DIRECTORY)
            if kept is None or kept.values.get("organization") != directory.organization_id:
                raise IdUsedError(directory.id) from error

    async def _leave_deleted(self, directory_id: str) -> None:
        """Let the row say no more than that there was a directory of this id; doing it again changes nothing."""
        values: dict[str, Value] = {"status": DELETED}
        try:
            await commit_any_state(self._table, directory_id, [replace(_DIRECTORY, values, "*")])
        except RowMissingError:
            await insert_once(self._table, directory_id, insert(_DIRECTORY, values))

    async def _replaced(self, row: Row, old: Directory, new: Directory) -> bool:
        writes = [merge(_DIRECTORY, changed_values(old, new), row.etag)]
        if new.mapping_job is not None and new.mapping_job.revision == old.mapping_revision + 1:
            writes.append(insert(_former(old.mapping_revision), mappings_values(old.attribute_mappings)))
        with outages():
            try:
                await self._table.commit(new.id, writes)
            except TransactionRefusedError:
                return False
        return True


def _former(revision: int) -> str:
    return f"{_FORMER}{revision:010d}"
