"""A transaction without answer is applied once, whenever its lost attempt arrives and whatever the relay does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.failures import AttemptFailedError
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.retrying_table import RetryingTable
from scim.adapters.tables.table import RowExistsError, TransactionRefusedError, Write, delete, insert
from scim.resources.identifiers import Operation, begin_operation
from tests.fakes.memory_table import MemoryTable
from tests.fakes.slow_table import SlowTable

Step = Callable[[], Awaitable[object]]


async def no_pause(_seconds: float) -> None:
    """Try again at once."""


@dataclass(frozen=True, slots=True)
class Line(SlowTable):
    """The way to a table, on which attempts at transactions meet what a test plans for each, in order."""

    plans: list[Callable[[str, Sequence[Write]], Awaitable[list[str]]]] = field(default_factory=list)

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        return await (self.plans.pop(0) if self.plans else self.table.commit)(partition, writes)


@dataclass(slots=True)
class Lost:
    """A change whose first attempt is not answered."""

    table: MemoryTable = field(default_factory=MemoryTable)
    line: Line = field(init=False)
    operation: Operation = field(default_factory=begin_operation)
    sent: Sequence[Write] = ()

    def __post_init__(self) -> None:
        self.line = Line(self.table)
        self.line.plans.append(self.vanish)

    @property
    def partition(self) -> Partition:
        """The rows as the service writes them."""
        return Partition(RetryingTable(self.line, no_pause), "dir_1", "org_1")

    @property
    def others(self) -> Partition:
        """The rows as others write them."""
        return Partition(self.table, "dir_1", "org_1")

    async def change(self) -> list[str]:
        """Add a row and tell of it."""
        return await self.partition.commit(
            [insert("m|1", {}), outbox_insert(self.partition, self.operation, [], Tally())]
        )

    async def arrive(self) -> None:
        """Let the first attempt be applied."""
        await self.others.commit(self.sent)

    async def undo_and_relay(self) -> None:
        """Let others undo the change, and the relay move it."""
        await self.others.commit([delete("m|1")])
        await relay(self.others)

    async def relay_another(self) -> None:
        """Let another change happen and be relayed."""
        await self.others.commit([outbox_insert(self.others, begin_operation(), [], Tally())])
        await relay(self.others)

    async def vanish(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Do not answer."""
        self.sent = writes
        raise AttemptFailedError("lost", may_be_applied=True)

    def behind(self, *steps: Step) -> None:
        """Plan that something happens right before the next attempt reaches storage."""

        async def plan(partition: str, writes: Sequence[Write]) -> list[str]:
            for step in steps:
                await step()
            return await self.table.commit(partition, writes)

        self.line.plans.append(plan)

    def told(self) -> list[str]:
        """Return the operations that the feed or the outbox tells."""
        rows = self.table.rows("dir_1")
        feed = [str(row.values["operation"]) for key, row in rows.items() if key.startswith(keys.FEED_FIRST)]
        return feed + [keys.last_id(key) for key in rows if key.startswith(keys.OUTBOX_FIRST)]


@pytest.fixture
def lost() -> Lost:
    return Lost()


async def test_what_was_not_applied_is_applied_by_the_next_attempt(lost: Lost) -> None:
    etags = await lost.change()

    assert len(etags) == 2
    assert all(etags)
    assert lost.told() == [lost.operation.id]
    assert "m|1" in lost.table.rows("dir_1")


@pytest.mark.parametrize("has_head", [True, False])
async def test_an_attempt_that_arrives_beside_the_next_one_is_recognised(lost: Lost, has_head: bool) -> None:
    if has_head:
        await lost.relay_another()
    lost.behind(lost.arrive)

    assert await lost.change() == ["", ""]
    assert lost.told()[-1:] == [lost.operation.id]


@pytest.mark.parametrize("has_head", [True, False])
async def test_an_attempt_that_arrives_and_is_undone_and_relayed_beside_the_next_one_is_not_repeated(
    lost: Lost, has_head: bool
) -> None:
    if has_head:
        await lost.relay_another()
    lost.behind(lost.arrive, lost.undo_and_relay)

    assert await lost.change() == ["", ""]
    assert lost.told()[-1:] == [lost.operation.id]
    assert "m|1" not in lost.table.rows("dir_1")


async def test_a_relay_at_work_beside_the_next_attempt_only_makes_it_look_again(lost: Lost) -> None:
    lost.behind(lost.relay_another)

    assert all(await lost.change())
    assert lost.told()[-1:] == [lost.operation.id]


async def test_a_change_that_another_made_impossible_is_refused(lost: Lost) -> None:
    async def others() -> None:
        await lost.others.commit([insert("m|1", {})])

    lost.behind(others)

    with pytest.raises(RowExistsError) as refused:
        await lost.change()
    assert refused.value.index == 0
    assert lost.told() == []


async def test_a_transaction_that_records_nothing_is_refused_as_uncertain(lost: Lost) -> None:
    lost.behind(lost.arrive)

    with pytest.raises(TransactionRefusedError) as refused:
        await lost.partition.commit([insert("t|1", {})])
    assert refused.value.uncertain
