from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scim2_models import InvalidFilterException, ScimFilter, SearchRequest
from scim2_server.testing import SEARCH_FILTERS

from scim.resources.filter import compile_filter, parse_filter
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN, ResourceSchema
from tests.builders import group_schema, user_schema
from tests.property import documents as made
from tests.property.documents import groups, users
from tests.property.reference import BOTH_MODELS, POLICY, USER_MODEL, load


def operands(maker: made.Maker) -> st.SearchStrategy[Any]:
    return st.integers(0, 2**16).map(lambda seed: maker(Random(seed)))


words = st.sampled_from(made.WORDS)
texts = operands(made.text)
dates = operands(made.date)
octets = operands(made.octets)
urls = operands(made.url)
OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
TEXT = [
    "id",
    "externalId",
    "userName",
    "displayName",
    "title",
    "name.familyName",
    "emails",
    "emails.value",
    "emails.type",
]
TEXT += ["emails.display", "phoneNumbers", "roles", "addresses.locality", "groups", "groups.value", "meta.resourceType"]
TEXT += [
    f"{USER_URN}:userName",
    f"{USER_URN}:name.givenName",
    f"{ENTERPRISE_URN}:department",
    "meta.version",
    "members",
]
TEXT += [
    f"{ENTERPRISE_URN}:employeeNumber",
    f"{ENTERPRISE_URN}:manager.value",
    "members.type",
    f"{GROUP_URN}:members.value",
]
COMPLEX = ["name", "addresses", "meta"]
UNKNOWN = [
    "nothing",
    "name.nothing",
    "userName.value",
    "schemas.value",
    "urn:x:y:2.0:User:userName",
    f"{ENTERPRISE_URN}:id",
]


def literal(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return values.map(json.dumps)


def comparisons(paths: Sequence[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(paths), OPERATORS, literal(values)).map(" ".join)


def presences(paths: Sequence[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(paths).map(lambda path: f"{path} pr")


def combined(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        joined = st.tuples(inner, st.sampled_from(["and", "or", "AND"]), inner).map(" ".join)
        return joined | inner.map(lambda text: f"not ({text})") | inner.map(lambda text: f"({text})")

    return st.recursive(leaves, grow, max_leaves=4)


ANYTHING = st.one_of(texts, texts, texts, texts, st.none(), st.sampled_from([5, 2.5, True]))
BOOLEANS = st.booleans() | st.sampled_from(["True", "false", "TRUE", "maybe"]) | st.none()
IN_BRACKETS = combined(
    comparisons(["value", "type", "display", "TYPE"], texts | st.none())
    | comparisons(["primary"], BOOLEANS)
    | presences(["value", "type", "primary"])
)
SELECTED = ["emails", "phoneNumbers", "roles", "EMAILS", "groups", "members"]
SELECTIONS = st.builds("{}[{}]".format, st.sampled_from(SELECTED), IN_BRACKETS)
REFUSED = st.one_of(
    comparisons(UNKNOWN, texts),
    presences(UNKNOWN),
    st.builds("{}[{}]".format, st.sampled_from(["name", "title", "emails"]), presences(["value", "nothing"])),
)
SCHEMAS = st.sampled_from([USER_URN, GROUP_URN, ENTERPRISE_URN, "enterprise"])
LEAVES = st.one_of(
    comparisons(TEXT, ANYTHING),
    comparisons(TEXT, words),
    comparisons(TEXT, words),
    comparisons(COMPLEX, ANYTHING),
    comparisons(["active", "emails.primary"], BOOLEANS),
    comparisons(["meta.created", "meta.lastModified", "META.Created"], dates | st.none()),
    comparisons(["x509Certificates", "x509Certificates.value"], octets | st.none()),
    comparisons(["profileUrl", "groups.$ref"], urls | st.none()),
    comparisons(["schemas"], SCHEMAS | st.none()),
    presences([*TEXT, *COMPLEX, "active", "emails.primary", "schemas", "meta.created", "x509Certificates"]),
    SELECTIONS,
    REFUSED,
    st.builds("{} eq {}".format, SELECTIONS.map(lambda text: f"{text}.value"), literal(texts)),
    comparisons(["value"], SCHEMAS | st.none()).map("schemas[{}]".format),
)
FILTERS = combined(LEAVES)


def reference_answers(text: str, documents: Sequence[dict[str, Any]], models: Any) -> list[bool] | None:
    """Return what scim2-models keeps, or None when it refuses the filter."""
    with POLICY:
        try:
            scim_filter = SearchRequest[models].model_validate({"filter": text}).filter
        except ValidationError:
            return None
        assert scim_filter is not None
        return [scim_filter.match(load(document)) for document in documents]


def our_answers(
    text: str, documents: Sequence[dict[str, Any]], schemas: dict[str, ResourceSchema]
) -> list[bool] | None:
    try:
        compiled = compile_filter(parse_filter(text), list(schemas.values()))
    except InvalidFilterException:
        return None
    return [compiled.matches(schemas[document["meta"]["resourceType"]], document) for document in documents]


@settings(max_examples=600, deadline=None)
@given(text=FILTERS, documents=st.lists(users, min_size=1, max_size=3))
@example('not (emails.type eq "work") and title ne null', [])
def test_a_filter_keeps_the_users_that_the_reference_keeps(text: str, documents: list[dict[str, Any]]) -> None:
    ours = our_answers(text, documents, {"User": user_schema()})

    assert ours == reference_answers(text, documents, USER_MODEL)


@settings(max_examples=300, deadline=None)
@given(text=FILTERS, documents=st.lists(users | groups, min_size=1, max_size=3))
def test_a_filter_over_users_and_groups_keeps_what_the_reference_keeps(
    text: str, documents: list[dict[str, Any]]
) -> None:
    ours = our_answers(text, documents, {"User": user_schema(), "Group": group_schema()})

    assert ours == reference_answers(text, documents, BOTH_MODELS)


TOKENS = [
    "(",
    ")",
    "[",
    "]",
    "not",
    "and",
    "or",
    "pr",
    "eq",
    "co",
    "userName",
    "emails",
    "emails.type",
    '"a"',
    "'a'",
    "1",
]
TOKENS += ["null", "true", ".value", '"', "\\", "é", "urn:x:y:z", ":", "1e999", "-", "\0", "$ref"]


@settings(max_examples=1500, deadline=None)
@given(text=st.text(max_size=20) | st.lists(st.sampled_from(TOKENS), max_size=10).map(" ".join))
def test_any_text_is_read_as_the_reference_reads_it_or_refused(text: str) -> None:
    try:
        expected = ScimFilter(text).ast
    except InvalidFilterException:
        with pytest.raises(InvalidFilterException, match=r"^The filter "):
            parse_filter(text)
    else:
        assert parse_filter(text) == expected


@pytest.mark.parametrize("text", SEARCH_FILTERS)
def test_the_filters_of_the_storage_contract_keep_the_same_users(text: str) -> None:
    documents = [made.make_user(seed) for seed in range(50)]

    ours = our_answers(text, documents, {"User": user_schema()})

    assert ours is not None
    assert ours == reference_answers(text, documents, USER_MODEL)
