"""An attempt of a write comes late: when another was answered, or given up, and others have undone what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from scim.adapters.tables.relay import relay
from scim.resources.identifiers import begin_operation
from scim.resources.membership import Member, MembershipChange
from tests.faults import Call, Late, drop_before_commit, transactions
from tests.resilience.change import Change, WriteKind
from tests.resilience.history import Contents, stored_contents
from tests.resilience.scene import Scene
from tests.resilience.soundness import all_rows

_FURTHER_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Lateness:
    """The first attempt of the n-th transaction of a write comes late; the others are answered, or fail, too."""

    transaction: int
    is_given_up: bool = False

    def __str__(self) -> str:
        return f"transaction {self.transaction}{', given up' if self.is_given_up else ''}"

    def plan(self, scene: Scene) -> Late:
        """Let it happen in what is sent next."""
        late = Late()
        scene.transport.reset()
        scene.transport.when(_nth_transaction(self.transaction), late.fault())
        if self.is_given_up:
            scene.transport.when(_transactions_behind(late), drop_before_commit(), times=_FURTHER_ATTEMPTS)
        return late


def _nth_transaction(number: int) -> Callable[[Call], bool]:
    seen = 0

    def matches(call: Call) -> bool:
        nonlocal seen
        seen += transactions(call)
        return transactions(call) and seen == number

    return matches


def _transactions_behind(late: Late) -> Callable[[Call], bool]:
    return lambda call: bool(late.requests) and transactions(call)


async def come_late(scene: Scene, kind: WriteKind, change: Change, lateness: Lateness) -> None:
    """Let an attempt of one write come late, and assert that it changes nothing that was answered since."""
    scene.transport.reset()
    await change.arrange()
    before = await _contents(scene)
    late = lateness.plan(scene)
    answered = await change.send()
    scene.transport.reset()
    if lateness.is_given_up and answered.status == HTTPStatus.SERVICE_UNAVAILABLE:
        answered = await change.send()
        assert answered.status in (kind.success, kind.repeated or kind.success), answered
    else:
        assert answered.status == kind.success, answered
    await change.holds()
    await _undo(scene, before, await _contents(scene))
    await relay(scene.partition)
    await scene.settle()
    left = await _contents(scene)

    await late.arrive()

    now = await _contents(scene)
    assert now.users == left.users
    assert now.groups == left.groups
    assert _seen(now) == _seen(left)


def _seen(held: Contents) -> set[tuple[str, str]]:
    """Return the memberships that readers see: those of a group that never came to be are hidden until the sweep."""
    return {pair for pair in held.memberships if pair[0] in held.groups}


async def _contents(scene: Scene) -> Contents:
    return stored_contents(await all_rows(scene.partition))


async def _undo(scene: Scene, before: Contents, after: Contents) -> None:
    """Bring members back to what they were, and delete what was created."""
    for group_id in after.groups.keys() & before.groups.keys():
        was, is_now = ({pair[1] for pair in held.memberships if pair[0] == group_id} for held in (before, after))
        back = [each for each in was - is_now if each in after.users or each in after.groups]
        wanted = {each: Member(each) for each in back} | dict.fromkeys(is_now - was)
        if wanted:
            await scene.store.change_members(group_id, MembershipChange(wanted), begin_operation())
    for path in [
        *(f"/Groups/{each}" for each in after.groups.keys() - before.groups.keys()),
        *(f"/Users/{each}" for each in after.users.keys() - before.users.keys()),
    ]:
        assert (await scene.client.delete(path)).status == HTTPStatus.NO_CONTENT
