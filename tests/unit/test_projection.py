from __future__ import annotations

from typing import Any

import pytest
from scim2_models import InvalidPathException, InvalidValueException

from scim.resources.projection import Projection, read_projection
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.builders import group_schema, user_document, user_schema

UNKNOWN_URN = "urn:ietf:params:scim:schemas:extension:Unknown:2.0:User"
GROUPS = [{"value": "grp_1", "display": "Tour Guides"}]
GROUP = {
    "schemas": [GROUP_URN],
    "id": "grp_1",
    "displayName": "Tour Guides",
    "members": [{"value": "usr_1", "display": "Babs"}],
}


def ask(attributes: Any = None, excluded: Any = None) -> Projection:
    return read_projection(attributes, excluded, [user_schema(), group_schema()])


def show(document: dict[str, Any], attributes: Any = None, excluded: Any = None) -> dict[str, Any]:
    return ask(attributes, excluded).apply(user_schema(), document)


def test_by_default_everything_is_shown_but_groups_and_password() -> None:
    assert show(user_document(groups=GROUPS, password="x")) == user_document()


@pytest.mark.parametrize("attributes", ["groups", "GROUPS.value,groups.display", f"{USER_URN}:groups"])
def test_groups_are_shown_on_request(attributes: str) -> None:
    assert show(user_document(groups=GROUPS), attributes) == {"schemas": [USER_URN], "id": "usr_1", "groups": GROUPS}


def test_a_password_is_not_shown_on_request() -> None:
    assert show(user_document(password="x"), "password") == {"schemas": [USER_URN], "id": "usr_1"}


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ("userName", {"userName": "bjensen@example.com"}),
        ("USERNAME , title", {"userName": "bjensen@example.com", "title": "Tour Guide"}),
        ("id", {}),
        ("name.givenName", {"name": {"givenName": "Barbara"}}),
        ("emails.type", {"emails": [{"type": "work"}, {"type": "home"}]}),
        ("emails.primary", {"emails": [{"primary": True}]}),
        ("meta.created", {"meta": {"created": "2010-01-23T04:56:22Z"}}),
        ("nothing,name.nothing", {}),
        ("urn", {}),
        (["userName", " active"], {"userName": "bjensen@example.com", "active": True}),
    ],
)
def test_the_attributes_asked_for_replace_the_default_ones(attributes: Any, shown: dict[str, Any]) -> None:
    assert show(user_document(), attributes) == {"schemas": [USER_URN], "id": "usr_1", **shown}


@pytest.mark.parametrize(
    ("attributes", "extension"),
    [
        (ENTERPRISE_URN, {"employeeNumber": "701984", "department": "Tour Operations", "manager": {"value": "usr_2"}}),
        (f"{ENTERPRISE_URN}:department", {"department": "Tour Operations"}),
        (f"{ENTERPRISE_URN.upper()}:MANAGER.VALUE", {"manager": {"value": "usr_2"}}),
    ],
)
def test_an_extension_or_a_part_of_it_is_asked_for_by_its_urn(attributes: str, extension: dict[str, Any]) -> None:
    assert show(user_document(), attributes) == {
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "usr_1",
        ENTERPRISE_URN: extension,
    }


def test_the_core_schema_is_asked_for_by_its_urn() -> None:
    assert show(user_document(), USER_URN) == user_document(**{ENTERPRISE_URN: None}, schemas=[USER_URN])


def test_excluded_attributes_are_left_out_of_the_default_ones() -> None:
    expected = user_document(
        title=None, emails=[{"value": "bjensen@example.com", "primary": True}, {"value": "babs@jensen.org"}]
    )
    expected["name"] = {"formatted": "Ms. Barbara J Jensen", "familyName": "Jensen"}

    assert show(user_document(), None, "TITLE,name.givenName,emails.type") == expected


def test_id_and_schemas_cannot_be_excluded() -> None:
    assert show(user_document(), None, "id,schemas") == user_document()


def test_schemas_lists_only_the_extensions_shown() -> None:
    parts = ",".join(f"{ENTERPRISE_URN}:{name}" for name in ("employeeNumber", "department", "manager"))

    for excluded in (ENTERPRISE_URN, parts):
        assert show(user_document(), None, excluded) == user_document(**{ENTERPRISE_URN: None}, schemas=[USER_URN])


def test_schemas_does_not_list_an_extension_without_values() -> None:
    document = user_document(**{ENTERPRISE_URN: None})

    assert ENTERPRISE_URN in document["schemas"]
    assert show(document)["schemas"] == [USER_URN]


def test_a_document_is_not_changed() -> None:
    document = user_document()

    show(document, "name.givenName")
    show(document, None, f"{ENTERPRISE_URN}:department")

    assert document == user_document()


# -- What no schema declares --------------------------------------------


UNDECLARED = {"badge": {"number": 5, "colour": "blue"}, "desk": False, UNKNOWN_URN: {"pin": 0, "car": {"plate": "x"}}}
FULL = user_document(**UNDECLARED, schemas=[USER_URN, ENTERPRISE_URN, UNKNOWN_URN])


def test_undeclared_attributes_are_shown_by_default() -> None:
    assert show(FULL) == FULL
    assert show(FULL, None, "userName") == {name: value for name, value in FULL.items() if name != "userName"}


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ("BADGE", {"badge": UNDECLARED["badge"]}),
        ("badge.number,desk.x", {"badge": {"number": 5}, "desk": False}),
        (f"{USER_URN}:desk", {"desk": False}),
        (UNKNOWN_URN.lower(), {UNKNOWN_URN: UNDECLARED[UNKNOWN_URN]}),
        (f"{UNKNOWN_URN}:pin", {UNKNOWN_URN: {"pin": 0}}),
        (f"{UNKNOWN_URN}:car.plate", {UNKNOWN_URN: {"car": {"plate": "x"}}}),
        (f"{UNKNOWN_URN}:car.wheels", {}),
    ],
)
def test_undeclared_attributes_can_be_asked_for(attributes: str, shown: dict[str, Any]) -> None:
    schemas = [USER_URN, UNKNOWN_URN] if UNKNOWN_URN in shown else [USER_URN]

    assert show(FULL, attributes) == {"schemas": schemas, "id": "usr_1", **shown}


def test_undeclared_attributes_can_be_excluded() -> None:
    kept = show(FULL, None, f"desk,badge.colour,{UNKNOWN_URN}")

    assert kept["badge"] == {"number": 5}
    assert "desk" not in kept
    assert UNKNOWN_URN not in kept
    assert kept["schemas"] == [USER_URN, ENTERPRISE_URN]
    assert show(FULL, None, f"{UNKNOWN_URN}:car.plate")[UNKNOWN_URN] == {"pin": 0}


def test_undeclared_parts_of_declared_attributes_can_be_excluded() -> None:
    document = user_document(name={"givenName": "Barbara", "nick": "Babs"})
    document[ENTERPRISE_URN] = {"department": "Tours", "badge": 5}

    assert show(document, None, "name.nick")["name"] == {"givenName": "Barbara"}
    assert show(document, None, f"{ENTERPRISE_URN}:badge")[ENTERPRISE_URN] == {"department": "Tours"}


# -- What an answer needs -----------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "excluded", "needs_members", "needs_groups"),
    [
        (None, None, True, False),
        ("", " , ", True, False),
        ("id", None, False, False),
        ("displayName,members", None, True, False),
        ("members.value", None, True, False),
        ("members.nothing", None, False, False),
        (None, "members", False, False),
        (None, "MEMBERS", False, False),
        (None, f"{GROUP_URN}:members", False, False),
        (None, "members.display", True, False),
        (None, "members.value,members.$ref,members.type,members.display", False, False),
        ("groups", None, False, True),
        ("groups.display", None, False, True),
        (USER_URN, None, False, False),
        (GROUP_URN, None, True, False),
    ],
)
def test_it_tells_whether_members_and_groups_must_be_read(
    attributes: str | None, excluded: str | None, *, needs_members: bool, needs_groups: bool
) -> None:
    asked = ask(attributes, excluded)

    assert (asked.needs_members, asked.needs_groups) == (needs_members, needs_groups)


@pytest.mark.parametrize(
    ("attributes", "excluded", "is_default", "only_id"),
    [
        (None, None, True, False),
        ("", [], True, False),
        ("id", None, False, True),
        ("ID, schemas", None, False, True),
        (f"{USER_URN}:id", None, False, True),
        ("id,userName", None, False, False),
        ("nothing", None, False, False),
        (None, "members", False, False),
    ],
)
def test_it_tells_when_nothing_or_only_the_id_is_asked_for(
    attributes: Any, excluded: Any, *, is_default: bool, only_id: bool
) -> None:
    asked = ask(attributes, excluded)

    assert (asked.is_default, asked.only_id) == (is_default, only_id)


def test_members_are_shown_unless_excluded() -> None:
    without = {name: value for name, value in GROUP.items() if name != "members"}

    assert ask().apply(group_schema(), GROUP) == GROUP
    assert ask(None, "members").apply(group_schema(), GROUP) == without
    assert ask("members.value").apply(group_schema(), GROUP)["members"] == [{"value": "usr_1"}]


# -- Refusals -----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "[",
        "a..b",
        'emails[type eq "work"]',
        'userName eq "a"',
        "urn:x",
        "urn:x:y",
        "é",
        "a b",
        ".",
        "a.b.c",
        "x" * 90 + "[",
    ],
)
@pytest.mark.parametrize("parameter", ["attributes", "excludedAttributes"])
def test_what_is_no_attribute_name_is_refused(parameter: str, name: str) -> None:
    with pytest.raises(InvalidPathException) as raised:
        ask(**{"attributes" if parameter == "attributes" else "excluded": f"id,{name}"})

    assert raised.value.detail.startswith(f"{parameter} holds ")
    assert raised.value.detail.endswith("use names such as userName, name.givenName or emails.")


def test_asking_and_excluding_at_once_is_refused() -> None:
    with pytest.raises(InvalidValueException, match="either attributes or excludedAttributes, not both"):
        ask("userName", "id")


def test_a_list_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidValueException, match="must be a list of attribute names"):
        ask([5])


def test_many_names_are_counted_once_each_and_too_many_refused() -> None:
    assert ask("a," * 20_000).only_id is False
    with pytest.raises(InvalidValueException, match="more than 200"):
        ask(",".join(f"a{number}" for number in range(201)))
