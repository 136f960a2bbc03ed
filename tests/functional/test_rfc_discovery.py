"""What an endpoint tells of itself (RFC 7644 §4), and that it is what it enforces (RFC 7643 §7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.directory_schemas import directory_schemas
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.service import EXTENSION_URN, LIST_URN, MAPPINGS, ScimClient, Service, user

RIGHT = {
    "string": "Some Text",
    "reference": "https://example.com/Some",
    "boolean": True,
    "integer": 7,
    "decimal": 1.5,
    "dateTime": "2026-01-31T08:00:00Z",
    "binary": "AAEC",
}
WRONG = {"string": 7, "reference": 7, "boolean": "perhaps", "binary": "%", "complex": 7}
DOCUMENTS = {document["id"]: document for document in directory_schemas(MAPPINGS).schema_documents}
ATTRIBUTES = [
    (urn, attribute) for urn, document in DOCUMENTS.items() for attribute in document["attributes"] if urn != GROUP_URN
]


def name_of(value: Any) -> str:
    return str(value["name"]) if isinstance(value, dict) else str(value).rpartition(":")[0][-8:]


def right_value(attribute: dict[str, Any]) -> Any:
    """Return a value that the announced characteristics allow."""
    if attribute["type"] == "complex":
        parts = [part for part in attribute["subAttributes"] if part["mutability"] != "readOnly"]
        value: Any = {part["name"]: right_value(part) for part in parts}
    else:
        value = RIGHT[attribute["type"]]
    return [value] if attribute["multiValued"] else value


def wrong_values(attribute: dict[str, Any]) -> Iterator[Any]:
    """Yield values that the announced characteristics forbid."""
    wrong = WRONG[attribute["type"]]
    yield [wrong] if attribute["multiValued"] else wrong
    if not attribute["multiValued"]:
        yield [right_value(attribute), right_value(attribute)]
    for part in attribute.get("subAttributes", ()):
        if part["mutability"] != "readOnly":
            entry = {part["name"]: WRONG[part["type"]]}
            yield [entry] if attribute["multiValued"] else entry


def body_with(urn: str, attribute: dict[str, Any], value: Any) -> dict[str, Any]:
    body = {"userName": "anna", attribute["name"]: value} if urn == USER_URN else {urn: {attribute["name"]: value}}
    return {"schemas": [USER_URN], "userName": "anna", **body}


def held(resource: dict[str, Any], urn: str, attribute: dict[str, Any]) -> Any:
    holder = resource if urn == USER_URN else resource.get(urn, {})
    return holder.get(attribute["name"])


def path_of(urn: str, attribute: dict[str, Any]) -> str:
    return attribute["name"] if urn == USER_URN else f"{urn}:{attribute['name']}"


@pytest.mark.parametrize(("urn", "attribute"), ATTRIBUTES, ids=name_of)
async def test_an_announced_attribute_is_accepted_and_returned_as_announced(
    scim: ScimClient, urn: str, attribute: dict[str, Any]
) -> None:
    value, path = right_value(attribute), path_of(urn, attribute)
    is_kept = attribute["mutability"] == "readWrite"

    created = await scim.post("/Users", body_with(urn, attribute, value))
    shown = held(created.json, urn, attribute)
    of_another = (await scim.new_user("another"))["id"]
    changed = await scim.patch(f"/Users/{of_another}", {"op": "add", "path": path, "value": value})

    assert (created.status, shown) == (201, value if is_kept else None)
    if attribute["mutability"] == "readOnly":
        assert (changed.status, changed.json["scimType"]) == (400, "mutability")
    elif attribute["uniqueness"] == "server":
        assert (changed.status, changed.json["scimType"]) == (409, "uniqueness")
    else:
        assert (changed.status, held(changed.json, urn, attribute)) == (200, value if is_kept else None)
    asked = (await scim.get(f"/Users/{of_another}", {"attributes": path})).json
    assert (held(asked, urn, attribute) is None) == (not is_kept)


@pytest.mark.parametrize(
    ("urn", "attribute", "value"),
    [
        pytest.param(urn, attribute, value, id=f"{attribute['name']}={json.dumps(value)}")
        for urn in (USER_URN, ENTERPRISE_URN)
        for attribute in DOCUMENTS[urn]["attributes"]
        if attribute["mutability"] == "readWrite"
        for value in wrong_values(attribute)
    ],
)
async def test_a_value_of_another_type_is_refused_naming_the_attribute(
    scim: ScimClient, urn: str, attribute: dict[str, Any], value: Any
) -> None:
    user_id = (await scim.new_user("bob"))["id"]

    refused = [
        await scim.post("/Users", body_with(urn, attribute, value)),
        await scim.put(f"/Users/{user_id}", body_with(urn, attribute, value)),
        await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": path_of(urn, attribute), "value": value}),
    ]

    for answer in refused:
        assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")
        assert attribute["name"] in answer.json["detail"]


@pytest.mark.parametrize(
    ("urn", "attribute"), [case for case in ATTRIBUTES if case[1]["type"] in ("string", "reference")], ids=name_of
)
async def test_letter_case_counts_as_announced(scim: ScimClient, urn: str, attribute: dict[str, Any]) -> None:
    created = await scim.new_user(**{"user_name": "x", **body_with(urn, attribute, right_value(attribute))})
    text = f'{path_of(urn, attribute)} eq "{right_value(attribute).swapcase()}"'

    found = await scim.find(text)

    is_found = not attribute["caseExact"] and attribute["returned"] != "never"
    assert found == ([created["id"]] if is_found else [])


async def test_required_attributes_are_those_without_which_a_creation_is_refused(scim: ScimClient) -> None:
    for document, endpoint in ((DOCUMENTS[USER_URN], "/Users"), (DOCUMENTS[GROUP_URN], "/Groups")):
        required = {attribute["name"]: "x" for attribute in document["attributes"] if attribute["required"]}
        for name in required:
            others = {other: value for other, value in required.items() if other != name}
            answer = await scim.post(endpoint, {"schemas": [document["id"]], **others})
            assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")
        assert (await scim.post(endpoint, {"schemas": [document["id"]], **required})).status == 201


async def test_a_manager_without_the_required_id_is_no_manager(scim: ScimClient) -> None:
    parts = [
        f"{attribute['name']}.{part['name']}"
        for document in DOCUMENTS.values()
        for attribute in document["attributes"]
        for part in attribute.get("subAttributes", ())
        if part["required"]
    ]
    nobody = [{"$ref": "https://x.example/Users/1"}, {"value": None}, {"value": "", "$ref": "x"}, {"displayName": "B"}]

    assert parts == ["manager.value"]
    for number, manager in enumerate(nobody):
        assert ENTERPRISE_URN not in await scim.new_user(f"user {number}", **{ENTERPRISE_URN: {"manager": manager}})


async def test_a_custom_attribute_keeps_a_value_of_another_type_which_no_filter_finds(service: Service) -> None:
    scim = await service.new_directory([AttributeMapping("level", f"{EXTENSION_URN}:level", "integer")])

    created = await scim.new_user("anna", **{EXTENSION_URN: {"level": "high"}})
    right = await scim.new_user("bob", **{EXTENSION_URN: {"level": "7"}})

    assert created[EXTENSION_URN] == {"level": "high"}
    assert right[EXTENSION_URN] == {"level": 7}
    assert await scim.find(f"{EXTENSION_URN}:level pr") == [right["id"]]
    assert await scim.find(f"{EXTENSION_URN}:level ge 7") == [right["id"]]


async def test_schemas_are_listed_and_read_one_by_one(scim: ScimClient) -> None:
    listed = await scim.get("/Schemas")

    assert (listed.status, listed.json["schemas"], listed.json["totalResults"]) == (200, [LIST_URN], 4)
    assert listed.ids == list(DOCUMENTS)
    assert "null" not in json.dumps(listed.json)
    for document in listed.resources:
        assert document["meta"] == {
            "resourceType": "Schema",
            "location": f"{scim.base_url}/Schemas/{document['id']}",
        }
        assert (await scim.get(f"/Schemas/{document['id']}")).json == document
        assert (await scim.get(f"/Schemas/{document['id'].upper()}")).json == document
    assert (await scim.get("/Schemas/urn:nothing")).status == 404


async def test_resource_types_name_their_schemas(scim: ScimClient) -> None:
    listed = await scim.get("/ResourceTypes")
    shown = {kind["id"]: kind for kind in listed.resources}

    assert listed.json["totalResults"] == 2
    assert [entry["schema"] for entry in shown["User"]["schemaExtensions"]] == [ENTERPRISE_URN, EXTENSION_URN]
    assert {(kind["endpoint"], kind["schema"]) for kind in shown.values()} == {
        ("/Users", USER_URN),
        ("/Groups", GROUP_URN),
    }
    assert (await scim.get("/ResourceTypes/User")).json == shown["User"]
    assert (await scim.get("/ResourceTypes/Device")).status == 404


async def test_discovery_cannot_be_filtered(scim: ScimClient) -> None:
    for path in ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig"):
        assert (await scim.get(path, {"filter": 'id eq "x"'})).status == 403


async def test_announced_capabilities_are_there(scim: ScimClient) -> None:
    announced = (await scim.get("/ServiceProviderConfig")).json

    assert {name for name, value in announced.items() if isinstance(value, dict) and value.get("supported")} == {
        "patch",
        "bulk",
        "filter",
        "sort",
        "etag",
    }
    assert announced["changePassword"] == {"supported": False}
    assert (announced["pagination"]["cursor"], announced["pagination"]["index"]) == (True, True)
    assert announced["authenticationSchemes"][0]["type"] == "oauthbearertoken"


async def test_each_directory_announces_its_own_mappings(service: Service, scim: ScimClient) -> None:
    other = await service.new_directory([AttributeMapping("level", f"{EXTENSION_URN}:level", "integer")])

    for client, name in ((scim, "tag"), (other, "level")):
        shown = (await client.get(f"/Schemas/{EXTENSION_URN}")).json
        assert [attribute["name"] for attribute in shown["attributes"]] == [name]
    assert (await other.post("/Users", user("anna", **{EXTENSION_URN: {"tag": "kept"}}))).json[EXTENSION_URN] == {
        "tag": "kept"
    }
