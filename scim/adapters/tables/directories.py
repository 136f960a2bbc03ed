"""Organizations and directories in the table ``directories``.

| PartitionKey | RowKey | holds |
|---|---|---|
| directory id | ``directory`` | the directory |
| organization id | ``o`` | the organization |
| | ``d|{directory}`` | that the directory is one of the organization's |
| ``organizations`` | ``o|{organization}`` | entry in the list of organizations, with copies of name and external id |
| | ``x|{h(external id)}`` | → organization; unique |
| | ``d|{directory}`` | entry in the list of all directories |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from scim.adapters.tables.directory_races import ATTEMPTS, outages, pause
from scim.adapters.tables.directory_rows import (
    LIST_PARTITION,
    directory_of,
    directory_values,
    external_id_key,
    organization_of,
    organization_values,
    reference_of,
    reference_values,
)
from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    Write,
    delete,
    insert,
    merge,
)
from scim.directories.directory import Directory, DirectoryReference, is_directory_id
from scim.directories.errors import (
    DirectoryBusyError,
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    OrganizationExistsError,
    OrganizationNotFoundError,
)
from scim.directories.interfaces import DirectoryPage
from scim.directories.organization import Organization, is_organization_id

_DIRECTORY = "directory"
_ORGANIZATION = "o"


class TableDirectoryStore:
    """Implements ``DirectoryStore`` on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # -- Organizations --------------------------------------------------

    async def create_organization(self, organization: Organization) -> None:
        """Keep a new organization: its own row first, then the entry and the claim in one transaction.

        An organization without its entry was never told to anybody; no directory can be created in it.
        """
        values = organization_values(organization)
        with outages():
            await self._insert_once(organization.id, insert(_ORGANIZATION, values))
            writes = [insert(f"o|{organization.id}", values)]
            if organization.external_id is not None:
                writes.append(insert(external_id_key(organization.external_id), {"organization": organization.id}))
            try:
                await self._table.commit(LIST_PARTITION, writes)
            except RowExistsError:
                await self._yield_to_owner(organization)

    async def organization(self, organization_id: str) -> Organization | None:
        """Return an organization, or None. One storage request."""
        if not is_organization_id(organization_id):
            return None
        with outages():
            row = await self._table.read(organization_id, _ORGANIZATION)
        return organization_of(organization_id, row.values) if row else None

    async def organization_by_external_id(self, external_id: str) -> Organization | None:
        """Return the organization of an external id, or None. Two storage requests."""
        with outages():
            claim = await self._table.read(LIST_PARTITION, external_id_key(external_id))
        if claim is None:
            return None
        organization = await self.organization(str(claim.values["organization"]))
        return organization if organization and organization.external_id == external_id else None

    async def _yield_to_owner(self, organization: Organization) -> None:
        entry = await self._table.read(LIST_PARTITION, f"o|{organization.id}")
        if entry is not None:
            return  # the entry is ours: the answer of an earlier attempt was lost
        claim = await self._table.read(LIST_PARTITION, external_id_key(organization.external_id or ""))
        await self._delete_once(organization.id, _ORGANIZATION)
        raise OrganizationExistsError(str(claim.values["organization"]) if claim else "")

    # -- Directories ----------------------------------------------------

    async def directory(self, directory_id: str) -> Directory | None:
        """Return a directory, or None. One storage request; none for what has not the form of an id."""
        row = await self._directory_row(directory_id)
        return directory_of(directory_id, row.values) if row else None

    async def create_directory(self, directory: Directory) -> DirectoryReference:
        """Keep a new directory: its entry, guarded by its organization's, then its row, then the organization's."""
        reference = DirectoryReference(
            directory.id, directory.organization_id, directory.data_account, directory.created, creating=True
        )
        row = insert(_DIRECTORY, directory_values(directory))
        with outages():
            await self._insert_entry(reference)
            await self._insert_once(directory.id, row)
        await self.link_to_organization(directory)
        return reference

    async def link_to_organization(self, directory: Directory) -> None:
        """List a directory with its organization; doing it again changes nothing."""
        with outages():
            await self._insert_once(directory.organization_id, insert(f"d|{directory.id}", {}))

    async def confirm_creation(self, reference: DirectoryReference) -> None:
        """List a directory as one whose creation has ended; an entry that is gone meanwhile stays gone."""
        with outages():
            try:
                await self._commit_any_state([merge(f"d|{reference.directory_id}", {"creating": False})])
            except RowMissingError:
                return

    async def discard_reference(self, reference: DirectoryReference) -> None:
        """Take an entry from the list of directories; doing it again changes nothing."""
        with outages():
            await self._delete_once(LIST_PARTITION, f"d|{reference.directory_id}")

    async def update_directory(self, directory_id: str, change: Callable[[Directory], Directory]) -> Directory:
        """Replace a directory by ``change`` of it, guarded by its ETag. Two storage requests without a race."""
        for attempt in range(ATTEMPTS):
            row = await self._directory_row(directory_id)
            if row is None:
                raise DirectoryNotFoundError(directory_id)
            old = directory_of(directory_id, row.values)
            new = change(old)
            if new == old or await self._replaced(row, new):
                return new
            await pause(attempt)
        raise DirectoryBusyError(directory_id)

    async def directories_of(self, organization_id: str) -> Sequence[Directory]:
        """Return the directories of an organization, oldest first. One storage request and one for each."""
        if not is_organization_id(organization_id):
            return []
        keys: list[str] = []
        continuation: Mapping[str, str] | None = None
        while True:
            with outages():
                page = await self._table.query(organization_id, "d|", "d}", continuation=continuation)
            keys += [row.key.removeprefix("d|") for row in page.rows]
            continuation = page.continuation
            if continuation is None:
                break
        found = await asyncio.gather(*map(self.directory, keys))
        return [directory for directory in found if directory is not None]

    async def list_directories(self, continuation: Mapping[str, str] | None = None) -> DirectoryPage:
        """Return a page of the list of all directories. One storage request."""
        with outages():
            page = await self._table.query(LIST_PARTITION, "d|", "d}", continuation=continuation)
        return DirectoryPage([reference_of(row) for row in page.rows], page.continuation)

    # -- Steps ----------------------------------------------------------

    async def _directory_row(self, directory_id: str) -> Row | None:
        if not is_directory_id(directory_id):
            return None
        with outages():
            return await self._table.read(directory_id, _DIRECTORY)

    async def _insert_entry(self, reference: DirectoryReference) -> None:
        organization = reference.organization_id
        if not is_organization_id(organization):
            raise OrganizationNotFoundError(organization)
        guard = merge(f"o|{organization}", {})
        entry = insert(f"d|{reference.directory_id}", reference_values(reference))
        try:
            await self._commit_any_state([guard, entry])
        except RowMissingError as error:
            raise OrganizationNotFoundError(organization) from error
        except RowExistsError:
            return  # ids are never used twice: the answer of an earlier attempt was lost

    async def _commit_any_state(self, writes: Sequence[Write]) -> None:
        """Commit to the lists' partition, where even writes that require no state may meet others (412)."""
        for attempt in range(ATTEMPTS):
            try:
                await self._table.commit(LIST_PARTITION, writes)
            except RowChangedError:
                await pause(attempt)
            else:
                return
        raise DirectoryStoreUnavailableError("the list of directories is being changed by others")

    async def _replaced(self, row: Row, new: Directory) -> bool:
        write = merge(_DIRECTORY, directory_values(new), row.etag)
        with outages():
            try:
                await self._table.commit(new.id, [write])
            except (RowChangedError, RowMissingError):
                return False
        return True

    async def _insert_once(self, partition: str, write: Write) -> None:
        try:
            await self._table.commit(partition, [write])
        except RowExistsError:
            return  # ids are never used twice: the answer of an earlier attempt was lost

    async def _delete_once(self, partition: str, key: str) -> None:
        try:
            await self._table.commit(partition, [delete(key)])
        except RowMissingError:
            return
