"""An entity group transaction as ``$batch`` sends it, and the answer to it: multipart text, built and read by hand. Pure.

The Azure SDK does the same with the standard library's e-mail package, at more than twenty times the CPU.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from scim.adapters.tables.entity import encode_entity, url_key
from scim.adapters.tables.failures import AttemptFailedError, error_of, failed_answer, refused_write
from scim.adapters.tables.table import Write

_METHODS: Final = {"replace": "PUT", "merge": "PATCH", "delete": "DELETE"}
_HTTP_OK: Final = range(200, 300)
_PART_HEAD: Final = re.compile(rb"^(?:HTTP/1\.[01] (\d{3})|etag:[ \t]*([^\r\n]*))", re.MULTILINE | re.IGNORECASE)
_PART_BODY: Final = re.compile(rb"^\{.*\}", re.MULTILINE)


class BatchCodec:
    """Encodes transactions of one table.

    One pair of boundaries serves for all: no text of a row can forge one, since JSON escapes line breaks and URLs
    are percent-encoded. Azurite takes only boundaries named ``batch_…`` and ``changeset_…``.
    """

    def __init__(self, endpoint: str, table: str) -> None:
        unique = uuid4()
        self.content_type = f"multipart/mixed; boundary=batch_{unique}"
        self._head = f"--batch_{unique}\r\nContent-Type: multipart/mixed; boundary=changeset_{unique}\r\n\r\n"
        self._tail = f"--changeset_{unique}--\r\n--batch_{unique}--\r\n"
        part = (
            f"--changeset_{unique}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            "%s " + f"{endpoint}/{table}".replace("%", "%%")
        )
        self._insert = part % "POST" + _PART_HEADERS + "Prefer: return-no-content\r\n\r\n"
        self._others = {kind: f"{part % method}(PartitionKey='" for kind, method in _METHODS.items()}

    def encode(self, partition: str, writes: Sequence[Write]) -> bytes:
        """Return the body of the request; everything but an insert carries its condition."""
        partition_in_url = url_key(partition)
        parts = [self._head]
        for write in writes:
            kind = write.kind
            if kind == "insert":
                parts.append(self._insert)
            else:
                parts.append(
                    f"{self._others[kind]}{partition_in_url}',RowKey='{url_key(write.key)}')"
                    f"{_PART_HEADERS}If-Match: {write.etag}\r\n\r\n"
                )
            parts.append("\r\n" if kind == "delete" else encode_entity(partition, write.key, write.values) + "\r\n")
        parts.append(self._tail)
        return "".join(parts).encode()


_PART_HEADERS: Final = (
    " HTTP/1.1\r\nContent-Type: application/json\r\nAccept: application/json;odata=minimalmetadata\r\n"
    "DataServiceVersion: 3.0\r\n"
)


def decode_batch(body: bytes, count: int) -> list[str]:
    """Return the new ETags of ``count`` writes, in order, empty for a delete.

    :raises TransactionRefusedError: The write that was refused.
    :raises StorageUnavailableError: Any other failure.
    """
    etags: list[str] = []
    for head in _PART_HEAD.finditer(body):
        status, etag = head.groups()
        if status is None:
            if etags:
                etags[-1] = etag.decode("ascii")
        elif int(status) in _HTTP_OK:
            etags.append("")
        else:
            _raise_failure(int(status), body, head.end())
    if len(etags) != count:
        raise AttemptFailedError(f"Storage answered {len(etags)} of {count} writes.", may_be_applied=True)
    return etags


def _raise_failure(status: int, body: bytes, start: int) -> None:
    found = _PART_BODY.search(body, start)
    code, message = error_of(found[0] if found else b"")
    raise refused_write(status, code, message) or failed_answer(status, code, message)
