"""Attribute mappings as a file holds them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.errors import InvalidValueError
from scim.resources.mapping_rules import require_valid_mappings

_FORM = 'write a JSON list such as [{"name": "cost_center", "path": "urn:…:2.0:User:costCenter"}]'


def read_mapping_file(name: str) -> list[AttributeMapping]:
    """Return the mappings of a JSON file, or of standard input for ``-``: a list, or what API and commands print.

    :raises InvalidValueError: When the file cannot be read, or the mappings are not accepted.
    """
    value = _parsed(name)
    if isinstance(value, dict):
        value = value.get("attribute_mappings", value.get("data"))
    if not isinstance(value, list):
        raise InvalidValueError(name, _FORM)
    mappings = [_mapping(form, index) for index, form in enumerate(value)]
    require_valid_mappings(mappings)
    return mappings


def _parsed(name: str) -> Any:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise InvalidValueError(name, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidValueError(name, f"is no JSON: {_FORM}") from error


def _mapping(form: Any, index: int) -> AttributeMapping:
    if not isinstance(form, dict):
        raise InvalidValueError(f"attribute_mappings[{index}]", _FORM)
    try:
        return AttributeMapping.from_json(form)
    except InvalidValueError as error:
        sentence = str(error).removeprefix(f"{error.field}: ")
        raise InvalidValueError(f"attribute_mappings[{index}].{error.field}", sentence) from error
