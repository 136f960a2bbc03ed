from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scim2_models import SCIMException

from scim.provisioning.document_reader import read_resource
from scim.provisioning.entra_normalization import (
    LEGACY_GROUP_URN,
    canonical_urn,
    normalize_operation,
    normalize_resource,
    normalize_roles,
)
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.builders import user_schema

PROFILE = settings(max_examples=200, deadline=None)
MISSPELT_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"
CUSTOM_URN = "urn:ietf:params:scim:schemas:extension:Acme:2.0:User"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
plain = st.none() | st.booleans() | st.integers(-5, 5) | texts
json_values = st.recursive(plain, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2))
described = st.fixed_dictionaries({}, optional={"id": plain, "value": plain | texts, "displayName": plain})
nested = described.map(lambda role: {"value": json.dumps(role)})
json_texts = st.one_of(described, nested, json_values).map(json.dumps)
roles = st.one_of(
    json_texts,
    json_values,
    st.fixed_dictionaries({"value": json_texts | plain}, optional={"display": texts, "primary": st.booleans()}),
)
urns = st.sampled_from([ENTERPRISE_URN, MISSPELT_URN, MISSPELT_URN.upper(), LEGACY_GROUP_URN, GROUP_URN, CUSTOM_URN])
managers = st.sampled_from(["", None, "usr_1", [{"value": "usr_1"}], {"value": "usr_1", "$ref": "../Users/usr_1"}])
resources = st.dictionaries(
    st.sampled_from(["roles", "Roles", f"{USER_URN}:roles", "userName", "members"]) | urns,
    st.one_of(json_values, st.lists(roles, max_size=2), roles),
    max_size=4,
)
operations = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["Add", "add", "REPLACE", 5]),
        "OP": st.just("Remove"),
        "path": st.sampled_from(["roles", "Roles", f"{USER_URN}:roles", "title", "", None, 5]),
        "value": st.one_of(st.lists(roles, max_size=2), resources, json_values),
        "Value": json_values,
    },
)
users = st.fixed_dictionaries(
    {"schemas": st.just([USER_URN]), "userName": st.just("anna")},
    optional={
        "active": st.sampled_from([True, "True", "false", None, ""]),
        "ACTIVE": st.just("FALSE"),
        "title": texts | st.none(),
        "name": st.fixed_dictionaries({}, optional={"GivenName": texts, "formatted": st.none()}),
        "name.familyName": texts,
        "emails": st.lists(st.fixed_dictionaries({"Value": texts}, optional={"primary": st.just("True")}), max_size=1),
        "roles": st.lists(roles, max_size=2),
        "manager": managers,
        "department": texts | st.none(),
        ENTERPRISE_URN: st.fixed_dictionaries({}, optional={"employeeNumber": texts, "nothing": json_values}),
        CUSTOM_URN: st.dictionaries(texts.filter(bool), json_values, max_size=2),
        "shoeSize": json_values,
        USER_URN: st.fixed_dictionaries({}, optional={"nickName": texts}),
    },
)


@PROFILE
@given(urn=urns | texts)
def test_a_canonical_urn_stands_for_itself(urn: str) -> None:
    assert canonical_urn(canonical_urn(urn)) == canonical_urn(urn)


@PROFILE
@given(value=roles | st.lists(roles, max_size=3))
@example({"value": '{"value":"{\\"value\\":\\"x\\"}"}'})
@example({"value": "{" * 5000})
@example({"value": '{"a":' * 5000})
def test_normalised_roles_are_normalised(value: Any) -> None:
    once = normalize_roles(value)

    assert normalize_roles(once) == once


@PROFILE
@given(payload=resources)
def test_a_normalised_resource_is_normalised(payload: dict[str, Any]) -> None:
    once = normalize_resource(payload)

    assert normalize_resource(once) == once


@PROFILE
@given(operation=operations)
def test_a_normalised_operation_is_normalised(operation: dict[str, Any]) -> None:
    once = normalize_operation(operation)

    assert normalize_operation(once) == once


@PROFILE
@given(payload=users)
def test_reading_what_was_read_changes_nothing(payload: dict[str, Any]) -> None:
    try:
        once = read_resource(payload, user_schema()).document
    except SCIMException as error:
        assert_refusal(error)
        return

    assert read_resource({"schemas": [USER_URN], **once}, user_schema()).document == once


def assert_refusal(error: SCIMException) -> None:
    assert error.status == 400


@PROFILE
@given(payload=st.dictionaries(st.sampled_from(["userName", "emails", "name", ENTERPRISE_URN]), json_values))
def test_what_is_no_form_of_entra_stays_as_it_is(payload: dict[str, Any]) -> None:
    assert normalize_resource(payload) == payload


@pytest.mark.parametrize(
    ("role", "normalised"),
    [
        ('{"id":"1","value":"Admin","displayName":"A"}', {"value": "Admin", "display": "A"}),
        ({"value": '{"id":"1","value":"Admin"}'}, {"value": "Admin"}),
        ({"value": '{"id":"1","value":null}', "primary": True}, {"value": "1", "primary": True}),
        ({"value": '{"id":"1"}', "display": "Given"}, {"value": "1", "display": "Given"}),
        ({"value": "{not json"}, {"value": "{not json"}),
        ({"value": '{"name":"x"}'}, {"value": '{"name":"x"}'}),
        ({"value": '{"value":5}'}, {"value": '{"value":5}'}),
        ({"value": "Admin", "display": "A"}, {"value": "Admin", "display": "A"}),
        ("Admin", "Admin"),
        (None, None),
    ],
)
def test_a_role_given_as_json_text_becomes_an_object(role: Any, normalised: Any) -> None:
    assert normalize_roles(role) == normalised
    assert normalize_roles([role, role]) == [normalised, normalised]


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (MISSPELT_URN, ENTERPRISE_URN),
        (MISSPELT_URN.upper(), ENTERPRISE_URN),
        (LEGACY_GROUP_URN, GROUP_URN),
        (ENTERPRISE_URN, ENTERPRISE_URN),
        (CUSTOM_URN, CUSTOM_URN),
        ("userName", "userName"),
    ],
)
def test_urns_that_entra_misspells_stand_for_ours(sent: str, canonical: str) -> None:
    assert canonical_urn(sent) == canonical


def test_an_extension_under_both_of_its_urns_is_one() -> None:
    payload = {ENTERPRISE_URN: {"department": "Sales"}, MISSPELT_URN: {"employeeNumber": "7"}}

    assert normalize_resource(payload) == {ENTERPRISE_URN: {"department": "Sales", "employeeNumber": "7"}}


@pytest.mark.parametrize(
    ("sent", "normalised"),
    [
        ({"Op": "Add", "Path": "title", "Value": "x"}, {"op": "add", "path": "title", "value": "x"}),
        (
            {"op": "REPLACE", "value": {"Roles": ['{"id":"1"}']}},
            {"op": "replace", "value": {"Roles": [{"value": "1"}]}},
        ),
        (
            {"op": "add", "path": "ROLES", "value": '{"id":"1"}'},
            {"op": "add", "path": "ROLES", "value": {"value": "1"}},
        ),
        (
            {"op": "add", "value": {MISSPELT_URN: {"department": "x"}}},
            {"op": "add", "value": {ENTERPRISE_URN: {"department": "x"}}},
        ),
    ],
)
def test_an_operation_takes_its_canonical_form(sent: dict[str, Any], normalised: dict[str, Any]) -> None:
    assert normalize_operation(sent) == normalised
