"""A row as Table Storage writes it down: JSON with Edm types where JSON has none of its own. Pure."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any, Final
from urllib.parse import quote

from scim.adapters.tables.table import Int64, Row, Value
from scim.directories.times import utc_text

_TYPE: Final = "@odata.type"
_text_json = json.JSONEncoder(ensure_ascii=False).encode
_escaped_in_url = re.compile(r"[^A-Za-z0-9._~-]+")


def url_key(text: str) -> str:
    """Return a text as it stands between quotes in a URL: quotes doubled, then percent-encoded."""
    return _escaped_in_url.sub(_percent_encoded, text)


def _percent_encoded(match: re.Match[str]) -> str:
    return quote(match[0].replace("'", "''"), safe="")


def encode_entity(partition: str, key: str, values: Mapping[str, Value]) -> str:
    """Return the JSON of a row; property names are plain, as the limits demand.

    The keys are part of it even where the URL names them: without any property the body would be ``{}``, which
    Azurite does not take.
    """
    parts = [f'{{"PartitionKey":{_text_json(partition)},"RowKey":{_text_json(key)}']
    for name, value in values.items():
        encode = _ENCODERS.get(type(value)) or _encoder_of_base(value)
        parts.append(encode(name, value))
    return ",".join(parts) + "}"


def _encode_text(name: str, value: Any) -> str:
    return f'"{name}":{_text_json(value)}'


def _encode_bool(name: str, value: Any) -> str:
    return f'"{name}":{"true" if value else "false"}'


def _encode_int(name: str, value: Any) -> str:
    return f'"{name}":{int(value)}'


def _encode_int64(name: str, value: Any) -> str:
    return f'"{name}{_TYPE}":"Edm.Int64","{name}":"{int(value)}"'


def _encode_float(name: str, value: Any) -> str:
    number = float.__repr__(value) if isfinite(value) else f'"{_special(value)}"'
    return f'"{name}{_TYPE}":"Edm.Double","{name}":{number}'


def _special(value: float) -> str:
    if value != value:  # noqa: PLR0124 - the definition of NaN
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _encode_bytes(name: str, value: Any) -> str:
    return f'"{name}{_TYPE}":"Edm.Binary","{name}":"{b64encode(value).decode()}"'


def _encode_datetime(name: str, value: Any) -> str:
    return f'"{name}{_TYPE}":"Edm.DateTime","{name}":"{utc_text(value)}"'


_ENCODERS: Final[dict[type, Callable[[str, Any], str]]] = {
    str: _encode_text,
    bool: _encode_bool,
    int: _encode_int,
    Int64: _encode_int64,
    float: _encode_float,
    bytes: _encode_bytes,
    datetime: _encode_datetime,
}


def _encoder_of_base(value: object) -> Callable[[str, Any], str]:
    for base in type(value).__mro__:
        if base in _ENCODERS:
            return _ENCODERS[base]
    raise TypeError(f"A row holds no {type(value).__name__}.")


def decode_entity(entity: dict[str, Any], select: Sequence[str] = (), *, etag: str = "") -> Row:
    """Return the row of a decoded JSON object, which it consumes.

    Azurite and the service both state ``odata.etag`` with minimal metadata. Where it is absent it follows from the
    timestamp, as the Azure SDKs do it.

    :param select: What the caller asked for: the timestamp is always fetched, and told only when asked for.
    :param etag: The ETag header of the answer, if any.
    """
    timestamp = entity.pop("Timestamp", "")
    etag = entity.pop("odata.etag", "") or etag or etag_of(timestamp)
    key = entity.pop("RowKey", "")
    for name in ("PartitionKey", "odata.metadata", "Timestamp@odata.type"):
        entity.pop(name, None)
    for name in [name for name in entity if name.endswith(_TYPE)]:
        decode = _DECODERS.get(entity.pop(name))
        plain = name.removesuffix(_TYPE)
        if decode is not None:
            entity[plain] = decode(entity[plain])
    return Row(key, etag, entity, shown_timestamp(timestamp, select))


def shown_timestamp(timestamp: str, select: Sequence[str]) -> str:
    """Return the timestamp of a row when the selection asks for it."""
    return timestamp if not select or "Timestamp" in select else ""


def etag_of(timestamp: str) -> str:
    """Return the ETag that belongs to a timestamp of the service, empty for none."""
    return f"W/\"datetime'{quote(timestamp, safe='')}'\"" if timestamp else ""


_DECODERS: Final[dict[str, Callable[[Any], Value]]] = {
    "Edm.Int64": Int64,
    "Edm.Binary": b64decode,
    "Edm.DateTime": datetime.fromisoformat,
    "Edm.Double": float,
}
