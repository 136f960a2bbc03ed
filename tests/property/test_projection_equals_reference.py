from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from scim2_models import Context, ResponseParameters

from scim.resources.projection import read_projection
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.builders import group_schema, user_schema
from tests.property.documents import groups, users
from tests.property.reference import BOTH_MODELS, load

SCHEMAS = {"User": user_schema(), "Group": group_schema()}
NAMES = [
    "id",
    "schemas",
    "externalId",
    "userName",
    "name",
    "name.givenName",
    "name.familyName",
    "displayName",
    "active",
]
NAMES += [
    "emails",
    "emails.value",
    "emails.type",
    "emails.primary",
    "addresses.locality",
    "x509Certificates",
    "roles.value",
]
NAMES += [
    "groups",
    "groups.value",
    "groups.$ref",
    "members",
    "members.value",
    "members.display",
    "password",
    "profileUrl",
]
NAMES += ["meta", "meta.created", "meta.location", "department", "manager", "manager.value", "User", "enterprise"]
NAMES += [f"{ENTERPRISE_URN}:{name}" for name in ("department", "manager", "manager.value", "manager.$ref", "nothing")]
NAMES += [
    f"{USER_URN}:{name}" for name in ("userName", "name", "name.givenName", "emails.value", "groups", "id", "meta")
]
NAMES += [
    USER_URN,
    GROUP_URN,
    ENTERPRISE_URN,
    f"{GROUP_URN}:members",
    f"{GROUP_URN}:displayName",
    "urn:ietf:params:scim",
]
NAMES += [
    "nothing",
    "name.nothing",
    "emails.nothing",
    "userName.value",
    "id.value",
    "urn:x:y:nothing",
]
CASES = st.sampled_from([str, str, str.lower, str.upper])
QUERIES = st.lists(st.builds(lambda case, name: case(name), CASES, st.sampled_from(NAMES)), max_size=6)


def reference_answer(document: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    asked = ResponseParameters[BOTH_MODELS].model_validate(parameters)
    answer: dict[str, Any] = load(document).model_dump(
        scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked
    )
    return answer


def our_answer(document: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    projection = read_projection(
        parameters.get("attributes"), parameters.get("excludedAttributes"), list(SCHEMAS.values())
    )
    answer = projection.apply(SCHEMAS[document["meta"]["resourceType"]], document)
    assert projection.needs_members or "members" not in answer
    assert projection.needs_groups or "groups" not in answer
    assert not projection.only_id or answer.keys() == {"id", "schemas"}
    return answer


@settings(max_examples=1500, deadline=None)
@given(
    document=users | groups,
    parameter=st.sampled_from(["attributes", "excludedAttributes"]),
    names=QUERIES,
)
@example({"schemas": [USER_URN], "id": "1", "meta": {"resourceType": "User"}}, "attributes", [""])
def test_an_answer_shows_what_the_reference_shows(document: dict[str, Any], parameter: str, names: list[str]) -> None:
    parameters = {parameter: ", ".join(names)}

    assert our_answer(document, parameters) == reference_answer(document, parameters)
