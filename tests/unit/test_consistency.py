"""What the check of a directory finds wrong for every kind of row, and what the repair mends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.deletions import CLEARING, LEAVING
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.mapped_attributes import value_hash
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Int64
from scim.events.feed import FeedCursor
from scim.resources.identifiers import new_resource_id
from tests.directories import FilledDirectory
from tests.fakes.memory_table import MemoryTable

NOBODY, NO_GROUP = f"usr_{'0' * 32}", f"grp_{'0' * 32}"
LONG_AGO = "2024-01-01T00:00:00.000Z"
OPERATION = "0" * 32


@dataclass(slots=True)
class Sample:
    """A directory with a row of every kind: relayed, waiting for the relay, and of a group being cleared."""

    directory: FilledDirectory
    anna: str
    ben: str
    carl: str
    team: str
    nested: str
    gone: str


async def sample() -> Sample:
    directory = FilledDirectory(MemoryTable(page_size=7, empty_pages=1))
    work = [{"type": "work", "value": "anna@example.com"}, {"type": "home", "value": "anna@example.net"}]
    anna = (await directory.user("Anna@example.com", title="Boss", externalId="a-1", emails=work)).id
    ben = (await directory.user("ben@example.com", active=False)).id
    nested = (await directory.group("Nested", ben)).id
    team = (await directory.group("Team", anna, nested, externalId="g-1")).id
    gone = await directory.group("Gone", anna, ben)
    await relay(directory.partition)
    await directory.store.delete_group(gone, guarded=False)
    carl = (await directory.user("carl@example.com")).id
    await directory.add(team, carl)
    return Sample(directory, anna, ben, carl, team, nested, gone.id)


Damage = Callable[[Sample], Awaitable[list[tuple[str, str]]]]
"""Does the damage and returns kind and row of what the check must find, in the order of the report."""
MENDED: dict[str, Damage] = {}
REPORTED: dict[str, Damage] = {}


def mended(damage: Damage) -> Damage:
    MENDED[damage.__name__] = damage
    return damage


def reported(damage: Damage) -> Damage:
    REPORTED[damage.__name__] = damage
    return damage


def found(violations: list[Violation]) -> list[tuple[str, str]]:
    return [(violation.kind, violation.key) for violation in violations]


# -- Rows that belong to a document -------------------------------------


@mended
async def a_user_name_lookup_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.user_name("anna@example.com"))
    return [("missing_lookup", key)]


@mended
async def a_group_name_lookup_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.group_name("team"))
    return [("missing_lookup", key)]


@mended
async def all_other_lookups_are_gone(at: Sample) -> list[tuple[str, str]]:
    lookups = [key for prefix in ("l|", "w|", "x|", "y|", "z|") for key in at.directory.keys(prefix)]
    await at.directory.drop(*lookups)
    return [("missing_lookup", key) for key in lookups]


@mended
async def a_user_name_lookup_names_another_user(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.user_name("anna@example.com"), id=at.ben)
    return [("foreign_lookup", key)]


@mended
async def a_user_name_lookup_names_nobody(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.user_name("anna@example.com"), id="nobody=")
    return [("foreign_lookup", key)]


@mended
async def a_work_email_lookup_names_another_user(at: Sample) -> list[tuple[str, str]]:
    (key,) = at.directory.keys("w|")
    await at.directory.change(key, id=at.ben)
    return [("foreign_lookup", key)]


@mended
async def lookups_lead_to_values_that_documents_have_not(at: Sample) -> list[tuple[str, str]]:
    added = [
        (keys.group_name("other"), at.team),
        (keys.user_name("other"), at.anna),
        (f"{keys.work_email_range('other')[0]}{at.anna}", at.anna),
        (f"{keys.external_id_range('User', 'other')[0]}{at.anna}", at.anna),
        (f"{keys.external_id_range('Group', 'other')[0]}{at.team}", at.team),
        (f"{keys.matching_range(value_hash('title', 'other'))[0]}{at.anna}", at.anna),
    ]
    for key, resource_id in added:
        await at.directory.put(key, id=resource_id)
    return [("foreign_lookup", key) for key, _ in added]


@mended
async def a_lookup_leads_to_a_user_that_does_not_exist(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(key := keys.user_name("other"), id=NOBODY)
    return [("foreign_lookup", key)]


@mended
async def a_document_was_changed_without_its_lookups(at: Sample) -> list[tuple[str, str]]:
    await at.directory.edit(at.anna, userName="anna.new")
    old, new = keys.user_name("anna@example.com"), keys.user_name("anna.new")
    return [("foreign_lookup", old), ("missing_lookup", new)]


@mended
async def an_anchor_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.anchor(at.anna))
    return [("missing_anchor", key)]


@mended
async def an_anchor_has_no_document(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(key := keys.anchor(NOBODY))
    return [("orphaned_anchor", key)]


@mended
async def a_version_row_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.group_version(at.team))
    return [("missing_version", key)]


@mended
async def a_version_row_has_no_group(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(key := keys.group_version(NO_GROUP), version="v", modified=LONG_AGO)
    return [("orphaned_version", key)]


@mended
async def a_row_says_of_active_what_its_document_does_not(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.document(at.anna), active=False)
    return [("wrong_active", key)]


@mended
async def a_row_says_of_a_name_what_its_document_does_not(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.document(at.anna), email="other@example.com")
    return [("wrong_summary", key)]


@mended
async def a_user_document_is_gone(at: Sample) -> list[tuple[str, str]]:
    others = [key for prefix in ("w|", "x|", "z|") for key in at.directory.keys(prefix)]
    lookups = [*at.directory.keys("l|"), keys.user_name("anna@example.com"), *others]
    await at.directory.drop(keys.document(at.anna))
    return [
        *(("dangling_membership", keys.membership(group, at.anna)) for group in sorted([at.team, at.gone])),
        *(("foreign_lookup", key) for key in lookups),
        ("orphaned_anchor", keys.anchor(at.anna)),
        ("wrong_count", keys.HEAD),
        ("wrong_page_map", keys.page_map("User", "")),
    ]


@mended
async def a_group_document_is_gone(at: Sample) -> list[tuple[str, str]]:
    lookups = [keys.group_name("team"), *at.directory.keys("y|")]
    members = sorted([at.anna, at.carl, at.nested])
    await at.directory.drop(keys.document(at.team))
    return [
        *(("dangling_membership", keys.membership(at.team, member)) for member in members),
        *(("foreign_lookup", key) for key in lookups),
        ("orphaned_anchor", keys.anchor(at.team)),
        ("orphaned_version", keys.group_version(at.team)),
        ("wrong_count", keys.HEAD),
        ("wrong_page_map", keys.page_map("Group", "")),
    ]


@reported
async def a_document_is_no_json(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.document(at.anna), d0="{")
    return [("unreadable_document", key)]


@reported
async def a_document_lacks_its_unique_attribute(at: Sample) -> list[tuple[str, str]]:
    await at.directory.edit(at.team, displayName="")
    return [("unreadable_document", keys.document(at.team))]


@reported
async def two_users_have_one_user_name(at: Sample) -> list[tuple[str, str]]:
    await at.directory.edit(at.carl, userName="ANNA@example.com")
    await at.directory.drop(keys.user_name("carl@example.com"))
    return [("duplicate_value", keys.user_name("anna@example.com"))]


# -- Memberships --------------------------------------------------------


@mended
async def a_member_does_not_say_that_it_is_one(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.membership_of(at.anna, at.team))
    return [("half_membership", key)]


@mended
async def a_group_does_not_list_a_member(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.membership(at.team, at.nested))
    return [("half_membership", key)]


@mended
async def a_membership_of_a_group_that_does_not_exist(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(key := keys.membership(NO_GROUP, at.anna))
    await at.directory.put(keys.membership_of(at.anna, NO_GROUP))
    return [("dangling_membership", key)]


@mended
async def a_membership_of_a_user_that_does_not_exist(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(key := keys.membership(at.team, NOBODY))
    await at.directory.put(keys.membership_of(NOBODY, at.team))
    return [("dangling_membership", key)]


@mended
async def one_side_of_a_membership_between_nothing_and_nothing(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(keys.membership_of(NOBODY, NO_GROUP))
    return [("dangling_membership", keys.membership(NO_GROUP, NOBODY))]


@mended
async def one_side_of_a_membership_of_a_group_being_cleared(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.membership_of(at.anna, at.gone))
    return [("half_membership", key)]


# -- Counts, page map, feed ---------------------------------------------


@mended
async def the_head_counts_wrongly(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(keys.HEAD, users=7, active=0)
    return [("wrong_count", keys.HEAD)]


@mended
async def a_block_counts_wrongly(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.page_map("User", ""), count=7)
    return [("wrong_page_map", key)]


@mended
async def the_page_map_is_gone(at: Sample) -> list[tuple[str, str]]:
    blocks = [keys.page_map("Group", ""), keys.page_map("User", "")]
    await at.directory.drop(*blocks)
    return [("wrong_page_map", key) for key in blocks]


@mended
async def the_first_block_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(first := keys.page_map("User", ""))
    await at.directory.put(key := keys.page_map("User", at.anna), count=2)
    assert key
    return [("wrong_page_map", first)]


@mended
async def a_block_is_foreign(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(key := keys.page_map("User", at.ben), count=0)
    first = keys.page_map("User", "")
    return [("wrong_page_map", first), ("wrong_page_map", key)]


@mended
async def a_block_holds_no_number(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.page_map("User", ""), count="many")
    return [("unreadable_index", key)]


@mended
async def the_head_holds_no_numbers(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(keys.HEAD, number="many")
    return [("unreadable_index", keys.HEAD)]


@mended
async def the_head_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(keys.HEAD)
    return [("feed_beyond_head", keys.HEAD), ("wrong_count", keys.HEAD), ("wrong_page_map", keys.HEAD)]


@mended
async def the_head_does_not_know_the_last_group(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(keys.HEAD, last_group="")
    return [("wrong_page_map", keys.HEAD)]


@mended
async def the_head_is_behind_the_feed(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(keys.HEAD, number=Int64(3))
    return [("feed_beyond_head", keys.HEAD)]


@mended
async def an_outbox_row_is_gone(at: Sample) -> list[tuple[str, str]]:
    created = next(key for key, row in at.directory.rows().items() if row.values.get("created") == at.carl)
    await at.directory.drop(created)
    return [("wrong_count", keys.HEAD), ("wrong_page_map", keys.HEAD), ("wrong_page_map", keys.page_map("User", ""))]


@mended
async def an_outbox_row_counts_what_is_not_there(at: Sample) -> list[tuple[str, str]]:
    foreign = new_resource_id("User")
    await at.directory.put(keys.outbox(OPERATION), d0="[]", time=LONG_AGO, users=1, created=foreign)
    return [("wrong_count", keys.HEAD), ("wrong_page_map", keys.page_map("User", ""))]


@reported
async def an_outbox_row_holds_no_events(at: Sample) -> list[tuple[str, str]]:
    key = at.directory.keys("e|")[0]
    await at.directory.change(key, d0="{")
    return [("unreadable_events", key)]


@reported
async def an_outbox_row_holds_no_numbers(at: Sample) -> list[tuple[str, str]]:
    key = at.directory.keys("e|")[0]
    await at.directory.change(key, users="many")
    return [("unreadable_index", key)]


@reported
async def a_feed_row_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(key := keys.feed(3))
    return [("feed_gap", key)]


@reported
async def an_operation_stands_in_the_feed_twice(at: Sample) -> list[tuple[str, str]]:
    rows = at.directory.rows()
    await at.directory.change(key := keys.feed(4), operation=rows[keys.feed(2)].values["operation"])
    return [("told_twice", key)]


@reported
async def the_last_feed_rows_are_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(keys.feed(4), keys.feed(5))
    return [("feed_gap", keys.feed(4))]


@reported
async def a_feed_row_holds_no_events(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.feed(3), d0="{")
    return [("unreadable_events", key)]


# -- Operations under way, other rows -----------------------------------


@mended
async def the_mark_of_a_group_being_cleared_is_gone(at: Sample) -> list[tuple[str, str]]:
    await at.directory.drop(keys.unfinished(at.gone))
    return [("dangling_membership", keys.membership(at.gone, member)) for member in sorted([at.anna, at.ben])]


@mended
async def a_group_that_exists_is_marked_as_being_cleared(at: Sample) -> list[tuple[str, str]]:
    await at.directory.put(key := keys.unfinished(at.team), kind=CLEARING, time=LONG_AGO)
    return [("unfinished_of_existing_group", key)]


@mended
async def an_operation_was_left_long_ago(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(cleared := keys.unfinished(at.gone), time=LONG_AGO)
    await at.directory.put(leaving := keys.unfinished(NOBODY), kind=LEAVING, time=LONG_AGO)
    return [("late_operation", cleared), ("late_operation", leaving)]


@reported
async def an_operation_is_of_an_unknown_kind(at: Sample) -> list[tuple[str, str]]:
    await at.directory.change(key := keys.unfinished(at.gone), kind="other")
    return [("unknown_row", key)]


@reported
async def rows_are_of_no_known_kind(at: Sample) -> list[tuple[str, str]]:
    unknown = ["a", "e!x|", "f|1", "g|x", "m|x", f"n|{NOBODY}", f"u|{at.team}", "z|1"]
    for key in unknown:
        await at.directory.put(key)
    return [("unknown_row", key) for key in unknown]


# -- Tests --------------------------------------------------------------


async def test_a_directory_filled_by_the_service_is_clean() -> None:
    at = await sample()
    assert await check_directory(at.directory.partition) == []


@pytest.mark.parametrize("name", MENDED)
async def test_damage_is_found_and_mended(name: str) -> None:
    at = await sample()
    expected = await MENDED[name](at)

    assert found(await check_directory(at.directory.partition)) == expected

    repair = await repair_directory(at.directory.partition)
    assert found(repair.mended) == expected
    assert repair.left == []
    assert await check_directory(at.directory.partition) == []


@pytest.mark.parametrize("name", REPORTED)
async def test_damage_that_has_no_one_right_state_is_reported_and_left(name: str) -> None:
    at = await sample()
    expected = await REPORTED[name](at)

    assert found(await check_directory(at.directory.partition)) == expected

    before = {key: row.values for key, row in at.directory.rows().items() if key in dict(expected).values()}
    repair = await repair_directory(at.directory.partition)
    assert repair.mended == []
    assert [kind for kind, _ in found(repair.left)] == [kind for kind, _ in expected]
    after = at.directory.rows()
    assert all(key not in after or after[key].values == values for key, values in before.items())


async def test_events_that_waited_long_for_the_relay_are_a_warning_and_relayed() -> None:
    directory = FilledDirectory(MemoryTable(_opened=datetime.now(UTC) - timedelta(minutes=16)))
    await directory.user("anna")

    (violation,) = await check_directory(directory.partition)
    assert (violation.kind, violation.is_warning) == ("late_outbox", True)

    assert (await repair_directory(directory.partition)).left == []
    assert directory.keys("e|") == []


async def test_events_deleted_by_the_retention_are_no_gap() -> None:
    at = await sample()
    await derive(at.directory.partition)
    await at.directory.drop(keys.feed(1), keys.feed(2))
    assert await check_directory(at.directory.partition) == []


async def test_a_member_that_was_never_there_leaves_the_group_with_an_event_and_a_new_version() -> None:
    at = await sample()
    before = await at.directory.store.read("Group", at.team)
    await a_membership_of_a_user_that_does_not_exist(at)

    await repair_directory(at.directory.partition)

    after = await at.directory.store.read("Group", at.team)
    assert before
    assert after
    assert before.version < after.version
    events = (await read_feed(at.directory.partition, FeedCursor(), 100)).events
    removed = [event["data"] for _, event in events if event["type"] == "group.user_removed"]
    assert removed == [{"group_id": at.team, "user_id": NOBODY}]


async def test_a_group_wrongly_marked_as_being_cleared_keeps_its_members() -> None:
    at = await sample()
    await a_group_that_exists_is_marked_as_being_cleared(at)

    await repair_directory(at.directory.partition)

    members = await at.directory.store.members(at.team, limit=10)
    assert {member.id for member in members} == {at.anna, at.carl, at.nested}
