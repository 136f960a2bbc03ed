"""Requests in the form in which Entra ID sends them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

_USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
_GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
_ENTERPRISE_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def new_user(name: str) -> bytes:
    """Return the body of a POST of a user, about 0.8 KB."""
    return _json(
        {
            "schemas": [_USER_URN, _ENTERPRISE_URN],
            "externalId": name,
            "userName": f"{name}@fabrikam.example",
            "active": True,
            "displayName": f"Display Name {name}",
            "title": "Engineer",
            "preferredLanguage": "en-US",
            "name": {"formatted": f"Given {name}", "givenName": "Given", "familyName": name},
            "emails": [{"type": "work", "primary": True, "value": f"{name}@fabrikam.example"}],
            "phoneNumbers": [{"type": "work", "value": "+1 425 555 0100"}],
            "addresses": [
                {"type": "work", "locality": "Redmond", "region": "WA", "postalCode": "98052", "country": "US"}
            ],
            _ENTERPRISE_URN: {"employeeNumber": "701984", "department": "Tour Operations"},
            "meta": {"resourceType": "User"},
        }
    )


def change_of_user(name: str) -> bytes:
    """Return the body of a PATCH with three replace operations: an attribute, an e-mail, an extension's attribute."""
    return patch(
        ("Replace", "displayName", f"Changed Name {name}"),
        ("Replace", 'emails[type eq "work"].value', f"{name}@contoso.example"),
        ("Replace", f"{_ENTERPRISE_URN}:department", "Research"),
    )


def new_group(name: str, members: Sequence[str] = ()) -> bytes:
    """Return the body of a POST of a group."""
    body: dict[str, Any] = {"schemas": [_GROUP_URN], "externalId": name, "displayName": name}
    return _json({**body, "members": _references(members)} if members else body)


def added(members: Sequence[str]) -> bytes:
    """Return the body of a PATCH that adds members."""
    return patch(("Add", "members", _references(members)))


def removed(members: Sequence[str]) -> bytes:
    """Return the body of a PATCH that removes members."""
    return patch(("Remove", "members", _references(members)))


def renamed(name: str) -> bytes:
    """Return the body of a PATCH that gives a group another name."""
    return patch(("Replace", "displayName", name))


def patch(*operations: tuple[str, str, Any]) -> bytes:
    """Return the body of a PATCH of operations, paths and values."""
    listed = [{"op": op, "path": path, "value": value} for op, path, value in operations]
    return _json({"schemas": [_PATCH_URN], "Operations": listed})


def matching(attribute: str, value: str) -> str:
    """Return the path of a matching query for a user, encoded as Entra ID does it."""
    text = quote_plus(f'{attribute} eq "{value}"')
    return f"/Users?filter={text}"


def _references(members: Sequence[str]) -> list[dict[str, Any]]:
    return [{"$ref": None, "value": member} for member in members]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
