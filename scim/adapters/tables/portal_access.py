"""Links to the portal and their sessions in table ``directories``, in the partition of their organization.

| PartitionKey | RowKey | holds |
|---|---|---|
| organization id | ``p|{link}`` | a link |
| | ``p|{link}|{session}`` | a session made with it |

Whatever changes a link or its sessions changes the link's row, under its ETag: so a link that is revoked takes every
session with it, and a session that is being made meanwhile fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from scim.adapters.tables.directory_races import outages, read_rows
from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    TransactionRefusedError,
    Value,
    Write,
    delete,
    insert,
    merge,
)
from scim.adapters.tables.told_events import ORGANIZATION, event_writes
from scim.directories.errors import (
    DirectoryStoreUnavailableError,
    IdUsedError,
    LinkNotFoundError,
    OrganizationNotFoundError,
)
from scim.directories.organization import is_organization_id
from scim.directories.organization_events import OrganizationEvent
from scim.directories.portal_access import LinkUse, PortalSession, is_session_id
from scim.directories.portal_link import PortalLink, is_link_id
from scim.resources.attempts import Attempts

PORTAL_FIRST, PORTAL_END = "p|", "p}"

LinkEvents = Callable[[LinkUse, LinkUse], Sequence[OrganizationEvent]]
"""Makes what there is to tell of a link before and after a change."""


class TablePortalAccessStore:
    """Implements ``PortalAccessStore``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add_link(self, link: PortalLink, event: OrganizationEvent) -> None:
        """Keep a new link with its event. Two storage requests without a race."""
        key = _link_key(link.id)
        async for _ in Attempts():
            with outages():
                organization = await self._organization(link.organization_id)
                if organization is None:
                    raise OrganizationNotFoundError(link.organization_id)
                writes = [insert(key, _link_values(link)), *event_writes([event], organization)]
                try:
                    await self._table.commit(link.organization_id, writes)
                except RowExistsError as refused:
                    if writes[refused.index].key != key:
                        continue
                    await self._require_own(link)
                except (RowChangedError, RowMissingError):
                    continue
            return
        raise DirectoryStoreUnavailableError("the organization is being changed by others", retry_after=1)

    async def _require_own(self, link: PortalLink) -> None:
        """Refuse an id that another link has; the link itself is there when the answer of an earlier attempt was lost.

        :raises IdUsedError: When it is another's.
        """
        row = await self._table.read(link.organization_id, _link_key(link.id))
        if row is None or row.values["digest"] != link.digest_hex:
            raise IdUsedError(link.id)

    async def _organization(self, organization_id: str) -> Row | None:
        if not is_organization_id(organization_id):
            return None
        return await self._table.read(organization_id, ORGANIZATION)

    async def link_uses(self, organization_id: str) -> Sequence[LinkUse]:
        """Return the links of an organization. One storage request for each 1,000 links and sessions."""
        if not is_organization_id(organization_id):
            return []
        with outages():
            rows = await read_rows(self._table, organization_id, (PORTAL_FIRST, PORTAL_END))
        return list(_uses(organization_id, rows))

    async def link_use(self, organization_id: str, link_id: str) -> LinkUse | None:
        """Return a link with its sessions, or None. One storage request."""
        rows = await self._rows_of(organization_id, link_id)
        return next(_uses(organization_id, rows), None)

    async def session(self, organization_id: str, link_id: str, session_id: str) -> PortalSession | None:
        """Return a session, or None. One storage request; none for what has not the form of ids."""
        if not (is_organization_id(organization_id) and is_link_id(link_id) and is_session_id(session_id)):
            return None
        with outages():
            row = await self._table.read(organization_id, f"{_link_key(link_id)}|{session_id}")
        return _session(organization_id, row) if row else None

    async def update_link(
        self, organization_id: str, link_id: str, change: Callable[[LinkUse], LinkUse], events: LinkEvents
    ) -> LinkUse | None:
        """Replace a link and its sessions by ``change`` of them. Two storage requests; three with an event."""
        async for _ in Attempts():
            rows = await self._rows_of(organization_id, link_id)
            old = next(_uses(organization_id, rows), None)
            if old is None:
                return None
            new = change(old)
            if new == old or await self._committed(old, new, rows[0].etag, events(old, new)):
                return new
        raise DirectoryStoreUnavailableError("the link is being used by many at once", retry_after=1)

    async def note_session_use(self, session: PortalSession, at: datetime) -> None:
        """Remember when a session was used last; one that has ended stays so. One storage request."""
        with outages(), suppress(RowMissingError, RowChangedError):  # ended, or changed just now by another use
            await self._table.commit(
                session.organization_id, [merge(_session_key(session), {"last_used": at.isoformat()})]
            )

    async def forget_link(self, use: LinkUse) -> None:
        """Remove a link with its sessions; one that is being changed meanwhile stays until the next time."""
        keys = [_link_key(use.link.id), *map(_session_key, use.sessions)]
        with outages():
            try:
                await self._table.commit(use.link.organization_id, [delete(key) for key in keys])
            except TransactionRefusedError:
                return

    async def _rows_of(self, organization_id: str, link_id: str) -> Sequence[Row]:
        if not (is_organization_id(organization_id) and is_link_id(link_id)):
            return []
        key = _link_key(link_id)
        with outages():
            return await read_rows(self._table, organization_id, (key, f"{key}}}"))

    async def _committed(self, old: LinkUse, new: LinkUse, etag: str, events: Sequence[OrganizationEvent]) -> bool:
        before = {session.id for session in old.sessions}
        after = {session.id for session in new.sessions}
        writes: list[Write] = [merge(_link_key(new.link.id), _link_values(new.link), etag)]
        writes += [insert(_session_key(each), _session_values(each)) for each in new.sessions if each.id not in before]
        writes += [delete(_session_key(each)) for each in old.sessions if each.id not in after]
        with outages():
            if events:
                organization = await self._organization(new.link.organization_id)
                if organization is None:
                    return False
                writes += event_writes(events, organization)
            try:
                await self._table.commit(new.link.organization_id, writes)
            except TransactionRefusedError:
                return False
        return True


def _link_key(link_id: str) -> str:
    """Return the key of a link's row.

    :raises LinkNotFoundError: For what has not the exact form of an id.
    """
    if not is_link_id(link_id):
        raise LinkNotFoundError(link_id)
    return f"{PORTAL_FIRST}{link_id}"


def _session_key(session: PortalSession) -> str:
    return f"{_link_key(session.link_id)}|{session.id}"


def is_session_key(key: str) -> bool:
    """Tell whether a row of an organization's partition is that of a session."""
    return key.startswith(PORTAL_FIRST) and key.count("|") > 1


def _uses(organization_id: str, rows: Sequence[Row]) -> Iterator[LinkUse]:
    """Yield links with their sessions, whose rows follow theirs."""
    sessions: dict[str, list[PortalSession]] = defaultdict(list)
    for row in rows:
        if is_session_key(row.key):
            session = _session(organization_id, row)
            sessions[session.link_id].append(session)
    for row in rows:
        if not is_session_key(row.key):
            link = _link(organization_id, row)
            yield LinkUse(link, tuple(sorted(sessions[link.id], key=lambda each: (each.created, each.id))))


def _link_values(link: PortalLink) -> dict[str, Value]:
    return _present(
        digest=link.digest_hex,
        created=link.created.isoformat(),
        expires_at=link.expires_at.isoformat(),
        directory=link.directory_id,
        return_url=link.return_url,
        revoked_at=_text(link.revoked_at),
        last_used=_text(link.last_used),
        creation=link.creation_id,
        label=link.label,
        max_uses=link.max_uses,
        uses=link.uses,
        created_by=link.created_by,
    )


def _link(organization_id: str, row: Row) -> PortalLink:
    values: Mapping[str, Any] = row.values
    return PortalLink(
        id=row.key.removeprefix(PORTAL_FIRST),
        organization_id=organization_id,
        created=datetime.fromisoformat(values["created"]),
        expires_at=datetime.fromisoformat(values["expires_at"]),
        digest_hex=values["digest"],
        directory_id=values.get("directory"),
        return_url=values.get("return_url"),
        revoked_at=_time(values.get("revoked_at")),
        last_used=_time(values.get("last_used")),
        creation_id=values.get("creation"),
        label=values.get("label"),
        max_uses=values.get("max_uses"),
        uses=values.get("uses", 0),
        created_by=values.get("created_by"),
    )


def _session_values(session: PortalSession) -> dict[str, Value]:
    return _present(
        digest=session.digest_hex,
        created=session.created.isoformat(),
        expires_at=session.expires_at.isoformat(),
        organization_name=session.organization_name,
        directory=session.directory_id,
        return_url=session.return_url,
        label=session.label,
        browser=session.browser,
        last_used=_text(session.last_used),
    )


def _session(organization_id: str, row: Row) -> PortalSession:
    values: Mapping[str, Any] = row.values
    _, link_id, session_id = row.key.split("|")
    return PortalSession(
        id=session_id,
        link_id=link_id,
        organization_id=organization_id,
        created=datetime.fromisoformat(values["created"]),
        expires_at=datetime.fromisoformat(values["expires_at"]),
        digest_hex=values["digest"],
        organization_name=values["organization_name"],
        directory_id=values.get("directory"),
        return_url=values.get("return_url"),
        label=values.get("label"),
        browser=values.get("browser"),
        last_used=_time(values.get("last_used")),
    )


def _present(**values: str | int | None) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
