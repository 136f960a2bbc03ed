"""Rows with anything in them: a check and a repair say what is wrong, and never end in an exception."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.table import Value, delete, insert, replace
from tests.formats.stored import NEWEST, StoredService, serve

NONSENSE: tuple[Value | None, ...] = (
    None,
    "",
    "x",
    -1,
    True,
    "null",
    "[1]",
    '{"a":',
    '["é"]',
    '[{"type": 7}]',
    2**31 - 1,
)
"""None leaves the column out."""


async def _relayed() -> StoredService:
    """Return a service in which nothing waits, so that a check looks at everything."""
    stored = await serve(NEWEST)
    await (await stored.client()).relay()
    return stored


async def _rows_of_each_kind() -> dict[str, tuple[str, ...]]:
    """Return one key of each kind of row in the newest format, with its columns."""
    stored = await _relayed()
    table = stored.account.table("resources")
    found: dict[str, tuple[str, ...]] = {}
    kinds = set[str]()
    for key, row in table.rows(stored.file["directory"]).items():
        kind = str(kind_of(key))
        if kind not in kinds and row.values:
            kinds.add(kind)
            found[key] = tuple(row.values)
    assert len(kinds) > 10
    return found


async def _damaged(key: str, column: str, value: Value | None) -> StoredService:
    stored = await _relayed()
    table, directory_id = stored.account.table("resources"), stored.file["directory"]
    values = {name: old for name, old in table.rows(directory_id)[key].values.items() if name != column}
    if value is not None:
        values[column] = value
    await table.commit(directory_id, [delete(key)])
    await table.commit(directory_id, [insert(key, values)])
    return stored


async def _cases() -> Iterator[tuple[str, str, Value | None]]:
    rows = await _rows_of_each_kind()
    return ((key, column, value) for key, columns in rows.items() for column in columns for value in NONSENSE)


async def test_a_directory_whose_own_row_cannot_be_read_is_named_and_left_alone() -> None:
    stored = await serve(NEWEST)
    client, table = await stored.client(), stored.account.table("directories")
    for column in ("tokens", "created", "organization", "name", "mappings0", "untold_parts", "format"):
        for value in NONSENSE:
            row = table.rows(client.directory.id)["directory"]
            values = {name: old for name, old in row.values.items() if name != column}
            damaged = values if value is None else values | {column: value}
            await table.commit(client.directory.id, [replace("directory", damaged, row.etag)])
            stored.application.authenticator.forget(client.directory.id)

            answer = await client.get("/Users")

            assert answer.status in (200, 401, 503), (column, value, answer.json)
            await table.commit(client.directory.id, [replace("directory", row.values, "*")])


@pytest.mark.parametrize("part", range(4))
async def test_neither_a_check_nor_a_repair_dies_on_any_column_of_any_row(part: int) -> None:
    died = list[str]()
    for number, (key, column, value) in enumerate(await _cases()):
        if number % 4 == part:
            partition = (await (await _damaged(key, column, value)).client()).partition
            try:
                await check_directory(partition)
                await repair_directory(partition)
            except Exception as error:  # noqa: BLE001 - any is what must not be
                died.append(f"{key} with {column}={value!r}: {error!r}")

    assert not died
