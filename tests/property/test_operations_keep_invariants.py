"""Whatever is done to a directory, and wherever storage fails meanwhile: the check of its rows finds nothing wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scim.adapters.tables import deletions, large_groups, memberships, resource_store, unfinished
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.index_writes import BLOCK_SIZE
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import StorageUnavailableError
from scim.adapters.tables.unfinished import finish_operations
from scim.resources.errors import LostRaceError, ResourceMissingError, UnknownMembersError, ValueTakenError
from scim.resources.identifiers import ResourceName, begin_operation, resource_name_of
from scim.resources.membership import Member, MembershipChange
from scim.resources.stored_document import StoredDocument
from tests.directories import FilledDirectory
from tests.fakes.memory_table import MemoryTable, Request
from tests.resilience.history import stored_contents, told_contents
from tests.resilience.soundness import all_rows, events_of

REFUSALS = (ValueTakenError, UnknownMembersError, LostRaceError, ResourceMissingError, StorageUnavailableError)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation; numbers choose among the resources there are."""

    action: Literal[
        "create_user",
        "replace_user",
        "delete_user",
        "create_group",
        "replace_group",
        "change_members",
        "delete_group",
        "relay",
        "finish",
    ]
    which: int
    name: str
    email: str
    active: bool
    members: Sequence[int]
    removed: Sequence[int]
    replace_all: bool


few = st.lists(st.integers(0, 11), max_size=8, unique=True)
steps = st.lists(
    st.builds(
        Step,
        action=st.sampled_from(
            ["create_user"] * 4
            + ["create_group"] * 3
            + ["replace_user", "delete_user", "replace_group", "change_members", "change_members", "delete_group"]
            + ["relay", "finish"]
        ),
        which=st.integers(0, 11),
        name=st.sampled_from("abcdefgh"),
        email=st.sampled_from("xyz"),
        active=st.booleans(),
        members=few,
        removed=few,
        replace_all=st.booleans(),
    ),
    max_size=40,
)


@dataclass(slots=True)
class Runner:
    """Does steps on a directory; what the service refuses, or storage fails at, is left at that."""

    directory: FilledDirectory

    async def run(self, todo: Sequence[Step]) -> None:
        for step in todo:
            try:
                await getattr(self, step.action)(step)
            except REFUSALS:
                continue

    async def create_user(self, step: Step) -> None:
        await self.directory.user(step.name, **self._attributes(step))

    async def replace_user(self, step: Step) -> None:
        user = await self._chosen("User", step)
        after = user.document() | self._attributes(step) | {"userName": step.name}
        await self.directory.store.replace_user(user, after, begin_operation(after=user.version))

    async def delete_user(self, step: Step) -> None:
        await self.directory.store.delete_user(await self._chosen("User", step))

    async def create_group(self, step: Step) -> None:
        await self.directory.group(step.name, *self._ids(step.members), externalId=step.email)

    async def replace_group(self, step: Step) -> None:
        group = await self._chosen("Group", step)
        after = group.document() | {"displayName": step.name, "externalId": step.email}
        operation = begin_operation(after=group.version)
        await self.directory.store.replace_group(group, after, self._change(step), operation, guarded=step.active)

    async def change_members(self, step: Step) -> None:
        group = await self._chosen("Group", step)
        await self.directory.store.change_members(group.id, self._change(step), begin_operation())

    async def delete_group(self, step: Step) -> None:
        await self.directory.store.delete_group(await self._chosen("Group", step), guarded=step.active)

    async def relay(self, _: Step) -> None:
        await relay(self.directory.partition)
        await derive(self.directory.partition)

    async def finish(self, _: Step) -> None:
        await finish_operations(self.directory.partition)

    async def _chosen(self, name: ResourceName, step: Step) -> StoredDocument:
        ids = [each for each in self._existing() if resource_name_of(each) == name]
        if not ids:
            raise ResourceMissingError("")
        stored = await self.directory.store.read(name, ids[step.which % len(ids)])
        if stored is None:
            raise ResourceMissingError("")
        return stored

    def _existing(self) -> list[str]:
        anchors = [key.split("|") for key in self.directory.keys("r|")]
        return [parts[1] for parts in anchors if len(parts) == 2]

    def _ids(self, numbers: Sequence[int]) -> list[str]:
        ids = self._existing()
        return list(dict.fromkeys(ids[number % len(ids)] for number in numbers)) if ids else []

    def _change(self, step: Step) -> MembershipChange:
        members: dict[str, Member | None] = dict.fromkeys(self._ids(step.removed))
        members |= {member_id: Member(member_id) for member_id in self._ids(step.members)}
        return MembershipChange(members, step.replace_all)

    @staticmethod
    def _attributes(step: Step) -> dict[str, Any]:
        emails = [{"type": "work", "value": step.email}, {"type": "WORK", "value": step.email.upper()}]
        return {"active": step.active, "externalId": step.email, "emails": emails}


@pytest.fixture(autouse=True)
def _small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide into several transactions what has more than a few members, so that small examples show it."""
    for module in (memberships, resource_store):
        monkeypatch.setattr(module, "MEMBERS_PER_TRANSACTION", 2)
    monkeypatch.setattr(random, "uniform", lambda low, _: low / 100)  # Pauses between attempts need not be waited for.
    monkeypatch.setattr(large_groups, "_EVENTS_PER_ROW", 2)
    monkeypatch.setattr(deletions, "GROUPS_PER_DELETION", 1)
    monkeypatch.setattr(deletions, "_GROUPS_PER_STEP", 2)
    monkeypatch.setattr(unfinished, "_MEMBERSHIPS_PER_STEP", 2)
    monkeypatch.setitem(BLOCK_SIZE, "User", 3)
    monkeypatch.setitem(BLOCK_SIZE, "Group", 2)


class BusyTable(MemoryTable):
    """A table whose requests let the others under way go first, by turns of chance."""

    __slots__ = ("turns",)
    turns: Random

    async def read(self, *arguments: Any, **options: Any) -> Any:
        await self._wait()
        return await super().read(*arguments, **options)

    async def query(self, *arguments: Any, **options: Any) -> Any:
        await self._wait()
        return await super().query(*arguments, **options)

    async def commit(self, *arguments: Any, **options: Any) -> Any:
        await self._wait()
        return await super().commit(*arguments, **options)

    async def _wait(self) -> None:
        for _ in range(self.turns.randrange(4)):
            await asyncio.sleep(0)


def failing(chosen: Sequence[int]) -> Iterator[StorageUnavailableError | None]:
    numbers = set(chosen)
    return iter(StorageUnavailableError("down") if number in numbers else None for number in range(10**9))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.sets(st.integers(0, 150), max_size=6), st.booleans())
def test_operations_and_failures_leave_a_clean_directory(
    monkeypatch: pytest.MonkeyPatch, todo: list[Step], failures: set[int], lost: bool
) -> None:
    answers = failing(list(failures))

    def fault(request: Request) -> Exception | None:
        return next(answers) if request.operation == "commit" else None

    async def run() -> None:
        table = MemoryTable(page_size=3, empty_pages=1)
        directory = FilledDirectory(table)
        table.before, table.after = (None, fault) if lost else (fault, None)
        await Runner(directory).run(todo)
        table.before = table.after = None
        assert await check_directory(directory.partition) == []

        with monkeypatch.context() as patient:
            for kind in unfinished.PATIENCE:
                patient.setitem(unfinished.PATIENCE, kind, 0)
            await finish_operations(directory.partition)
            await relay(directory.partition)
            await derive(directory.partition)
        assert await check_directory(directory.partition) == []
        assert directory.keys("e!t|") == directory.keys("e|") == []

    asyncio.run(run())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.integers(0, 1 << 32))
def test_a_check_while_writes_go_on_finds_nothing_wrong(todo: list[Step], seed: int) -> None:
    async def run() -> None:
        table = BusyTable(page_size=5)
        table.turns = Random(seed)
        directory = FilledDirectory(table)
        writing = [asyncio.create_task(Runner(directory).run(todo[first::4])) for first in range(4)]
        while not all(task.done() for task in writing):
            violations = await check_directory(directory.partition)
            assert [violation for violation in violations if not violation.is_warning] == []
        assert await check_directory(directory.partition) == []

    asyncio.run(run())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, steps, st.integers(0, 1 << 32))
def test_a_repair_while_writes_go_on_breaks_nothing(first: list[Step], then: list[Step], seed: int) -> None:
    async def run() -> None:
        table = BusyTable(page_size=5)
        table.turns = turns = Random(seed)
        directory = FilledDirectory(table)
        await Runner(directory).run(first)
        # Without the row that keeps a name unique, another writer may rightly take the name.
        damaged = [key for key in directory.rows() if key[:2] in ("x|", "w|", "y|", "m|", "r|", "e!")]
        if damaged:
            await directory.drop(*turns.sample(damaged, min(3, len(damaged))))
        writing = asyncio.create_task(Runner(directory).run(then))
        await repair_directory(directory.partition)
        await writing
        assert (await repair_directory(directory.partition)).left == []
        assert await check_directory(directory.partition) == []

    asyncio.run(run())


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_a_sweep_whose_clock_is_far_ahead_leaves_a_new_group_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    monkeypatch.setitem(unfinished.PATIENCE, large_groups.STAGING, 0)

    async def run(seed: int) -> bool:
        table = BusyTable()
        table.turns = turns = Random(seed)
        directory = FilledDirectory(table)
        users = [(await directory.user(name)).id for name in "abcdefgh"]
        creating = asyncio.create_task(directory.group("team", *users))
        for _ in range(turns.randrange(40)):
            await asyncio.sleep(0)
        await finish_operations(directory.partition)
        with suppress(LostRaceError):
            await creating
        await finish_operations(directory.partition)
        await relay(directory.partition)
        await derive(directory.partition)
        assert await check_directory(directory.partition) == []
        rows = await all_rows(directory.partition)
        held = stored_contents(rows)
        assert held.memberships == {(group_id, user_id) for group_id in held.groups for user_id in users}
        assert told_contents(events_of(rows)) == held
        return bool(held.groups)

    async def run_all() -> list[bool]:
        return [await run(seed) for seed in range(first, first + 50)]

    assert set(asyncio.run(run_all())) == {True, False}
