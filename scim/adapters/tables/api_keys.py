"""API keys in table ``directories``, in one partition.

| RowKey | holds |
|---|---|
| ``k|{key}`` | the key |
| ``l|{key}`` | that it has not been revoked: what a key makes touches this row, and so fails once it is gone |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from scim.adapters.tables.directory_races import commit_any_state, outages, read_rows
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
)
from scim.adapters.tables.told_events import KEYS_PARTITION, audit_insert
from scim.directories.api_key import KEY_SCOPES, ApiKey, KeyScope, is_key_id
from scim.directories.change_event import ChangeEvent
from scim.directories.errors import DirectoryStoreUnavailableError, IdUsedError, KeyEndedError, KeyNotFoundError
from scim.resources.attempts import Attempts

PARTITION = KEYS_PARTITION
_UNTOLD: Mapping[str, str] = {"api_key.created": "untold_created", "api_key.revoked": "untold_revoked"}
"""Where a key's row keeps an event until its organization has been told: a property for each, so that none is lost."""


class TableApiKeyStore:
    """Implements ``ApiKeyStore``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, key: ApiKey, event: ChangeEvent) -> None:
        """Keep a new key with its event, unless it is there. One storage request, two more when an old key makes it."""
        waiting, kept = _kept(event)
        row = insert(_row_key(key.id), {**_values(key), **waiting})
        await self._make(key, [row, insert(_life(key.id), {}), *kept])

    async def renew(self, key: ApiKey) -> bool:
        """Give a key that is there another value; return whether there is such a key.

        :raises IdUsedError: When it has been revoked: another value would open nothing either.
        """
        values: Mapping[str, Value] = {"digest": key.digest_hex, "last_four": key.last_four}
        async for _ in Attempts():
            with outages():
                row = await self._table.read(PARTITION, _row_key(key.id))
            if row is None:
                return False
            if _key(row).revoked_at is not None:
                raise IdUsedError(key.id)
            try:
                return await self._make(key, [merge(row.key, values, row.etag)])
            except RowChangedError:
                continue  # a use was noted, or an earlier attempt was applied
        raise DirectoryStoreUnavailableError("the API key is being changed by many at once", retry_after=1)

    async def _make(self, key: ApiKey, writes: Sequence[Write]) -> bool:
        """Commit what makes a key, while the key that makes it lives; return whether what it merges is there."""
        lives = [merge(_life(key.created_by), {})] if key.created_by else []
        guard = lives
        async for _ in Attempts():
            with outages():
                try:
                    await self._table.commit(PARTITION, [*guard, *writes])
                except RowMissingError as refused:
                    if refused.index >= len(guard):
                        return False
                    guard = await self._beginning_of_life(key)
                except RowExistsError as refused:
                    if refused.index >= len(guard):
                        await self._require_own(key)
                        return True
                    guard = lives
                except RowChangedError as refused:
                    if refused.index >= len(guard) and writes[0].etag != "*":
                        raise
                    guard = lives
                else:
                    return True
        raise DirectoryStoreUnavailableError("the API key is being changed by many at once", retry_after=1)

    async def _require_own(self, key: ApiKey) -> None:
        """Refuse an id that another key has; the key itself is there when the answer of an earlier attempt was lost.

        :raises IdUsedError: When it is another's.
        """
        kept = await self.get(key.id)
        if kept is None or kept.digest_hex != key.digest_hex:
            raise IdUsedError(key.id)

    async def _beginning_of_life(self, key: ApiKey) -> list[Write]:
        """Return what gives a key of before rows of life its own, unless it has ended.

        :raises KeyEndedError: When it has.
        """
        row = await self._table.read(PARTITION, _row_key(str(key.created_by)))
        if row is None or not _key(row).is_valid(key.created):
            raise KeyEndedError
        return [merge(row.key, {}, row.etag), insert(_life(row.key.removeprefix("k|")), {})]

    async def get(self, key_id: str) -> ApiKey | None:
        """Return a key, or None. One storage request; none for what has not the form of an id."""
        if not is_key_id(key_id):
            return None
        with outages():
            row = await self._table.read(PARTITION, _row_key(key_id))
        return _key(row) if row else None

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, oldest first. One storage request for each 1000."""
        keys: list[ApiKey] = []
        continuation: Mapping[str, str] | None = None
        while True:
            with outages():
                page = await self._table.query(PARTITION, "k|", "k}", continuation=continuation)
            keys += [_key(row) for row in page.rows]
            continuation = page.continuation
            if continuation is None:
                return sorted(keys, key=lambda key: (key.created, key.id))

    async def revoke(self, key_id: str, at: datetime, event: ChangeEvent) -> bool:
        """End a key with its event; return whether it had not ended before. Two storage requests without a race."""
        waiting, kept = _kept(event)
        values: Mapping[str, Value] = {"revoked_at": at.isoformat(), **waiting}
        async for _ in Attempts():
            with outages():
                row = await self._table.read(PARTITION, _row_key(key_id))
                if row is None or _key(row).revoked_at is not None:
                    return False
                if await self._ended(key_id, [merge(row.key, values, row.etag), *kept]):
                    return True
        raise DirectoryStoreUnavailableError("the API key is being changed by many at once", retry_after=1)

    async def _ended(self, key_id: str, writes: Sequence[Write]) -> bool:
        """Return whether a key could be ended in the state that was read: with its row of life, or having none."""
        for attempt in ([*writes, delete(_life(key_id))], writes):
            try:
                await self._table.commit(PARTITION, attempt)
            except RowMissingError:
                continue
            except (RowChangedError, RowExistsError):
                return False
            return True
        return False

    async def untold(self) -> Sequence[ChangeEvent]:
        """Return the events of keys of organizations that have not been told. One storage request for each 1000."""
        with outages():
            rows = await read_rows(self._table, PARTITION, ("k|", "k}"))
        texts = [str(row.values[name]) for row in rows for name in _UNTOLD.values() if row.values.get(name)]
        return [ChangeEvent.from_json(json.loads(text)) for text in texts]

    async def mark_told(self, event: ChangeEvent) -> None:
        """Forget an event that has been told. One storage request."""
        await self._merge(event.object_id, {_UNTOLD[event.type]: ""})

    async def note_use(self, key_id: str, at: datetime) -> None:
        """Remember when a key was used last, to the minute."""
        await self._merge(key_id, {"last_used": at.replace(second=0, microsecond=0).isoformat()})

    async def _merge(self, key_id: str, values: Mapping[str, Value]) -> bool:
        with outages():
            try:
                await commit_any_state(self._table, PARTITION, [merge(_row_key(key_id), values)])
            except RowMissingError:
                return False
        return True


def _row_key(key_id: str) -> str:
    """Return the key of a key's row.

    :raises KeyNotFoundError: For what has not the exact form of an id.
    """
    if not is_key_id(key_id):
        raise KeyNotFoundError(key_id)
    return f"k|{key_id}"


def _life(key_id: str) -> str:
    """Return the key of the row that is there while an API key is not revoked."""
    return f"l|{key_id}"


def _kept(event: ChangeEvent) -> tuple[Mapping[str, Value], Sequence[Write]]:
    """Return how an event is kept: in the key's row until it was told, or in the audit log in a row of its own."""
    if event.organization_id:
        return {_UNTOLD[event.type]: json.dumps(event.to_json())}, []
    return {}, [audit_insert(event)]


def _values(key: ApiKey) -> dict[str, Value]:
    values: dict[str, Value] = {
        "name": key.name,
        "scopes": " ".join(key.scopes),
        "created": key.created.isoformat(),
        "last_four": key.last_four,
        "digest": key.digest_hex,
    }
    if key.organization_id is not None:
        values["organization"] = key.organization_id
    if key.expires_at is not None:
        values["expires_at"] = key.expires_at.isoformat()
    if key.created_by is not None:
        values["created_by"] = key.created_by
    return values


def _key(row: Row) -> ApiKey:
    values: Mapping[str, Any] = row.values
    return ApiKey(
        id=row.key.removeprefix("k|"),
        name=values["name"],
        scopes=_scopes(values),
        created=datetime.fromisoformat(values["created"]),
        last_four=values["last_four"],
        digest_hex=values["digest"],
        organization_id=values.get("organization"),
        expires_at=_time(values.get("expires_at")),
        revoked_at=_time(values.get("revoked_at")),
        last_used=_time(values.get("last_used")),
        created_by=values.get("created_by"),
    )


def _scopes(values: Mapping[str, Any]) -> tuple[KeyScope, ...]:
    """Return the scopes of a key; one of before there was a list of them may make keys if it may write."""
    if "scopes" not in values:
        return KEY_SCOPES if values.get("scope") == "write" else ("read",)
    return tuple(scope for scope in KEY_SCOPES if scope in values["scopes"].split())


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
