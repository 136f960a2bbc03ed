"""Organizations in the table ``directories``: a row of their own, and an entry in the list of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from scim.adapters.tables.directory_races import (
    commit_any_state,
    outages,
    read_rows,
)
from scim.adapters.tables.directory_rows import (
    LIST_PARTITION,
    external_id_key,
    organization_of,
    organization_values,
    reference_of,
)
from scim.adapters.tables.remains import gone_insert, gone_key
from scim.adapters.tables.removal import delete_rows
from scim.adapters.tables.service_time import written_at
from scim.adapters.tables.settled import AGAIN
from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    Value,
    Write,
    delete,
    insert,
    merge,
    replace,
)
from scim.adapters.tables.told_events import ORGANIZATION, audit_insert, event_writes
from scim.directories.directory import is_directory_id
from scim.directories.errors import (
    DirectoryStoreUnavailableError,
    IdUsedError,
    OrganizationExistsError,
    OrganizationNotEmptyError,
    OrganizationNotFoundError,
)
from scim.directories.interfaces import OrganizationPage
from scim.directories.organization import Organization, is_organization_id
from scim.directories.organization_events import OrganizationEvent
from scim.resources.attempts import Attempts

_FOLLOWS = "follows"
"""In an entry: the organization's own row is being changed, and a sweep looks whether the two say the same."""


class TableOrganizations:
    """Implements the part of ``DirectoryStore`` that is about organizations."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def create_organization(self, organization: Organization, event: OrganizationEvent) -> None:
        """Keep a new organization: its own row first, then the entry and the claim in one transaction.

        An organization without its entry was never told to anybody; no directory can be created in it. Beside the
        entry stands that the id was given, which stays when the organization goes. Two storage requests.
        """
        values = organization_values(organization)
        with outages():
            await self._insert_own_row(organization, event)
            writes = [insert(f"o|{organization.id}", values), insert(_given(organization.id), {}), audit_insert(event)]
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
            row = await self._table.read(organization_id, ORGANIZATION)
        return organization_of(organization_id, row.values) if row else None

    async def organization_by_external_id(self, external_id: str) -> Organization | None:
        """Return the organization of an external id, or None. Two storage requests."""
        with outages():
            claim = await self._table.read(LIST_PARTITION, external_id_key(external_id))
        if claim is None:
            return None
        organization = await self.organization(str(claim.values["organization"]))
        return organization if organization and organization.external_id == external_id else None

    async def list_organizations(self, after: str, limit: int) -> OrganizationPage:
        """Return organizations behind an id. One storage request, unless storage cuts the page short."""
        first = f"o|{after}|" if after else "o|"
        with outages():
            rows = await read_rows(self._table, LIST_PARTITION, (first, "o}"), limit + 1)
        listed = [organization_of(row.key.removeprefix("o|"), row.values) for row in rows[:limit]]
        return OrganizationPage(listed, has_more=len(rows) > limit)

    async def update_organization(
        self,
        organization_id: str,
        change: Callable[[Organization], Organization],
        event: Callable[[Organization, Organization], OrganizationEvent],
    ) -> Organization:
        """Keep a new name and choice: in the copy in the list, then in the organization's own row with their event.

        The copy says that it is to follow the row, so that a sweep sees to it wherever a crash or others came between.
        """
        async for _ in Attempts():
            with outages():
                row = await self._table.read(organization_id, ORGANIZATION)
                if row is None:
                    raise OrganizationNotFoundError(organization_id)
                before = organization_of(organization_id, row.values)
                after = change(before)
                if after == before:
                    return after  # nothing differs, or an earlier attempt changed it
                await self._change_entry(after)
                writes = event_writes([event(before, after)], row, _changing(after))
                if await self._is_committed(organization_id, writes):
                    return after
        raise DirectoryStoreUnavailableError("the organization is being changed by others")

    async def _is_committed(self, organization_id: str, writes: Sequence[Write]) -> bool:
        try:
            await self._table.commit(organization_id, writes)
        except (RowChangedError, RowExistsError):
            return False
        except RowMissingError as error:
            raise OrganizationNotFoundError(organization_id) from error
        return True

    async def _change_entry(self, organization: Organization) -> None:
        """Change the copy in the list in the state in which it was read: an attempt that comes late changes nothing."""
        async for _ in Attempts():
            entry = await self._table.read(LIST_PARTITION, f"o|{organization.id}", select=["created"])
            if entry is None:
                raise OrganizationNotFoundError(organization.id)
            copy = merge(entry.key, {**_changing(organization), _FOLLOWS: True}, entry.etag)
            try:
                await self._table.commit(LIST_PARTITION, [copy])
            except RowChangedError:
                continue
            except RowMissingError as error:
                raise OrganizationNotFoundError(organization.id) from error
            return
        raise DirectoryStoreUnavailableError("the organization is being changed by others")

    async def follow(self, organization_id: str, *, is_over: bool = True) -> None:
        """Bring the entry in the list to what the organization's own row says. 2 or 3 storage requests.

        :param is_over: Whether no change is under way; else the entry goes on saying that it is to follow.
        """
        async for _ in Attempts():
            with outages():
                entry = await self._table.read(LIST_PARTITION, f"o|{organization_id}")
                own = await self._table.read(organization_id, ORGANIZATION)
                if entry is None or own is None:
                    return  # it is being created or deleted
                wanted = {name: own.values[name] for name in ("name", "mappings_by") if name in own.values}
                wanted[_FOLLOWS] = bool(entry.values.get(_FOLLOWS)) and not is_over
                if all(entry.values.get(name, False) == value for name, value in wanted.items()):
                    return
                try:
                    await self._table.commit(LIST_PARTITION, [merge(entry.key, wanted, entry.etag)])
                except (RowChangedError, RowMissingError):
                    continue
                return
        raise DirectoryStoreUnavailableError("the organization is being changed by others")

    async def left_behind(self) -> Mapping[str, datetime]:
        """Return the organizations whose entry is to follow their row, and since when by storage's clock.

        One storage request for each 1,000 organizations.
        """
        with outages():
            rows = await read_rows(self._table, LIST_PARTITION, ("o|", "o}"))
        return {row.key.removeprefix("o|"): written_at(row) for row in rows if row.values.get(_FOLLOWS)}

    async def delete_organization(self, organization: Organization, event: OrganizationEvent) -> None:
        """Forget an organization with its feed; the service's audit log says that it is gone.

        5 storage requests, one for each 100 further rows, and one for each further 1,000 directories.
        A directory's creation changes the organization's entry in the transaction that lists the directory. So of
        the list and the entry's ETag, read first, one tells of it, however close the two meet.
        """
        async for _ in Attempts():
            with outages():
                entry = await self._table.read(LIST_PARTITION, f"o|{organization.id}")
            if await self._has_directories(organization.id):
                raise OrganizationNotEmptyError(organization.id)
            if entry is None or await self._entry_deleted(organization, entry.etag, event):
                with outages():
                    await self.forget_rows(organization.id)
                return
        raise DirectoryStoreUnavailableError("the organization is being changed by others")

    async def forget_rows(self, organization_id: str) -> None:
        """Delete an organization's partition, its own row last, so that a deletion that a crash ended is repeated.

        What is told or made meanwhile changes that row: then it goes, too.
        Where making the organization took another attempt, the key of its entry in the audit log stays, without what
        it said: it keeps out the attempt that may come late.
        """
        async for _ in Attempts():
            rows = await read_rows(self._table, organization_id, (" ", "~"))
            gone = [row.key for row in rows if row.key != ORGANIZATION and not _keeps_out(row)]
            await delete_rows(self._table, organization_id, gone)
            for row in filter(_keeps_out, rows):
                await commit_any_state(self._table, organization_id, [replace(row.key, {AGAIN: True}, "*")])
            own = next((row for row in rows if row.key == ORGANIZATION), None)
            if own is None:
                return
            try:
                await self._table.commit(organization_id, [delete(ORGANIZATION, own.etag)])
            except RowChangedError:
                continue
            except RowMissingError:
                return
            return
        raise DirectoryStoreUnavailableError("the organization is being changed by others")

    async def _has_directories(self, organization_id: str) -> bool:
        with outages():
            listed = await read_rows(self._table, LIST_PARTITION, ("d|", "d}"))
        # What has not the form of an id was made before ids were checked: nothing can name it, and it is no directory.
        named = [row for row in listed if is_directory_id(row.key.removeprefix("d|"))]
        return any(reference_of(row).organization_id == organization_id for row in named)

    async def _entry_deleted(self, organization: Organization, etag: str, event: OrganizationEvent) -> bool:
        writes = [delete(f"o|{organization.id}", etag), gone_insert(organization.id), audit_insert(event)]
        if organization.external_id is not None:
            writes.append(delete(external_id_key(organization.external_id)))
        with outages():
            try:
                await self._table.commit(LIST_PARTITION, writes)
            except RowExistsError:  # it was deleted before, and put back from a copy
                with suppress(RowMissingError):
                    await commit_any_state(self._table, LIST_PARTITION, [delete(gone_key(organization.id))])
                return False
            except (RowChangedError, RowMissingError):
                return False
        return True

    async def _insert_own_row(self, organization: Organization, event: OrganizationEvent) -> None:
        """Insert the organization's row, unless an earlier attempt did; what never changes tells it from any other."""
        try:
            own = insert(ORGANIZATION, organization_values(organization))
            await self._table.commit(organization.id, [own, _with_attempt(audit_insert(event))])
        except RowExistsError as error:
            kept = await self.organization(organization.id)
            if kept is None or (kept.created, kept.external_id) != (organization.created, organization.external_id):
                raise IdUsedError(organization.id) from error

    async def _yield_to_owner(self, organization: Organization) -> None:
        entry = await self._table.read(LIST_PARTITION, f"o|{organization.id}")
        if entry is not None:
            return  # the entry is ours: the answer of an earlier attempt was lost
        given = await self._table.read(LIST_PARTITION, _given(organization.id))
        claim = await self._table.read(LIST_PARTITION, external_id_key(organization.external_id or ""))
        await self.forget_rows(organization.id)
        if given is not None:
            raise IdUsedError(organization.id)
        raise OrganizationExistsError(str(claim.values["organization"]) if claim else "")


def _with_attempt(entry: Write) -> Write:
    """Return the entry of a creation, which learns whether it took another attempt than the first."""
    return insert(entry.key, {**entry.values, AGAIN: False})


def _keeps_out(row: Row) -> bool:
    """Tell whether a row keeps out an attempt to make the organization that may come late."""
    return row.values.get(AGAIN) is True


def _given(organization_id: str) -> str:
    """Return the key of the row that says for ever that an id was an organization's."""
    return f"i|{organization_id}"


def _changing(organization: Organization) -> dict[str, Value]:
    """Return the properties that change."""
    return {"name": organization.name, "mappings_by": organization.mappings_by}
