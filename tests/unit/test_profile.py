"""Profiles: what the application sees of a user or group."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.directories.errors import InvalidValueError
from scim.resources.mapping_rules import require_valid_mappings
from scim.resources.profile import PROFILE_NAMES, group_profile, user_profile
from scim.resources.schema import ENTERPRISE_URN
from scim.resources.stored_document import StoredDocument, document_text

ACME = "urn:ietf:params:scim:schemas:extension:Acme:2.0:User"
TIME = "2026-11-24T10:00:00.000Z"


def directory(*mappings: AttributeMapping) -> Directory:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Directory(
        "dir_" + "1" * 32, "org_1", "entra_id", "Acme", "active", now, now, attribute_mappings=tuple(mappings)
    )


def stored(document: dict[str, Any], name: Any = "User") -> StoredDocument:
    return StoredDocument(name, "usr_1", document_text(document), "v1", TIME, TIME, "etag")


def custom(document: dict[str, Any], *mappings: AttributeMapping) -> Any:
    return user_profile(directory(*mappings), stored({"userName": "a", **document}))["custom_attributes"]


def test_a_user_is_flat_and_has_every_name_of_a_profile() -> None:
    document = {
        "userName": "anna@acme.example",
        "externalId": "e-1",
        "name": {"givenName": "Anna", "familyName": "Ahl"},
        "emails": [{"value": "home@x.example"}, {"type": "work", "value": "work@x.example"}],
        ENTERPRISE_URN: {"department": "Research", "manager": {"value": "usr_2"}},
    }
    profile = user_profile(directory(), stored(document))
    assert profile["username"] == "anna@acme.example"
    assert profile["external_id"] == "e-1"
    assert (profile["given_name"], profile["family_name"]) == ("Anna", "Ahl")
    assert profile["email"] == "work@x.example"
    assert (profile["department"], profile["manager_id"]) == ("Research", "usr_2")
    assert profile["active"] is True
    assert profile["title"] is None
    assert set(profile) <= PROFILE_NAMES


def test_the_primary_address_comes_before_the_one_for_work() -> None:
    emails = [{"type": "work", "value": "w@x.example"}, {"type": "home", "value": "h@x.example", "primary": True}]
    assert user_profile(directory(), stored({"userName": "a", "emails": emails}))["email"] == "h@x.example"


def test_the_document_as_stored_is_added_on_request_only() -> None:
    document = {"userName": "a", "unmapped": 1}
    assert "raw" not in user_profile(directory(), stored(document))
    assert user_profile(directory(), stored(document), raw=True)["raw"] == document


@pytest.mark.parametrize(
    ("kind", "sent", "seen"),
    [
        ("string", "x", "x"),
        ("string", 5, None),
        ("boolean", "True", True),
        ("boolean", "yes", None),
        ("integer", "42", 42),
        ("integer", "042", None),
        ("decimal", "1.5", 1.5),
        ("dateTime", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"),
        ("dateTime", "tomorrow", None),
        ("reference", "https://x.example", "https://x.example"),
    ],
)
def test_a_custom_attribute_has_its_type_or_is_left_out(kind: Any, sent: Any, seen: Any) -> None:
    mapping = AttributeMapping("level", f"{ACME}:level", kind)
    assert custom({ACME: {"level": sent}}, mapping) == ({} if seen is None else {"level": seen})


def test_a_mapping_may_select_an_entry_of_a_core_attribute() -> None:
    mapping = AttributeMapping("mobile", 'phoneNumbers[type eq "mobile"].value')
    phones = [{"type": "work", "value": "1"}, {"type": "mobile", "value": "2"}]
    assert custom({"phoneNumbers": phones}, mapping) == {"mobile": "2"}


def test_a_mapping_of_several_values_gives_a_list() -> None:
    mapping = AttributeMapping("roles_held", "roles", multi_valued=True)
    assert custom({"roles": [{"value": "a"}, {"value": "b"}]}, mapping) == {"roles_held": ["a", "b"]}


def test_a_group_has_its_member_count_and_no_members() -> None:
    profile = group_profile(directory(), stored({"displayName": "Team", "externalId": "e"}, "Group"), member_count=3)
    assert (profile["display_name"], profile["external_id"], profile["member_count"]) == ("Team", "e", 3)
    assert "members" not in profile


@pytest.mark.parametrize(
    ("mappings", "words"),
    [
        ([AttributeMapping("a", "favouriteColour")], "no attribute"),
        ([AttributeMapping("a", f"{ENTERPRISE_URN}:shoeSize")], "no attribute"),
        ([AttributeMapping("a", 'emails[kind eq "work"].value')], '"emails.kind" is not a sub-attribute of "emails"'),
        ([AttributeMapping("a", "active", "string")], "type boolean"),
        ([AttributeMapping("a", "name")], "sub-attributes"),
        ([AttributeMapping("a", "emails")], "several values"),
        ([AttributeMapping("a", "title", multi_valued=True)], "one value"),
        ([AttributeMapping("a", 'emails[colour eq "red"].value')], "colour"),
        ([AttributeMapping("a", "password")], "cannot be mapped"),
        ([AttributeMapping("email", "title")], "already"),
        ([AttributeMapping("a", "title"), AttributeMapping("A", "nickName")], "two mappings"),
        ([AttributeMapping("a", f"{ACME}:x"), AttributeMapping("b", f"{ACME}:X", "boolean")], "another type"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_what_to_change(mappings: Any, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        require_valid_mappings(mappings)


def test_mappings_of_core_enterprise_and_extension_attributes_are_accepted() -> None:
    require_valid_mappings(
        [
            AttributeMapping("job", "title"),
            AttributeMapping("first", "name.givenName"),
            AttributeMapping("unit", "department"),
            AttributeMapping("boss", f"{ENTERPRISE_URN}:manager.value"),
            AttributeMapping("work_phone", 'phoneNumbers[type eq "work"].value'),
            AttributeMapping("extension_1a2b_badge", f"{ACME}:extension_1a2b_badge"),
            AttributeMapping("serial", f"{ACME}:device.serial"),
            AttributeMapping(
                "team_code", "urn:ietf:params:scim:schemas:extension:Acme:2.0:Group:code", resource="Group"
            ),
        ]
    )
