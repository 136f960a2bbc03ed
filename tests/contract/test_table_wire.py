"""What goes over the wire, where a mistake would show only on the real service or as a damaged table."""

from __future__ import annotations

import re
from email import message_from_bytes
from urllib.parse import parse_qs, urlsplit

import pytest

from scim.adapters.tables.authorization import SharedKeyLite, parse_connection_string
from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.table import (
    Int64,
    RowMissingError,
    StorageUnavailableError,
    Table,
    Value,
    delete,
    insert,
    merge,
    replace,
)
from scim.adapters.tables.transport import AiohttpTransport, StorageRequest
from scim.local_host.azurite import Azurite
from tests.contract.table_fixtures import TABLE
from tests.faults import FaultyTransport

HEADERS_OF_PART = re.compile(rb"\r?\n(POST|PUT|PATCH|DELETE) \S+ HTTP/1\.1\r?\n(.*?)\r?\n\r?\n", re.DOTALL)


def parts_of(request: StorageRequest) -> list[tuple[str, dict[str, str]]]:
    """Return method and headers, lower-case, of each operation of a transaction."""
    parts = []
    for method, text in HEADERS_OF_PART.findall(request.body):
        headers = {name.lower(): value for name, value in message_from_bytes(text).items()}
        parts.append((method.decode(), headers))
    return parts


async def test_every_write_but_an_insert_states_its_condition(
    table: Table, partition: str, faults: FaultyTransport
) -> None:
    etags = await table.commit(partition, [insert(key, {}) for key in "abcdef"])
    faults.reset()
    await table.commit(
        partition,
        [
            merge("a", {"n": 1}),
            merge("b", {"n": 1}, etags[1]),
            replace("c", {"n": 1}, "*"),
            replace("d", {"n": 1}, etags[3]),
            delete("e"),
            delete("f", etags[5]),
            insert("g", {}),
        ],
    )
    parts = parts_of(faults.calls[0].request)
    assert [method for method, _ in parts] == ["PATCH", "PATCH", "PUT", "PUT", "DELETE", "DELETE", "POST"]
    conditions = [headers.get("if-match") for _, headers in parts]
    assert conditions == ["*", etags[1], "*", etags[3], "*", etags[5], None]


async def test_a_merge_without_condition_would_create_a_ghost_row_and_ours_does_not(
    account: StorageAccount, table: Table, partition: str, faults: FaultyTransport, azurite: Azurite
) -> None:
    with pytest.raises(RowMissingError):
        await table.commit(partition, [merge("ghost", {"n": 1})])
    assert await table.read(partition, "ghost") is None

    sent = faults.calls[0].request
    unguarded = re.sub(rb"(?i)If-Match: \*\r\n", b"", sent.body)
    headers = {"Content-Type": sent.headers["Content-Type"], "Accept": "application/json", "x-ms-version": "2019-02-02"}
    path = urlsplit(sent.url).path
    await SharedKeyLite(parse_connection_string(azurite.connection_string)).authorize(headers, path)
    await faults.send(StorageRequest("POST", sent.url, headers, unguarded), 10.0)
    assert await table.read(partition, "ghost") is not None


async def test_a_row_is_the_same_for_both_clients(azurite: Azurite, partition: str, table: Table) -> None:
    transport = AiohttpTransport()
    values: dict[str, Value] = {"text": "Zoë's 💚 \u2028", "large": Int64(1), "binary": b"\0", "real": 2.0, "yes": True}
    await table.commit(partition, [insert("it's, 100% |a b|", values)])
    rows = [
        await StorageAccount.from_connection_string(azurite.connection_string, transport=transport, sdk=sdk)
        .table(TABLE)
        .read(partition, "it's, 100% |a b|")
        for sdk in (False, True)
    ]
    await transport.close()
    assert rows[0] == rows[1]
    assert rows[0] is not None
    assert dict(rows[0].values) == values


async def test_a_query_states_partition_range_and_page(table: Table, partition: str, faults: FaultyTransport) -> None:
    await table.query(partition, "u|it's", "u}", limit=7, select=("d0",))
    query = parse_qs(urlsplit(faults.calls[0].request.url).query)
    assert query["$filter"] == [f"PartitionKey eq '{partition}' and RowKey ge 'u|it''s' and RowKey lt 'u}}'"]
    assert query["$top"] == ["7"]
    assert query["$select"] == ["RowKey,Timestamp,d0"]


async def test_a_transaction_of_nearly_four_mebibytes_passes(table: Table, partition: str) -> None:
    writes = [insert(str(number), {"a": "x" * 32_000, "b": "x" * 32_000}) for number in range(63)]
    assert len(await table.commit(partition, writes)) == 63


async def test_a_missing_table_is_no_missing_row(account: StorageAccount, partition: str) -> None:
    table = account.table("absent")
    for call in (
        table.read(partition, "row"),
        table.query(partition, "a", "b"),
        table.commit(partition, [insert("row", {})]),
        table.commit(partition, [merge("row", {})]),
    ):
        with pytest.raises(StorageUnavailableError, match="TableNotFound"):
            await call


async def test_creating_a_table_again_changes_nothing(account: StorageAccount, table: Table, partition: str) -> None:
    await table.commit(partition, [insert("a", {})])
    await account.create_table(TABLE)
    assert await table.read(partition, "a") is not None
