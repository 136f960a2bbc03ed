"""Values of a JSON answer by path, and what an exchange expects of them.

Paths: ``a.b``, ``a[0]``, ``a[type=work].value``, ``["urn:x:2.0:User"].department``, ``a.#`` for a length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

MISSING: Final = object()
_STEP = re.compile(
    r'\["(?P<quoted>(?:[^"\\]|\\.)*)"\]|\[(?P<index>\d+)\]|\[(?P<key>[\w$]+)=(?P<wanted>[^\]]*)\]'
    r"|\.?(?P<length>#)|\.?(?P<name>[\w$-]+)"
)


def value_at(document: Any, path: str) -> Any:
    """Return the value at a path, or MISSING; null counts as missing."""
    value, position = document, 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f"not a path: {path}")
        value, position = _stepped(value, step), step.end()
    return value


def _stepped(value: Any, step: re.Match[str]) -> Any:
    if step["length"]:
        return 0 if value in (MISSING, None) else len(value)
    if step["index"] is not None:
        index = int(step["index"])
        found = value[index] if isinstance(value, list) and index < len(value) else MISSING
    elif step["key"] is not None:
        found = _selected(value, step["key"], step["wanted"])
    else:
        name = step["quoted"] if step["quoted"] is not None else step["name"]
        found = value.get(name, MISSING) if isinstance(value, dict) else MISSING
    return MISSING if found is None else found


def _selected(value: Any, key: str, wanted: str) -> Any:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and key in item and _as_text(item[key]) == wanted:
            return item
    return MISSING


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def meets(value: Any, expected: Any) -> bool:
    """Tell whether a value is the expected one, or meets an expectation such as ``{"$exists": true}``."""
    if isinstance(expected, dict) and len(expected) == 1:
        (name, argument), *_ = expected.items()
        if name.startswith("$"):
            return _MATCHERS[name](value, argument)
    return value is not MISSING and _same(value, expected)


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _contains(value: Any, argument: Any) -> bool:
    return isinstance(value, (str, list)) and argument in value


def _is_at_least(value: Any, argument: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= argument


def _is_set(value: Any, argument: Any) -> bool:
    return isinstance(value, list) and sorted(map(_canonical, value)) == sorted(map(_canonical, argument))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _has_no_nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_has_no_nulls, value.values()))
    return all(map(_has_no_nulls, value)) if isinstance(value, list) else value is not None


_TYPES: Mapping[type, str] = {
    bool: "boolean",
    str: "string",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
}
_MATCHERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$exists": lambda value, argument: (value is not MISSING) == argument,
    "$empty": lambda value, argument: (value is MISSING or value in ("", [], {})) == argument,
    "$not": lambda value, argument: not meets(value, argument),
    "$in": lambda value, argument: any(_same(value, item) for item in argument),
    "$contains": _contains,
    "$regex": lambda value, argument: isinstance(value, str) and re.search(argument, value) is not None,
    "$ci": lambda value, argument: isinstance(value, str) and value.lower() == argument.lower(),
    "$set": _is_set,
    "$gte": _is_at_least,
    "$nonulls": lambda value, argument: _has_no_nulls(value) == argument,
    "$type": lambda value, argument: _TYPES.get(type(value)) == argument,
}
