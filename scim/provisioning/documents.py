"""What every stored document has beside its attributes, and when two are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scim.provisioning.document_reader import Document
from scim.resources.identifiers import resource_name_of
from scim.resources.schema import ENTERPRISE_URN, ResourceSchema


def complete_document(attributes: Document, resource_id: str, schema: ResourceSchema) -> Document:
    """Return a document ready to be stored: ``schemas`` lists what is present, ``id`` is set, a manager has a $ref."""
    extensions = [name for name in attributes if name.lower().startswith("urn:")]
    document = {"schemas": [schema.urn, *sorted(extensions)], "id": resource_id, **attributes}
    enterprise = document.get(ENTERPRISE_URN)
    if isinstance(enterprise, Mapping) and isinstance(enterprise.get("manager"), Mapping):
        document[ENTERPRISE_URN] = {**enterprise, "manager": _with_reference(enterprise["manager"])}
    return document


def _with_reference(manager: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manager with the reference its id implies; the URL is completed when it is answered."""
    kept = {name: value for name, value in manager.items() if name != "$ref"}
    value = manager.get("value")
    if isinstance(value, str) and resource_name_of(value) == "User":
        return {**kept, "$ref": f"Users/{value}"}
    return dict(manager) if not str(manager.get("$ref", "")).startswith("Users/") else kept


def attributes_of(document: Mapping[str, Any]) -> Document:
    """Return a document's attributes alone, as :func:`complete_document` takes them."""
    return {name: value for name, value in document.items() if name not in ("schemas", "id")}


def same_document(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Tell whether two documents say the same, whatever the order of names and of values (RFC 7643 §2.4)."""
    return first.keys() == second.keys() and all(_same_value(value, second[name]) for name, value in first.items())


def _same_value(first: Any, second: Any) -> bool:
    return bool(first == second) or bool(_unordered(first) == _unordered(second))


def _unordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _unordered(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((_unordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value
