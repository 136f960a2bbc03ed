"""PATCH on JSON documents does what scim2-models' PatchOp does to models, except for what DIFFERENCES tells."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scim.resources.schema import USER_URN
from tests.property.documents import Document, users
from tests.property.patch_differences import DIFFERENCES, REFUSED, USER, Difference
from tests.property.patch_reference import (
    Outcome,
    as_reference_writes,
    our_members,
    our_outcome,
    reference_members,
    reference_outcome,
)
from tests.property.patches import MEMBER_IDS, member_operations, user_operations

PROFILE = settings(max_examples=200, deadline=None)


ADDRESSED = {
    "schemas": [USER_URN],
    "userName": "anna",
    "name": {"givenName": "Anna", "familyName": "Berg"},
    "emails": [{"value": "a", "type": "work", "primary": True}, {"value": "b"}, {"value": "c", "type": "home"}],
}


@PROFILE
@given(user=users, operations=st.lists(user_operations, min_size=1, max_size=3))
@example(ADDRESSED, [{"op": "replace", "path": 'emails[type ne "work"].primary', "value": True}])
@example(ADDRESSED, [{"op": "replace", "path": 'emails[value eq "b"].primary', "value": "True"}])
@example(ADDRESSED, [{"op": "replace", "path": "emails[value pr]", "value": {"value": "d", "primary": True}}])
@example(ADDRESSED, [{"op": "replace", "path": "emails.primary", "value": True}])
@example(ADDRESSED, [{"op": "add", "path": "emails", "value": [{"value": "C", "type": "HOME"}]}])
@example(ADDRESSED, [{"op": "remove", "path": "emails", "value": [{"value": "C", "type": "HOME"}]}])
@example(ADDRESSED, [{"op": "replace", "path": "name", "value": {"givenName": None}}])
@example(ADDRESSED, [{"op": "replace", "path": "name", "value": {}}])
@example(ADDRESSED, [{"op": "add", "value": {"name": {"givenName": None}, "title": None}}])
@example(ADDRESSED, [{"op": "replace", "path": 'name[givenName eq "Bert"]', "value": {"familyName": "x"}}])
@example(ADDRESSED, [{"op": "remove", "path": "roles[nothing eq 1].value"}])
@example(ADDRESSED, [{"op": "replace", "path": USER_URN, "value": {"title": "Guide", "name.givenName": "Bea"}}])
def test_a_patch_of_a_user_does_what_the_reference_does(user: Document, operations: list[Document]) -> None:
    ours = our_outcome(user, operations)

    assert as_reference_writes(ours) == reference_outcome(user, operations)


@PROFILE
@given(
    members=st.lists(st.sampled_from(MEMBER_IDS), unique=True),
    operations=st.lists(member_operations, min_size=1, max_size=4),
)
def test_a_patch_of_a_group_leaves_the_members_that_the_reference_leaves(
    members: list[str], operations: list[Document]
) -> None:
    assert our_members(members, operations) == reference_members(members, operations)


def changes(outcome: Outcome) -> Any:
    """Return the attributes that a PATCH of ``USER`` changed, None for those it removed."""
    if outcome is None:
        return REFUSED
    before = {name: value for name, value in USER.items() if name != "schemas"}
    after = outcome.attributes
    names = [name for name in before | after if before.get(name) != after.get(name)]
    return {name: after.get(name) for name in names}


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name.replace(" ", "_"))
def test_a_difference_from_the_reference_is_one_of_purpose(difference: Difference) -> None:
    ours, reference = our_outcome(USER, difference.operations), reference_outcome(USER, difference.operations)

    assert changes(ours) == difference.ours
    assert changes(reference) == difference.reference
    assert difference.ours != difference.reference, "they agree by now: let the property cover it"
