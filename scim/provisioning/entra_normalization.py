"""The forms in which Entra departs from RFC 7644, turned into the RFC's. Pure, and idempotent.

Only what a recorded exchange or Microsoft's documents show is handled here. What reading a value by its attribute
settles anyway (text booleans, ``manager`` as an id or a list, names in another letter case) is in resources/values.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scim.resources.schema import ENTERPRISE_URN, GROUP_URN

LEGACY_GROUP_URN = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
"""Entra lists it beside the core Group schema in every POST of a group."""

_URN_ALIASES = {
    LEGACY_GROUP_URN.lower(): GROUP_URN,
    # Microsoft's guide misspells the enterprise extension in Example 2 (use-scim-to-provision-users-and-groups).
    ENTERPRISE_URN.lower().replace("2.0:user", "2.0user"): ENTERPRISE_URN,
}


def canonical_urn(urn: str) -> str:
    """Return the schema URN that a URN stands for: the misspelt and the 2006 ones mean ours, others themselves."""
    return _URN_ALIASES.get(urn.lower(), urn)


def normalize_resource(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a POST or PUT with canonical schema URNs and with roles as objects."""
    normalized = {canonical_urn(name): value for name, value in payload.items()}
    return {name: normalize_roles(value) if name.lower() == "roles" else value for name, value in normalized.items()}


def normalize_roles(value: Any) -> Any:
    """Return roles with each JSON text opened: ``AppRoleAssignmentsComplex`` sends an object as text in ``value``."""
    if isinstance(value, list):
        return [_open_role(item) for item in value]
    return _open_role(value)


def _open_role(role: Any) -> Any:
    text = role.get("value") if isinstance(role, Mapping) else role
    if not isinstance(text, str) or not text.startswith("{"):
        return role
    try:
        opened = json.loads(text)
    except ValueError:
        return role
    if not isinstance(opened, dict) or not ("value" in opened or "id" in opened):
        return role
    outer = {name: item for name, item in role.items() if name != "value"} if isinstance(role, Mapping) else {}
    named = {"value": opened.get("value") or opened.get("id"), "display": opened.get("displayName")}
    return {**{name: item for name, item in named.items() if item is not None}, **outer}


def normalize_operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return a PATCH operation with lower-case member names and ``op`` (Entra sends ``Add``), and roles as objects."""
    normalized = {str(name).lower(): value for name, value in operation.items()}
    if isinstance(normalized.get("op"), str):
        normalized["op"] = normalized["op"].lower()
    path = normalized.get("path")
    if isinstance(path, str) and path.lower() == "roles":
        normalized["value"] = normalize_roles(normalized.get("value"))
    elif path is None and isinstance(normalized.get("value"), Mapping):
        normalized["value"] = normalize_resource(normalized["value"])
    return normalized
