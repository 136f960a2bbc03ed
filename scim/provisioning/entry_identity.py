"""When two values of a multi-valued attribute are the same one, and which a value names (RFC 7644 §3.5.2.1)."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

from scim.resources.document_values import comparable_form
from scim.resources.request_limits import require_few_entries
from scim.resources.schema import Attribute
from scim.resources.values import ABSENT, read_value

_UNDECLARED = Attribute("", "string", case_exact=True)


def identity(attribute: Attribute, item: Any) -> Hashable:
    """Return what two values of an attribute share exactly when they are the same: text is compared as filters do."""
    if isinstance(item, dict) and attribute.type == "complex":
        return frozenset((name, _part_identity(attribute, name, part)) for name, part in item.items())
    compared = None if attribute.type == "complex" else comparable_form(attribute)(item)
    return (json.dumps(item, sort_keys=True),) if compared is None else compared


def _part_identity(attribute: Attribute, name: str, part: Any) -> Hashable:
    return identity(attribute.sub_attribute(name) or _UNDECLARED, part)


def named_identities(attribute: Attribute, value: Any, path: str) -> set[Hashable]:
    """Return what Entra's ``remove`` with a value names: entries with all the given sub-attributes.

    Null sub-attributes say nothing: Entra sends ``{"$ref": null, "value": "id"}``.
    """
    sent = value if isinstance(value, list) else [value]
    require_few_entries(sent, path)
    named = [_named(attribute, item, path) for item in sent]
    return {item for item in named if item != frozenset()}


def _named(attribute: Attribute, item: Any, path: str) -> Hashable:
    if attribute.type != "complex":
        return identity(attribute, item)
    named: dict[str, Any] = {}
    for name, part in (item if isinstance(item, Mapping) else {"value": item}).items():
        sub = attribute.sub_attribute(name) or Attribute(name, "string", case_exact=True, lenient=True)
        read = read_value(sub, part, f"{path}.{sub.name}")
        if read is not ABSENT:
            named[sub.name] = read
    return identity(attribute, named)
