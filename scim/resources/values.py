"""Reading JSON values as the attribute they are sent for: canonical names, Entra's text booleans, clear refusals."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from scim2_models import InvalidValueException

from scim.resources.request_limits import require_few_entries, require_short_name
from scim.resources.schema import Attribute

ABSENT: Final = object()
"""Stands for a value that leaves its attribute unassigned: null, an empty list, an empty object (RFC 7643 §2.5)."""


class WrongTypeError(InvalidValueException):
    """A value does not have the type of its attribute."""


def read_value(attribute: Attribute, value: Any, path: str) -> Any:
    """Return a value in the form it is stored in, or ``ABSENT``.

    A single value for a multi-valued attribute becomes a list of one, and a plain value for a complex attribute its
    ``value`` (Entra sends ``manager`` as an id). Text stays exactly as sent.

    :param path: How the caller named the attribute; used in errors.
    :raises InvalidValueException: When the value does not fit; custom (lenient) attributes keep it as sent instead.
    """
    if value is None:
        return ABSENT
    if not attribute.multi_valued:
        return _read_single(attribute, value, path)
    sent = value if isinstance(value, list) else [value]
    require_few_entries(sent, path)
    items = [_read_single(attribute, item, path) for item in sent]
    present = [item for item in items if item is not ABSENT and item != ""]
    _refuse_two_primaries(present, path)
    return present or ABSENT


def _read_single(attribute: Attribute, value: Any, path: str) -> Any:
    if value is None:
        return ABSENT
    if isinstance(value, list):
        return _read_only_item(attribute, value, path)
    if attribute.type == "complex":
        return _read_complex(attribute, value, path)
    try:
        return _READERS[attribute.type](value, path)
    except WrongTypeError:
        if attribute.lenient:
            require_storable(value, path)
            return value
        raise


def _read_only_item(attribute: Attribute, items: list[Any], path: str) -> Any:
    """Return the item of a list of one: Entra sends ``manager`` as ``[{"value": id}]``."""
    if not items:
        return ABSENT
    if len(items) == 1 and not isinstance(items[0], list):
        return _read_single(attribute, items[0], path)
    if attribute.lenient:
        require_storable(items, path)
        return items
    raise WrongTypeError(detail=f"{path} holds one value; send a single value instead of a list.")


def _read_complex(attribute: Attribute, value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        read = read_sub_attributes(attribute, value, path)
        return ABSENT if read is ABSENT or _is_nobody(attribute, read) else read
    if value == "":
        return ABSENT
    if "value" in attribute.sub_attributes and isinstance(value, str):
        return {"value": read_value(attribute.sub_attributes["value"], value, f"{path}.value")}
    if attribute.lenient:
        require_storable(value, path)
        return value
    raise WrongTypeError(detail=f"{path} must be an object with sub-attributes, not {_kind(value)}.")


def _is_nobody(attribute: Attribute, read: Mapping[str, Any]) -> bool:
    """Tell whether a reference that must have a ``value``, as ``manager`` must, has none: it leaves no manager."""
    value = attribute.sub_attribute("value")
    return value is not None and value.required and not read.get("value")


def read_sub_attributes(attribute: Attribute, value: Mapping[str, Any], path: str) -> Any:
    """Return the sub-attributes of a complex value under their canonical names; undeclared ones are kept as sent."""
    read: dict[str, Any] = {}
    for name, item in value.items():
        require_short_name(name)
        sub = attribute.sub_attribute(name)
        if sub is not None and sub.mutability == "readOnly":
            continue
        kept = read_value(sub, item, f"{path}.{sub.name}") if sub else read_undeclared(item, f"{path}.{name}")
        if kept is ABSENT:
            continue
        canonical = sub.name if sub else name
        if canonical in read:
            raise InvalidValueException(detail=f"{path}.{canonical} is given twice; send it once.")
        read[canonical] = kept
    return read or ABSENT


def read_undeclared(value: Any, path: str) -> Any:
    """Return a value of an attribute no schema declares, as sent; null and empties leave it unassigned."""
    if value is None or value in ([], {}):
        return ABSENT
    require_storable(value, path)
    return value


def require_storable(value: Any, path: str) -> None:
    """Refuse text that is not Unicode (a lone surrogate) and numbers that JSON does not know, anywhere in a value.

    Lists of more than 1,000 values and names of more than 1,000 characters, too.
    """
    if isinstance(value, str):
        _require_unicode(value, path)
    elif isinstance(value, float):
        _require_finite(value, path)
    elif isinstance(value, list):
        require_few_entries(value, path)
        for item in value:
            require_storable(item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            require_short_name(name)
            _require_unicode(name, path)
            require_storable(item, path)


def _require_unicode(text: str, path: str) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidValueException(detail=f"{path} holds half of a surrogate pair; send valid Unicode text.")


def _require_finite(value: float, path: str) -> None:
    if not math.isfinite(value):
        raise InvalidValueException(detail=f"{path} must be a finite number.")


def _refuse_two_primaries(items: list[Any], path: str) -> None:
    if sum(1 for item in items if isinstance(item, dict) and item.get("primary") is True) > 1:
        raise InvalidValueException(detail=f"Only one value of {path} can be primary; mark a single one.")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    names: tuple[tuple[type, str], ...] = ((str, "text"), (int, "a number"), (float, "a number"), (list, "a list"))
    return next((name for kind, name in names if isinstance(value, kind)), "an object")


def _read_string(value: Any, path: str) -> Any:
    if not isinstance(value, str):
        raise WrongTypeError(detail=f"{path} must be text, not {_kind(value)}.")
    _require_unicode(value, path)
    return value


def _read_boolean(value: Any, path: str) -> Any:
    """Return a boolean; Entra sends ``"True"`` and ``"False"`` as text unless aadOptscim062020 is on."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value == "":
            return ABSENT
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
    raise WrongTypeError(detail=f"{path} must be true or false, not {_kind(value)}.")


def _read_integer(value: Any, path: str) -> Any:
    if value == "":
        return ABSENT
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= 20 and value.lstrip("-").isdecimal() and str(int(value)) == value:  # noqa: PLR2004 - what 64 bits hold
        return int(value)
    raise WrongTypeError(detail=f"{path} must be a whole number, not {_kind(value)}.")


def _read_decimal(value: Any, path: str) -> Any:
    if value == "":
        return ABSENT
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _require_finite(value, path)
        return value
    if isinstance(value, str) and len(value) <= 40:  # noqa: PLR2004 - more digits than a double keeps
        number = _number_of(value)
        if number is not None and repr(number) == value:
            return number
    raise WrongTypeError(detail=f"{path} must be a number, not {_kind(value)}.")


def _number_of(text: str) -> float | int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(text) if text.lstrip("-").isdecimal() else number


def parse_datetime(text: str) -> datetime | None:
    """Return the instant of an xsd:dateTime (RFC 7643 §2.3.5), or None; without an offset it is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if "T" not in text.upper():
        return None
    return moment if moment.tzinfo else datetime.fromisoformat(text + "+00:00")


def _read_datetime(value: Any, path: str) -> Any:
    if value == "":
        return ABSENT
    if isinstance(value, str) and parse_datetime(value) is not None:
        return value
    raise WrongTypeError(detail=f"{path} must be a date and time such as 2026-01-31T08:00:00Z.")


def _read_binary(value: Any, path: str) -> Any:
    if isinstance(value, str):
        try:
            base64.b64decode(value.encode(), validate=True)
        except (binascii.Error, ValueError):
            pass
        else:
            return value
    raise WrongTypeError(detail=f"{path} must be base64 text.")


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "string": _read_string,
    "reference": _read_string,
    "boolean": _read_boolean,
    "integer": _read_integer,
    "decimal": _read_decimal,
    "dateTime": _read_datetime,
    "binary": _read_binary,
}
