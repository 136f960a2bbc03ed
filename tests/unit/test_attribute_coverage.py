"""Which attributes documents have: counted by path, shown masked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.attribute_coverage import MAX_PATHS, Coverage, covered, leaf_paths, masked, type_of
from scim.resources.mapping_coverage import mapping_coverage

HOUR = "2026-01-31T08:00:00Z"
documents = st.dictionaries(
    st.sampled_from(["title", "name", "emails", "urn:example:2.0:User", "nickName"]),
    st.one_of(
        st.sampled_from(["", "a", "b"]),
        st.dictionaries(st.sampled_from(["a", "b", "type"]), st.integers(0, 2), max_size=3),
        st.lists(
            st.fixed_dictionaries({"type": st.sampled_from(["work", "home"]), "value": st.sampled_from(["c", "d"])}),
            max_size=3,
        ),
    ),
)


def counts(coverage: Coverage) -> dict[str, int]:
    return {path: known.count for path, known in coverage.items()}


def test_paths_are_those_that_mappings_name() -> None:
    document = {
        "schemas": ["s"],
        "id": "usr_1",
        "active": True,
        "title": "Boss",
        "name": {"givenName": "Anna"},
        "emails": [
            {"type": "work", "value": "a", "primary": True},
            {"type": "work", "value": "b"},
            {"value": "c", "display": "d"},
        ],
        "tags": ["x", "y"],
        "urn:example:2.0:User": {"level": 3, "seat": {"floor": 4}},
    }

    assert dict(leaf_paths(document)) == {
        "title": "Boss",
        "name.givenName": "Anna",
        'emails[type eq "work"].value': "a",
        "emails.value": "c",
        "tags": "x",
        "urn:example:2.0:User:level": 3,
        "urn:example:2.0:User:seat.floor": 4,
    }


@pytest.mark.parametrize(
    ("value", "sample", "kind"),
    [
        ("Engineering", "En.........", "string"),
        ("A1", "A0", "string"),
        ("7", "0", "string"),
        ("", "", "string"),
        (12345, "00...", "integer"),
        (1.5, "0..", "decimal"),
        (True, "true or false", "boolean"),
        ({"a": 1}, "", "complex"),
        ("\n" + "x" * 100, "?x..........", "string"),
        ("٤٢", "00", "string"),
    ],
)
def test_a_sample_shows_two_characters_and_no_digit(value: Any, sample: str, kind: str) -> None:
    assert (masked(value), type_of(value)) == (sample, kind)


def test_a_path_is_gone_with_its_last_resource_and_no_more_than_200_are_kept() -> None:
    many = {f"a{number}": "x" for number in range(MAX_PATHS + 50)}
    coverage = covered({}, {}, many, HOUR)
    assert len(coverage) == MAX_PATHS

    coverage = covered(coverage, {}, {"a1": "y"}, HOUR)
    assert counts(coverage)["a1"] == 2
    coverage = covered(coverage, many, {}, HOUR)
    assert counts(coverage) == {"a1": 1}


@given(st.lists(st.tuples(st.integers(0, 3), documents), max_size=8))
def test_what_is_counted_change_by_change_is_what_there_is(changes: list[tuple[int, dict[str, Any]]]) -> None:
    there: dict[int, dict[str, Any]] = {}
    coverage: Coverage = {}
    for who, after in changes:
        coverage = covered(coverage, there.get(who, {}), after, HOUR)
        there[who] = after

    counted: Coverage = {}
    for document in there.values():
        counted = covered(counted, {}, document, HOUR)
    assert counts(coverage) == counts(counted)


@pytest.mark.parametrize(
    ("path", "resources"),
    [
        ("TITLE", 1),
        ("urn:ietf:params:scim:schemas:core:2.0:User:title", 1),
        ('emails[type eq "Work"].value', 1),
        ('emails[type eq "home"].value', 0),
        ('emails[value eq "a"].display', None),
        ("nickName", 0),
    ],
)
def test_a_mapping_is_counted_by_its_path_in_any_case(path: str, resources: int | None) -> None:
    coverage = covered({}, {}, {"userName": "a", "title": "b", "emails": [{"type": "work", "value": "c"}]}, HOUR)

    found = mapping_coverage(AttributeMapping("custom", path), coverage)

    assert (found and found.resources) == resources
