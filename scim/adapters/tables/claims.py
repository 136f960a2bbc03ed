"""Claims of requests with an Idempotency-Key, in table ``directories``: a partition for each API key."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from scim.adapters.tables.directory_races import outages, read_rows
from scim.adapters.tables.document_rows import joined_text, split_text
from scim.adapters.tables.table import (
    MAX_TRANSACTION_WRITES,
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    TransactionRefusedError,
    Value,
    delete,
    insert,
    replace,
)
from scim.management.idempotency import Claim
from scim.resources.comparison_key import comparison_hash

_ALL = ("i|", "i}")


class TableClaimStore:
    """Implements ``ClaimStore``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, key_id: str, name: str, claim: Claim) -> Claim | None:
        """Return the claim as it is kept, or None when there is another."""
        with outages():
            try:
                (etag,) = await self._table.commit(_partition(key_id), [insert(_key(name), _values(claim))])
            except RowExistsError as refusal:
                return await self._own(key_id, name, claim, refusal)
        return dataclasses.replace(claim, revision=etag)

    async def get(self, key_id: str, name: str) -> Claim | None:
        """Return a claim, or None."""
        with outages():
            row = await self._table.read(_partition(key_id), _key(name))
        return _claim(row) if row else None

    async def change(self, key_id: str, name: str, claim: Claim) -> Claim | None:
        """Return the claim as it is kept, or None when somebody else changed it."""
        write = replace(_key(name), _values(claim), claim.revision)
        with outages():
            try:
                (etag,) = await self._table.commit(_partition(key_id), [write])
            except (RowChangedError, RowMissingError) as refusal:
                return await self._own(key_id, name, claim, refusal)
        return dataclasses.replace(claim, revision=etag)

    async def drop(self, key_id: str, name: str, claim: Claim) -> None:
        """Forget a claim, unless somebody else changed it."""
        with outages():
            try:
                await self._table.commit(_partition(key_id), [delete(_key(name), claim.revision)])
            except (RowChangedError, RowMissingError):
                return

    async def forget(self, key_ids: Sequence[str], before: datetime) -> int:
        """Forget old claims. One storage request for each key and 1,000 claims, and one for each 100 forgotten."""
        forgotten = 0
        for key_id in key_ids:
            with outages():
                rows = await read_rows(self._table, _partition(key_id), _ALL)
                old = [row.key for row in rows if datetime.fromisoformat(str(row.values["made"])) < before]
                for first in range(0, len(old), MAX_TRANSACTION_WRITES):
                    forgotten += await self._deleted(key_id, old[first : first + MAX_TRANSACTION_WRITES])
        return forgotten

    async def _deleted(self, key_id: str, keys: Sequence[str]) -> int:
        try:
            await self._table.commit(_partition(key_id), [delete(key) for key in keys])
        except (RowChangedError, RowMissingError):
            return 0  # somebody else forgets them, too; what is left is forgotten the next day
        return len(keys)

    async def _own(self, key_id: str, name: str, claim: Claim, refusal: TransactionRefusedError) -> Claim | None:
        """Return the claim when the refusal came from our own write, whose answer was lost."""
        kept = await self.get(key_id, name) if refusal.uncertain else None
        return kept if kept == claim else None


def _partition(key_id: str) -> str:
    return f"idem|{key_id}"


def _key(name: str) -> str:
    return f"i|{comparison_hash(name, case_exact=True)}"


def _values(claim: Claim) -> dict[str, Value]:
    values: dict[str, Value] = {
        "request": claim.request,
        "creation": claim.creation_id,
        "attempt": claim.attempt,
        "made": claim.made.isoformat(),
        "claimed": claim.claimed.isoformat(),
        "status": claim.status or 0,
    }
    return values | split_text(claim.body)


def _claim(row: Row) -> Claim:
    values = row.values
    return Claim(
        request=str(values["request"]),
        creation_id=str(values["creation"]),
        attempt=str(values["attempt"]),
        made=datetime.fromisoformat(str(values["made"])),
        claimed=datetime.fromisoformat(str(values["claimed"])),
        status=int(str(values["status"])) or None,
        body=joined_text(values),
        revision=row.etag,
    )
