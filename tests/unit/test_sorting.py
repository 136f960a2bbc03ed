from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from scim2_models import InvalidCursorException, InvalidPathException, InvalidValueException

from scim.resources.core_schemas import CustomAttribute
from scim.resources.schema import ENTERPRISE_URN, ResourceSchema
from scim.resources.sorting import Position, read_sort_key
from tests.builders import CUSTOM_URN, group_schema, user_document, user_schema

CUSTOM = user_schema(CustomAttribute("floor", "integer"), CustomAttribute("tags", "string", multi_valued=True))


def order(sort_by: str | None, sort_order: str | None, *documents: dict[str, Any]) -> list[str]:
    key = read_sort_key(sort_by, sort_order, [user_schema()])
    return [document["id"] for _, document in key.sort((user_schema(), document) for document in documents)]


def sort_value(sort_by: str, document: dict[str, Any], schema: ResourceSchema | None = None) -> Any:
    schema = schema or user_schema()
    return read_sort_key(sort_by, None, [schema]).sort_value(schema, document)


def test_without_sort_by_resources_are_ordered_by_id() -> None:
    documents = [user_document(id=resource_id) for resource_id in ("c", "a", "b")]

    assert order(None, "descending", *documents) == ["a", "b", "c"]
    assert order(" ", None, *documents) == ["a", "b", "c"]


def test_resources_without_a_value_come_last_ascending_and_first_descending() -> None:
    documents = [user_document(id="1", title=None), user_document(id="2", title="b"), user_document(id="3", title="A")]

    assert order("title", None, *documents) == ["3", "2", "1"]
    assert order("title", "ascending", *documents) == ["3", "2", "1"]
    assert order("title", "Descending", *documents) == ["1", "2", "3"]


def test_equal_values_are_told_apart_by_id() -> None:
    documents = [
        user_document(id=resource_id, title=title) for resource_id, title in (("2", "a"), ("3", "A"), ("1", "a"))
    ]

    assert order("title", None, *documents) == ["1", "2", "3"]
    assert order("title", "descending", *documents) == ["3", "2", "1"]


def test_several_values_are_sorted_by_the_primary_one_or_else_the_first() -> None:
    emails = [{"value": "b@x.org"}, {"value": "A@x.org", "primary": True}]

    assert sort_value("emails", user_document(emails=emails)) == "a@x.org"
    assert sort_value("emails.value", user_document(emails=emails[:1])) == "b@x.org"
    assert sort_value("emails.type", user_document(emails=emails)) is None
    assert sort_value("emails", user_document(emails=None)) is None


def test_dates_are_sorted_as_instants() -> None:
    assert sort_value("meta.created", user_document()) == datetime(2010, 1, 23, 4, 56, 22, tzinfo=UTC)


def test_text_is_sorted_in_the_form_it_is_compared_in() -> None:
    assert sort_value("displayName", user_document(displayName="STRASSE É")) == sort_value(
        "displayName", user_document(displayName="straße e\u0301")
    )
    assert sort_value("id", user_document(id="A")) == "A"


def test_an_enterprise_attribute_is_found_by_its_urn_or_short_name() -> None:
    assert sort_value(f"{ENTERPRISE_URN.upper()}:DEPARTMENT", user_document()) == "tour operations"
    assert sort_value("department", user_document()) == "tour operations"


def test_a_custom_value_of_the_wrong_type_counts_as_absent() -> None:
    document = user_document(**{CUSTOM_URN: {"floor": "third", "tags": [1, "Blue"]}})

    assert sort_value(f"{CUSTOM_URN}:floor", document, CUSTOM) is None
    assert sort_value(f"{CUSTOM_URN}:tags", document, CUSTOM) == "blue"


def test_an_attribute_that_one_of_several_types_declares_sorts_the_others_as_missing() -> None:
    schemas = [user_schema(), group_schema()]
    group = {"id": "grp_1", "displayName": "A"}

    ordered = read_sort_key("userName", None, schemas).sort([(group_schema(), group), (user_schema(), user_document())])

    assert [document["id"] for _, document in ordered] == ["usr_1", "grp_1"]


@pytest.mark.parametrize(
    ("sort_by", "said"),
    [
        ("nothing", 'Cannot sort by "nothing": User has no such attribute.'),
        ("name.nothing", "User has no such attribute"),
        ("a..b", "User has no such attribute"),
        ('emails[type eq "work"]', "User has no such attribute"),
        ("x" * 9000, "User has no such attribute"),
        ("name", "made of several values, so name one of them, such as name.familyName"),
        ("manager", "made of several values"),
        ("addresses", "its entries are made of several values"),
        ("x509Certificates", "it holds binary data"),
        ("password", "it is never given out"),
    ],
)
def test_what_cannot_order_resources_is_refused_with_the_reason(sort_by: str, said: str) -> None:
    with pytest.raises(InvalidPathException) as raised:
        read_sort_key(sort_by, None, [user_schema()])

    assert said in raised.value.detail
    assert len(raised.value.detail) < 250


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(InvalidValueException, match='sortOrder is "ascending" or "descending", not "sideways"'):
        read_sort_key("userName", "sideways", [user_schema()])


@pytest.mark.parametrize("value", ["text", "é\u2028", True, 0, 1.5, datetime(2020, 1, 1, tzinfo=UTC), None])
def test_a_position_survives_json(value: Any) -> None:
    position = Position(missing=value is None, value="" if value is None else value, id="usr_1")

    assert Position.decoded(json.loads(json.dumps(position.encoded()))) == position


@pytest.mark.parametrize(
    "encoded",
    [None, [], {}, {"k": 1}, {"i": "a"}, {"k": [], "i": "a"}, {"k": 1, "i": 1}, {"k": {"datetime": "x"}, "i": ""}],
)
def test_what_is_no_position_is_an_invalid_cursor(encoded: Any) -> None:
    with pytest.raises(InvalidCursorException):
        Position.decoded(encoded)


def test_a_position_tells_what_comes_after_it_in_either_direction() -> None:
    first, second = Position(missing=False, value="a", id="1"), Position(missing=True, value="", id="2")

    assert read_sort_key("title", "ascending", [user_schema()]).precedes(first, second)
    assert read_sort_key("title", "descending", [user_schema()]).precedes(second, first)
