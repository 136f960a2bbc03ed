from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from scim2_models import Schema

from scim.resources.core_schemas import (
    CustomAttribute,
    custom_extension_schema,
    enterprise_user_schema_document,
    group_schema_document,
    user_schema_document,
)
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.builders import CUSTOM_URN, group_schema, user_schema

CUSTOM = custom_extension_schema(
    CUSTOM_URN,
    [
        CustomAttribute("badge", "string", description="Door badge"),
        CustomAttribute("desk", "reference", multi_valued=True),
        CustomAttribute("device.serial", "integer", multi_valued=True),
        CustomAttribute("Device.colour", "string"),
    ],
)
DOCUMENTS = [user_schema_document(), enterprise_user_schema_document(), group_schema_document(), CUSTOM]


def definitions(attributes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for attribute in attributes:
        yield attribute
        yield from definitions(attribute.get("subAttributes", []))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["name"])
def test_a_schema_has_no_nulls_and_every_attribute_its_characteristics(document: dict[str, Any]) -> None:
    assert "null" not in json.dumps(document)
    for attribute in definitions(document["attributes"]):
        assert attribute.keys() >= {
            "name",
            "type",
            "multiValued",
            "description",
            "required",
            "caseExact",
            "mutability",
            "returned",
            "uniqueness",
        }
        assert "\n" not in attribute["description"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["name"])
def test_a_schema_is_one_the_reference_reads(document: dict[str, Any]) -> None:
    assert Schema.model_validate(document).model_dump() == document


def test_schemas_are_made_once_for_a_process() -> None:
    assert user_schema_document() is user_schema_document()
    assert group_schema_document() is group_schema_document()


def test_what_is_enforced_is_announced() -> None:
    user, group = user_schema(), group_schema()

    assert [document["id"] for document in DOCUMENTS] == [USER_URN, ENTERPRISE_URN, GROUP_URN, CUSTOM_URN]
    assert user.attributes["username"].required
    assert user.attributes["username"].uniqueness == "server"
    assert user.attributes["groups"].returned == "request"
    assert user.attributes["emails"].sub_attributes["value"].type == "string"
    assert group.attributes["displayname"].uniqueness == "server"
    assert group.attributes["displayname"].required


def test_custom_attributes_with_a_dot_become_sub_attributes_of_one_complex_attribute() -> None:
    badge, desk, device = CUSTOM["attributes"]

    assert (badge["description"], desk["referenceTypes"], desk["multiValued"]) == ("Door badge", ["uri"], True)
    assert (device["name"], device["type"], device["multiValued"]) == ("device", "complex", True)
    assert [(sub["name"], sub["multiValued"]) for sub in device["subAttributes"]] == [
        ("serial", False),
        ("colour", False),
    ]


def test_an_attribute_selected_by_brackets_is_several_valued_and_declares_what_they_compare() -> None:
    schema = user_schema(
        CustomAttribute('phones[type eq "work"].value', "string"),
        CustomAttribute('phones[type eq "home, label eq x" and primary eq true].value', "string"),
        CustomAttribute("phones", "string"),
        CustomAttribute("phones.rank", "integer"),
    )

    phones = schema.attribute("phones", CUSTOM_URN)

    assert phones is not None
    assert (phones.type, phones.multi_valued) == ("complex", True)
    assert {sub.name: sub.type for sub in phones.sub_attributes.values()} == {
        "value": "string",
        "type": "string",
        "primary": "boolean",
        "rank": "integer",
    }
