from __future__ import annotations

import re
import sys
import uuid
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from scim.adapters.tables import keys
from scim.adapters.tables.document_rows import joined_text, split_text
from scim.adapters.tables.table import MAX_TEXT_UNITS
from scim.resources.comparison_key import comparison_hash, comparison_key
from scim.resources.identifiers import begin_operation, new_resource_id, resource_name_of, uuid7_hex

PROFILE = settings(max_examples=150, deadline=None)
SAFE_KEY = re.compile(r"[0-9a-z_|!}]+")
"""Azure forbids / \\ # ? and control characters in keys; ours are far from them."""
HASH = re.compile(r"[0-9a-f]{40}")
HOSTILE = ["/", "\\", "#", "?", "\x00", "\x7f", "\x9f", "|", "}", "'", "%", "\ud800", "usr_1|x", "ﬁ", "ß", "İ", "😀"]
TWINS = [
    ("Straße", "STRASSE"),
    ("ﬁn", "FIN"),
    ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
    ("é", "e\u0301"),
    ("\u212b", "å"),
    ("İ", "i\u0307"),
]
any_text = st.text(st.characters(), max_size=20) | st.sampled_from(HOSTILE)
user_id = st.builds(new_resource_id, st.just("User"))
emails = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["work", "WORK", "home"])}, optional={"value": any_text | st.integers()}
    ),
    max_size=4,
)
bodies = st.fixed_dictionaries(
    {"userName": any_text}, optional={"externalId": any_text | st.none(), "emails": emails, "displayName": any_text}
)


@PROFILE
@given(text=any_text, resource_id=user_id, body=bodies)
def test_no_text_of_a_caller_is_part_of_a_key(text: str, resource_id: str, body: dict[str, Any]) -> None:
    made = [keys.user_name(text), keys.group_name(text), *keys.work_email_range(text)]
    made += [*keys.external_id_range("User", text), *keys.external_id_range("Group", text)]
    made += keys.lookups("User", resource_id, body)

    for key in made:
        assert SAFE_KEY.fullmatch(key)
        hashed, _, rest = key.removeprefix(key[:2]).rstrip("}").partition("|")
        assert HASH.fullmatch(hashed)
        assert rest in ("", resource_id)


@PROFILE
@given(first=any_text, second=any_text)
@example(*TWINS[0])
@example(*TWINS[1])
@example(*TWINS[2])
@example(*TWINS[3])
@example(*TWINS[4])
@example(*TWINS[5])
def test_lookup_keys_are_equal_exactly_when_texts_compare_equal(first: str, second: str) -> None:
    same = comparison_key(first) == comparison_key(second)
    same_exactly = comparison_key(first, case_exact=True) == comparison_key(second, case_exact=True)

    assert (keys.user_name(first) == keys.user_name(second)) == same
    assert (keys.group_name(first) == keys.group_name(second)) == same
    assert (keys.work_email_range(first) == keys.work_email_range(second)) == same
    assert (keys.external_id_range("User", first) == keys.external_id_range("User", second)) == same_exactly


def test_texts_that_differ_in_case_and_composition_only_compare_equal() -> None:
    assert all(comparison_key(first) == comparison_key(second) for first, second in TWINS)


def test_comparison_keys_of_all_code_points_are_comparison_keys() -> None:
    characters = map(chr, range(sys.maxunicode + 1))

    changing = [hex(ord(character)) for character in characters if not is_settled(character)]

    assert changing == []


@PROFILE
@given(text=st.text(st.characters(min_codepoint=0x80), max_size=8))
def test_comparison_keys_are_comparison_keys(text: str) -> None:
    assert is_settled(text)


def is_settled(text: str) -> bool:
    folded, composed = comparison_key(text), comparison_key(text, case_exact=True)
    return comparison_key(folded) == folded and comparison_key(composed, case_exact=True) == composed


@PROFILE
@given(first=any_text, second=any_text)
def test_ranges_of_different_texts_do_not_overlap(first: str, second: str) -> None:
    begin, end = keys.work_email_range(first)
    inside = keys.work_email_range(second)[0] + "usr_ffffffffffffffffffffffffffffffff"

    assert (begin <= inside < end) == (comparison_hash(first) == comparison_hash(second))


@PROFILE
@given(resource_id=user_id, other=user_id)
def test_the_range_of_a_resource_holds_its_rows_and_no_others(resource_id: str, other: str) -> None:
    group_id = other.replace("usr_", "grp_")
    first, end = keys.anchor_range(resource_id)
    member_first, member_end = keys.member_range(group_id)

    assert first <= keys.anchor(resource_id) < keys.membership_of(resource_id, group_id) < end
    assert (first <= keys.membership_of(other, group_id) < end) == (resource_id == other)
    assert member_first <= keys.membership(group_id, resource_id) < member_end
    assert keys.group_range(group_id)[0] <= keys.group_version(group_id) < keys.group_range(group_id)[1]
    assert keys.last_id(keys.membership(group_id, resource_id)) == resource_id


@PROFILE
@given(
    head=st.integers(-3, 3),
    tail=st.integers(0, 4),
    middle=st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
@example(head=-1, middle="😀", tail=0)
@example(head=0, middle="😀", tail=MAX_TEXT_UNITS - 2)
@example(head=-2, middle="😀😀", tail=MAX_TEXT_UNITS)
def test_a_split_text_is_joined_as_it_was_whatever_stands_at_the_border(head: int, middle: str, tail: int) -> None:
    text = "x" * (MAX_TEXT_UNITS + head) + middle + "é" * tail

    pieces = split_text(text)

    assert joined_text(pieces) == text
    assert list(pieces) == [f"d{index}" for index in range(len(pieces))]
    for piece in pieces.values():
        assert 0 < len(str(piece).encode("utf-16-le")) <= 2 * MAX_TEXT_UNITS


@PROFILE
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_a_short_text_is_one_piece(text: str) -> None:
    assert split_text(text) == {"d0": text}
    assert joined_text(split_text(text)) == text


@PROFILE
@given(times=st.lists(st.integers(0, 2**47), min_size=2, max_size=6))
def test_ids_sort_as_their_times_do(times: list[int]) -> None:
    made = [(time, uuid7_hex(time * 1_000_000)) for time in times]

    for time, identifier in made:
        assert uuid.UUID(identifier).version == 7
        assert uuid.UUID(identifier).variant == uuid.RFC_4122
        assert all(other < identifier for earlier, other in made if earlier < time)


@PROFILE
@given(milliseconds=st.integers(0, 2**47), steps=st.integers(1, 20))
def test_operations_of_a_resource_sort_in_their_order_whatever_the_clocks_say(milliseconds: int, steps: int) -> None:
    version = uuid7_hex(milliseconds * 1_000_000)
    for _ in range(steps):
        following = begin_operation(after=version)
        assert following.id > version
        assert re.fullmatch(r"[0-9a-f]{32}", following.id)
        version = following.id


@PROFILE
@given(text=any_text)
def test_only_ids_made_by_the_service_count_as_ids(text: str) -> None:
    assert resource_name_of(text) is None
    assert resource_name_of(f"usr_{text}") is None or SAFE_KEY.fullmatch(text.lower())
    assert resource_name_of(new_resource_id("User")) == "User"
    assert resource_name_of(new_resource_id("Group")) == "Group"


@PROFILE
@given(milliseconds=st.integers(0, 2**47))
def test_operations_behind_the_same_version_have_different_ids_whatever_clocks_say(milliseconds: int) -> None:
    version = uuid7_hex(milliseconds * 1_000_000)

    following = {begin_operation(after=version).id for _ in range(20)}

    assert len(following) == 20
    assert min(following) > version
    assert {uuid.UUID(each).version for each in following} == {7}
