from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scim2_models import InvalidPathException, SearchRequest

from scim.resources.document_values import Document
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN, ResourceSchema
from scim.resources.sorting import Position, SortKey, read_sort_key
from tests.builders import group_schema, user_schema
from tests.property.documents import groups, users
from tests.property.reference import BOTH_MODELS, POLICY, load

SCHEMAS = {"User": user_schema(), "Group": group_schema()}
SORTS = ["id", "externalId", "userName", "USERNAME", "displayName", "title", "active", "profileUrl", "name.familyName"]
SORTS += [
    "emails",
    "emails.value",
    "emails.type",
    "emails.primary",
    "phoneNumbers",
    "addresses.locality",
    "roles.display",
]
SORTS += ["meta.created", "meta.lastModified", "groups", "groups.$ref", "members", "members.type"]
SORTS += [f"{ENTERPRISE_URN}:department", f"{ENTERPRISE_URN}:manager.value", f"{USER_URN}:userName"]
REFUSED = [
    "name",
    "addresses",
    "meta",
    "password",
    "x509Certificates",
    "x509Certificates.value",
    "nothing",
    "a..b",
    "[",
]
REFUSED += [f"{ENTERPRISE_URN}:manager", "name.nothing", 'emails[type eq "a"]', "userName.value", GROUP_URN, "urn:x"]

documents = st.lists(users | groups, max_size=6)
directions = st.sampled_from(["ascending", "descending"])


def our_order(
    sort_by: str, sort_order: str, found: list[dict[str, Any]]
) -> tuple[SortKey, list[tuple[ResourceSchema, Document]]]:
    key = read_sort_key(sort_by, sort_order, list(SCHEMAS.values()))
    return key, key.sort((SCHEMAS[document["meta"]["resourceType"]], document) for document in found)


@settings(max_examples=500, deadline=None)
@given(sort_by=st.sampled_from(SORTS), sort_order=directions, found=documents)
def test_documents_are_ordered_by_the_values_of_the_reference(
    sort_by: str, sort_order: str, found: list[dict[str, Any]]
) -> None:
    key, ordered = our_order(sort_by, sort_order, found)

    with POLICY:
        request = SearchRequest[BOTH_MODELS].model_validate({"sortBy": sort_by, "sortOrder": sort_order})
        expected = [request.sort_value(model) for model in request.sort([load(document) for document in found])]
        assert [key.sort_value(*resource) for resource in ordered] == expected


@settings(max_examples=200, deadline=None)
@given(sort_by=st.sampled_from([*SORTS, *REFUSED]))
def test_the_attributes_refused_are_those_the_reference_refuses(sort_by: str) -> None:
    try:
        read_sort_key(sort_by, None, list(SCHEMAS.values()))
    except InvalidPathException:
        refused = True
    else:
        refused = False

    assert refused == (sort_by in REFUSED) == _reference_refuses(sort_by)


def _reference_refuses(sort_by: str) -> bool:
    try:
        SearchRequest[BOTH_MODELS].model_validate({"sortBy": sort_by})
    except ValidationError:
        return True
    return False


@settings(max_examples=300, deadline=None)
@given(sort_by=st.sampled_from(SORTS), sort_order=directions, found=documents)
def test_positions_survive_a_cursor_and_order_as_their_documents(
    sort_by: str, sort_order: str, found: list[dict[str, Any]]
) -> None:
    key, ordered = our_order(sort_by, sort_order, found)
    positions = [Position.decoded(key.position(*resource).encoded()) for resource in ordered]

    assert positions == [key.position(*resource) for resource in ordered]
    assert not any(key.precedes(later, earlier) for earlier, later in pairwise(positions))
