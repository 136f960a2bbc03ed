"""Members change in one transaction without the group being read, or together with its document: the same comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scim.adapters.tables import keys
from scim.adapters.tables.failures import AttemptFailedError
from scim.adapters.tables.memberships import MEMBERS_PER_TRANSACTION
from scim.adapters.tables.outbox import read_events
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.resource_store import TableResourceStore
from scim.adapters.tables.retrying_table import RetryingTable
from scim.adapters.tables.table import Row
from scim.resources.errors import UnknownMembersError
from scim.resources.identifiers import begin_operation
from scim.resources.membership import Member, MembershipChange
from scim.resources.schema import GROUP_URN, USER_URN
from tests.fakes.memory_table import MemoryTable, Request

PROFILE = settings(max_examples=100, deadline=None)
GROUP_ID, NOBODY = f"grp_{0:032x}", f"usr_{0:032x}"
POOL = [f"grp_{number:032x}" for number in (1, 2)] + [f"usr_{number:032x}" for number in range(1, 71)]
DIRECTORY, ORGANIZATION = "dir_1", "org_1"

some_members = st.one_of(
    st.sets(st.sampled_from(POOL), max_size=4),
    st.sets(st.sampled_from(POOL), min_size=20, max_size=len(POOL)),
    st.integers(0, len(POOL)).map(lambda number: set(POOL[:number])),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change as a request asks for it; who is both added and removed is added."""

    added: frozenset[str]
    removed: frozenset[str] = field(default_factory=frozenset)
    replace_all: bool = False

    def change(self) -> MembershipChange:
        removed: dict[str, Member | None] = dict.fromkeys(sorted(self.removed))
        return MembershipChange({**removed, **{name: Member(name) for name in sorted(self.added)}}, self.replace_all)

    def applied_to(self, members: set[str]) -> set[str]:
        return (set() if self.replace_all else members - self.removed) | self.added


wanted = st.builds(
    Wanted, some_members.map(frozenset), some_members.map(frozenset), st.sampled_from([False, False, False, True])
)


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory in memory with one group that changes, and every resource of the pool."""

    table: MemoryTable
    store: TableResourceStore

    def rows(self) -> dict[str, Row]:
        return self.table.rows(DIRECTORY)

    async def version(self) -> str:
        group = await self.store.read("Group", GROUP_ID)
        assert group is not None
        return group.version

    async def change_quickly(self, change: MembershipChange) -> tuple[str, bool]:
        """Change members alone, as a PATCH of nothing else does."""
        return await self.store.change_members(GROUP_ID, change, begin_operation())

    async def change_with_document(self, change: MembershipChange, name: str) -> tuple[str, bool]:
        """Change members together with the group's own attributes, as PUT does, or a PATCH of both."""
        before = await self.store.read("Group", GROUP_ID)
        assert before is not None
        after = before.document() | {"externalId": name}
        operation = begin_operation(after=before.version)
        return await self.store.replace_group(before, after, change, operation, guarded=False)


def opened(table: MemoryTable) -> Directory:
    return Directory(table, TableResourceStore(Partition(table, DIRECTORY, ORGANIZATION), lambda _: None))


@pytest.fixture(scope="module")
async def template() -> MemoryTable:
    """A table with the group, without members, and every resource of the pool."""
    table = MemoryTable()
    store = opened(table).store
    for resource_id in [GROUP_ID, *POOL]:
        if resource_id.startswith("usr_"):
            user: dict[str, Any] = {"schemas": [USER_URN], "id": resource_id, "userName": resource_id}
            await store.create_user(user, begin_operation())
        else:
            group: dict[str, Any] = {"schemas": [GROUP_URN], "id": resource_id, "displayName": resource_id}
            await store.create_group(group, [], begin_operation())
    return table


def copied(template: MemoryTable) -> Directory:
    return opened(MemoryTable(_partitions={name: dict(rows) for name, rows in template._partitions.items()}))


def members_by_group(rows: dict[str, Row]) -> set[str]:
    return {keys.last_id(key) for key in rows if key.startswith(f"m|{GROUP_ID}|")}


def members_by_member(rows: dict[str, Row]) -> set[str]:
    own = [key.split("|") for key in rows if key.startswith("r|") and key.count("|") == 2]
    return {member for _, member, group in own if group == GROUP_ID}


def events(before: dict[str, Row], after: dict[str, Row]) -> Counter[tuple[str, str]]:
    """Return which members came and went, according to the outbox rows that are new."""
    new = [row for key, row in after.items() if key.startswith("e|") and key not in before]
    listed = [event for row in new for event in read_events(row) if event["type"] != "group.updated"]
    named = [(event["type"].rpartition("_")[2], event["data"]) for event in listed]
    return Counter((verb, data.get("user_id") or data["member_group_id"]) for verb, data in named)


def assert_consistent(rows: dict[str, Row], members: set[str]) -> None:
    assert members_by_group(rows) == members
    assert members_by_member(rows) == members
    assert {keys.last_id(key) for key in rows if key.startswith("r|") and key.count("|") == 1} == {GROUP_ID, *POOL}


def undisturbed(rows: dict[str, Row]) -> dict[str, str]:
    """Return the states of the rows that no change of members may touch."""
    own = (keys.document(GROUP_ID), keys.group_version(GROUP_ID))
    return {key: row.etag for key, row in rows.items() if key[:2] in ("u|", "g|", "n|", "d|") and key not in own}


def contents(rows: dict[str, Row]) -> dict[str, object]:
    """Return all rows, but of the anchors of resources, which may be touched at any time, only what they hold."""
    return {key: row.values if key.startswith("r|") and key.count("|") == 1 else row for key, row in rows.items()}


def transactions_for(changed: int, *, added: bool) -> int:
    """Return one for each thirty; where that is more than one, all new members are proved to exist before, by one."""
    needed = -(-changed // MEMBERS_PER_TRANSACTION)
    return needed + (1 if added and needed > 1 else 0)


@PROFILE
@given(first=some_members, changes=st.lists(wanted, min_size=1, max_size=3))
@example(set(POOL), [Wanted(frozenset(), replace_all=True)])
@example(set(POOL[:31]), [Wanted(frozenset(POOL), frozenset(POOL))])
@example(set(), [Wanted(frozenset(POOL[:30])), Wanted(frozenset(POOL[:30])), Wanted(frozenset(), frozenset(POOL[:30]))])
async def test_all_ways_of_changing_members_lead_to_the_same_members(
    template: MemoryTable, first: set[str], changes: list[Wanted]
) -> None:
    quick, standard = copied(template), copied(template)
    for directory in (quick, standard):
        await directory.change_quickly(Wanted(frozenset(first)).change())
    members = set(first)
    for number, change in enumerate(changes):
        await assert_quick_change(quick, change, members)
        await assert_standard_change(standard, change, members, f"state {number}")
        members = change.applied_to(members)
        assert [member.id for member in await quick.store.members(GROUP_ID, limit=100)] == sorted(members)


async def assert_quick_change(directory: Directory, change: Wanted, members: set[str]) -> None:
    before, version = directory.rows(), await directory.version()
    after_members = change.applied_to(members)

    answered, changed = await directory.change_quickly(change.change())

    after = directory.rows()
    assert_consistent(after, after_members)
    assert events(before, after) == differences(members, after_members)
    assert changed == (members != after_members)
    assert answered == await directory.version()
    assert (answered != version) == changed
    assert undisturbed(before) == undisturbed(after)
    if not changed:
        assert contents(before) == contents(after)


async def assert_standard_change(directory: Directory, change: Wanted, members: set[str], name: str) -> None:
    before, version = directory.rows(), await directory.version()
    after_members = change.applied_to(members)

    answered, changed = await directory.change_with_document(change.change(), name)

    after = directory.rows()
    assert_consistent(after, after_members)
    assert events(before, after) == differences(members, after_members)
    assert changed
    assert version < answered == await directory.version()
    assert undisturbed(before) == undisturbed(after)
    group = await directory.store.read("Group", GROUP_ID)
    assert group is not None
    assert group.document()["externalId"] == name


def differences(before: set[str], after: set[str]) -> Counter[tuple[str, str]]:
    return Counter([("added", name) for name in after - before] + [("removed", name) for name in before - after])


@PROFILE
@given(first=some_members, change=wanted)
async def test_a_change_that_names_an_unknown_member_changes_nothing(
    template: MemoryTable, first: set[str], change: Wanted
) -> None:
    directory = copied(template)
    await directory.change_quickly(Wanted(frozenset(first)).change())
    before = directory.rows()
    refused = Wanted(change.added | {NOBODY}, change.removed, change.replace_all).change()

    with pytest.raises(UnknownMembersError) as alone:
        await directory.change_quickly(refused)
    with pytest.raises(UnknownMembersError) as together:
        await directory.change_with_document(refused, "changed")

    assert NOBODY in alone.value.member_ids
    assert NOBODY in together.value.member_ids
    assert directory.rows() == before


@PROFILE
@given(members=some_members.filter(bool))
async def test_a_group_created_with_members_has_the_rows_of_one_filled_later(
    template: MemoryTable, members: set[str]
) -> None:
    created, filled = copied(template), copied(template)
    document = {"schemas": [GROUP_URN], "id": f"grp_{3:032x}", "displayName": "New"}

    await created.store.create_group(document, [Member(name) for name in sorted(members)], begin_operation())
    await filled.store.create_group(document, [], begin_operation())
    await filled.store.change_members(str(document["id"]), Wanted(frozenset(members)).change(), begin_operation())

    assert membership_keys(created.rows()) == membership_keys(filled.rows())
    assert [key for key in created.rows() if key.startswith("e!t|")] == []


def membership_keys(rows: dict[str, Row]) -> Sequence[str]:
    return [key for key in rows if key.startswith(("m|", "r|"))]


@PROFILE
@given(members=some_members, added=st.booleans())
async def test_members_that_all_come_or_all_go_cost_one_request_for_each_thirty_and_one_to_prove_them(
    template: MemoryTable, members: set[str], *, added: bool
) -> None:
    directory = copied(template)
    if not added:
        await directory.change_quickly(Wanted(frozenset(members)).change())
    directory.table.requests.clear()
    asked = Wanted(frozenset(members)) if added else Wanted(frozenset(), frozenset(members))

    await directory.change_quickly(asked.change())

    expected = transactions_for(len(members), added=added)
    assert directory.table.count("commit") == expected
    if members:
        assert len(directory.table.requests) == expected


@pytest.mark.parametrize("number", range(1, 5))
async def test_a_lost_answer_between_the_parts_of_a_large_change_loses_and_repeats_nothing(
    template: MemoryTable, number: int
) -> None:
    directory = copied(template)
    before, answers = directory.rows(), count(1)

    def lose_one(request: Request) -> AttemptFailedError | None:
        is_lost = request.operation == "commit" and next(answers) == number
        return AttemptFailedError("lost", may_be_applied=True) if is_lost else None

    directory.table.after = lose_one
    repeating = TableResourceStore(
        Partition(RetryingTable(directory.table, no_pause), DIRECTORY, ORGANIZATION), no_relay
    )
    version, _ = await repeating.change_members(GROUP_ID, Wanted(frozenset(POOL)).change(), begin_operation())

    assert_consistent(directory.rows(), set(POOL))
    assert events(before, directory.rows()) == differences(set(), set(POOL))
    assert version == await directory.version()


async def no_pause(_: float) -> None:
    return


def no_relay(_: str) -> None:
    return
