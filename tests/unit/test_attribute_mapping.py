"""Attribute mappings: what is accepted, what is refused, and the JSON form."""

from __future__ import annotations

from typing import Any

import pytest

from scim.directories.attribute_mapping import MAX_DESCRIPTION_LENGTH, MAX_PATH_LENGTH, AttributeMapping
from scim.directories.errors import InvalidValueError

URN = "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.mark.parametrize(
    ("path", "extension_urn", "attribute"),
    [
        ("userName", None, "userName"),
        ("name.givenName", None, "name.givenName"),
        ('emails[type eq "work"].value', None, 'emails[type eq "work"].value'),
        ('roles[primary eq "True"]', None, 'roles[primary eq "True"]'),
        ("urn:ietf:params:scim:schemas:core:2.0:User:title", None, "title"),
        (f"{URN}:tag", URN, "tag"),
        (f"{URN}:extension_9d98asdfl15980a_Nickname", URN, "extension_9d98asdfl15980a_Nickname"),
        (f"{URN}:address.street", URN, "address.street"),
        (f"{ENTERPRISE}:department", ENTERPRISE, "department"),
        (f"{ENTERPRISE}:manager.$ref", ENTERPRISE, "manager.$ref"),
        (f"{URN.upper()}:tag", URN.upper(), "tag"),
    ],
)
def test_a_path_is_taken_apart(path: str, extension_urn: str | None, attribute: str) -> None:
    mapping = AttributeMapping("tag", path)
    assert (mapping.extension_urn, mapping.attribute) == (extension_urn, attribute)


@pytest.mark.parametrize(
    "path",
    [
        "",
        " ",
        "user name",
        "1st",
        ".value",
        "name.",
        "a.b.c",
        "emails[]",
        "emails[type eq",
        "emails]",
        URN,
        f"{URN}:",
        f"{URN}.tag",
        f"{URN.replace('User', 'Group')}:tag",
        "urn:ietf:params:scim:schemas:extension::2.0:User:tag",
        "urn:ietf:params:scim:schemas:extension:Acme:User:tag",
        "urn:ietf:params:scim:schemas:core:2.0:Group:displayName",
        "urn:example:tag",
        "straße",
        "tag\n",
        "a" * (MAX_PATH_LENGTH + 1),
    ],
)
def test_a_malformed_path_is_refused_with_what_to_write(path: str) -> None:
    with pytest.raises(InvalidValueError, match=r"^path: give a core attribute such as userName.*\{Name\}:2.0:User:"):
        AttributeMapping("tag", path)


def test_a_mapping_of_groups_takes_paths_of_groups() -> None:
    urn = URN.replace("User", "Group")
    assert AttributeMapping("tag", f"{urn}:tag", resource="Group").extension_urn == urn
    with pytest.raises(InvalidValueError, match=r"2.0:Group:"):
        AttributeMapping("tag", f"{URN}:tag", resource="Group")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "  "),
        ("name", "a\x00b"),
        ("name", "\ud800"),
        ("name", "x" * 101),
        ("name", 1),
        ("path", None),
        ("type", "complex"),
        ("type", ""),
        ("type", 1),
        ("resource", "Device"),
        ("multi_valued", "true"),
        ("required", 1),
        ("matching", None),
        ("description", "x" * (MAX_DESCRIPTION_LENGTH + 1)),
        ("description", None),
        ("colour", "red"),
    ],
)
def test_a_malformed_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidValueError, match=f"^{field}: ") as caught:
        AttributeMapping.from_json({"name": "tag", "path": f"{URN}:tag", field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["name", "path"])
def test_name_and_path_are_required(field: str) -> None:
    form = {"name": "tag", "path": "title"}
    del form[field]
    with pytest.raises(InvalidValueError, match=f"^{field}: is required"):
        AttributeMapping.from_json(form)


def test_the_json_form_has_every_field_and_comes_back() -> None:
    mapping = AttributeMapping(
        "tag", f"{URN}:tag", "dateTime", multi_valued=True, required=True, matching=True, description="d"
    )
    assert mapping.to_json() == {
        "name": "tag",
        "path": f"{URN}:tag",
        "type": "dateTime",
        "multi_valued": True,
        "required": True,
        "matching": True,
        "description": "d",
        "resource": "User",
    }
    assert AttributeMapping.from_json(mapping.to_json()) == mapping
