"""The forms in which Entra departs from RFC 7644, turned into the RFC's. Pure, and idempotent.

Only what a recorded exchange or Microsoft's documents show is handled here. What reading a value by its attribute
settles anyway (text booleans, ``manager`` as an id or a list, names in another letter case) is in resources/values.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN

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
    normalized: dict[str, Any] = {}
    for name, value in payload.items():
        urn, given = canonical_urn(name), normalize_roles(value) if _names_roles(name) else value
        present = normalized.get(urn)
        if isinstance(present, Mapping) and isinstance(given, Mapping):
            given = {**present, **given}
        normalized[urn] = given
    return normalized


def _names_roles(path: str) -> bool:
    return path.lower() in ("roles", f"{USER_URN}:roles".lower())


def normalize_roles(value: Any) -> Any:
    r"""Return roles with each JSON text opened: ``AppRoleAssignmentsComplex`` sends ``{"value": "{\"id\": …}"}``."""
    if isinstance(value, list):
        return [_open_role(item) for item in value]
    return _open_role(value)


def _open_role(role: Any) -> Any:
    opened = _opened(role.get("value") if isinstance(role, Mapping) else role)
    if opened is None:
        return role
    outer = {name: item for name, item in role.items() if name != "value"} if isinstance(role, Mapping) else {}
    return {**opened, **outer}


def _opened(text: Any) -> dict[str, str] | None:
    """Return the role that a JSON text describes, or None for a text that is a role's plain value."""
    if not isinstance(text, str) or not text.startswith("{"):
        return None
    try:
        described = json.loads(text)
    except (ValueError, RecursionError):
        return None
    named = {"value": described.get("value") or described.get("id"), "display": described.get("displayName")}
    value = named["value"]
    if not isinstance(value, str) or value.startswith("{"):
        return None
    return {name: item for name, item in named.items() if isinstance(item, str)}


def normalize_operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return a PATCH operation with lower-case member names and ``op`` (Entra sends ``Add``), and roles as objects."""
    normalized = {str(name).lower(): value for name, value in operation.items()}
    if isinstance(normalized.get("op"), str):
        normalized["op"] = normalized["op"].lower()
    path = normalized.get("path")
    if isinstance(path, str) and _names_roles(path):
        normalized["value"] = normalize_roles(normalized.get("value"))
    elif not path and isinstance(normalized.get("value"), Mapping):
        normalized["value"] = normalize_resource(normalized["value"])
    return normalized
