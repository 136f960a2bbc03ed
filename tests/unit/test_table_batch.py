"""Entity group transactions on the wire: what is written, and how answers are read, the service's own included."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from scim.adapters.tables.batch import BatchCodec, decode_batch
from scim.adapters.tables.entity import decode_entity, encode_entity, etag_of, url_key
from scim.adapters.tables.failures import AttemptFailedError, StorageRefusedError
from scim.adapters.tables.table import (
    Int64,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    StorageUnavailableError,
    delete,
    insert,
    merge,
)

ETAG = "W/\"datetime'2021-06-09T16%3A21%3A48.92987Z'\""
PART = "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"


def answered(*parts: str) -> bytes:
    """Return a body as the service sends it."""
    head = "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n"
    return (
        head + "".join(PART + part for part in parts) + "--changesetresponse_1--\r\n--batchresponse_1--\r\n"
    ).encode()


def done(etag: str = "") -> str:
    line = f"ETag: {etag}\r\n" if etag else ""
    return f"HTTP/1.1 204 No Content\r\nX-Content-Type-Options: nosniff\r\nDataServiceVersion: 1.0;\r\n{line}\r\n\r\n"


def failed(status: int, code: str, message: str) -> str:
    error = json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}})
    return f"HTTP/1.1 {status} Why\r\nContent-ID: 9\r\nContent-Type: application/json\r\n\r\n{error}\r\n"


def test_etags_are_read_in_order_and_a_delete_has_none() -> None:
    assert decode_batch(answered(done(ETAG), done(), done('W/"x\'y"')), 3) == [ETAG, "", 'W/"x\'y"']


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (409, "EntityAlreadyExists", RowExistsError),
        (412, "UpdateConditionNotSatisfied", RowChangedError),
        (404, "ResourceNotFound", RowMissingError),
        (404, "EntityNotFound", RowMissingError),
    ],
)
def test_the_refused_write_is_named_by_the_message(status: int, code: str, error: type[RowExistsError]) -> None:
    text = "12:The specified entity is not as required.\nRequestId:8c9d\nTime:2020-10-26T16:41:38.29Z"
    with pytest.raises(error) as caught:
        decode_batch(answered(failed(status, code, text)), 20)
    assert (caught.value.index, caught.value.uncertain) == (12, False)


def test_a_refusal_that_names_no_write_is_put_down_to_the_first() -> None:
    with pytest.raises(RowChangedError) as caught:
        decode_batch(answered(failed(412, "UpdateConditionNotSatisfied", "The update condition.")), 1)
    assert caught.value.index == 0


@pytest.mark.parametrize(("status", "code"), [(500, "OperationTimedOut"), (503, "ServerBusy"), (429, "TooMany")])
def test_a_busy_service_may_be_asked_again(status: int, code: str) -> None:
    with pytest.raises(AttemptFailedError) as caught:
        decode_batch(answered(failed(status, code, "0:Busy.")), 1)
    assert caught.value.may_be_applied == (status != 429)


@pytest.mark.parametrize(
    ("status", "code"), [(404, "TableNotFound"), (409, "TableBeingDeleted"), (400, "InvalidInput"), (413, "TooLarge")]
)
def test_other_failures_are_no_refusal_of_a_row(status: int, code: str) -> None:
    with pytest.raises(StorageRefusedError, match=code):
        decode_batch(answered(failed(status, code, "0:No.")), 1)


@pytest.mark.parametrize("body", [b"", b"<html>", answered(done(ETAG)), answered(done(ETAG), done(ETAG), done(ETAG))])
def test_an_answer_to_another_number_of_writes_leaves_the_outcome_open(body: bytes) -> None:
    with pytest.raises(AttemptFailedError) as caught:
        decode_batch(body, 2)
    assert caught.value.may_be_applied


def test_an_error_without_readable_body_is_still_an_error() -> None:
    with pytest.raises(StorageUnavailableError):
        decode_batch(answered("HTTP/1.1 400 Bad\r\n\r\n<xml/>\r\n"), 1)


def test_the_body_of_a_transaction() -> None:
    codec = BatchCodec("https://account.table.core.windows.net", "rows")
    boundary = codec.content_type.removeprefix("multipart/mixed; boundary=")
    assert boundary.startswith("batch_")
    body = codec.encode("p'1", [insert("a|b", {"n": 1}), merge("a|b'", {}), delete("é", ETAG)]).decode()
    assert body.count("--changeset_") == 4
    assert "POST https://account.table.core.windows.net/rows HTTP/1.1\r\n" in body
    assert "PATCH https://account.table.core.windows.net/rows(PartitionKey='p%27%271',RowKey='a%7Cb%27%27') HTT" in body
    assert "DELETE https://account.table.core.windows.net/rows(PartitionKey='p%27%271',RowKey='%C3%A9') HTTP" in body
    assert f"If-Match: {ETAG}\r\n\r\n" in body
    assert '\r\n\r\n{"PartitionKey":"p\'1","RowKey":"a|b","n":1}\r\n' in body
    assert body.endswith(f"--{boundary}--\r\n")


def test_text_cannot_forge_a_boundary() -> None:
    codec = BatchCodec("https://account", "rows")
    forged = "\r\n--" + codec.content_type.partition("=")[2].replace("batch_", "changeset_") + "--\r\n"
    body = codec.encode("p", [insert("k", {"t": forged}), insert("k2", {})]).decode()
    assert body.count(forged) == 1


def test_an_entity_states_the_types_json_lacks() -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    text = encode_entity("p", "k", {"i": 1, "l": Int64(1), "f": 1.0, "d": moment, "b": b"\0", "y": True, "t": '"'})
    assert json.loads(text) == {
        "PartitionKey": "p",
        "RowKey": "k",
        "i": 1,
        "l@odata.type": "Edm.Int64",
        "l": "1",
        "f@odata.type": "Edm.Double",
        "f": 1.0,
        "d@odata.type": "Edm.DateTime",
        "d": "2024-01-02T03:04:05.000678Z",
        "b@odata.type": "Edm.Binary",
        "b": "AA==",
        "y": True,
        "t": '"',
    }


def test_a_value_of_another_type_is_a_defect() -> None:
    with pytest.raises(TypeError, match="list"):
        encode_entity("p", "k", {"x": []})  # type: ignore[dict-item]


def test_the_etag_is_that_of_the_row_then_of_the_answer_then_of_the_timestamp() -> None:
    stamped = {"RowKey": "k", "Timestamp": "2021-06-09T16:21:48.92987Z"}
    assert decode_entity({**stamped, "odata.etag": "W/a"}, etag="W/b").etag == "W/a"
    assert decode_entity(dict(stamped), etag="W/b").etag == "W/b"
    assert decode_entity(dict(stamped)).etag == ETAG
    assert decode_entity({"RowKey": "k"}).etag == etag_of("") == ""


def test_types_unknown_to_us_stay_text() -> None:
    row = decode_entity({"RowKey": "k", "g@odata.type": "Edm.Guid", "g": "c9da6455", "odata.metadata": "x"})
    assert dict(row.values) == {"g": "c9da6455"}


def test_only_unreserved_characters_stand_plainly_in_a_url() -> None:
    assert url_key("aZ09-._~") == "aZ09-._~"
    assert url_key("''|/ é") == "%27%27%27%27%7C%2F%20%C3%A9"
