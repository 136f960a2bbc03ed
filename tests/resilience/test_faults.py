"""Storage fails at any call of any write: the answer is success or 503, and the directory is as if nothing had been."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from scim.adapters.tables import large_groups
from scim.adapters.tables.transport import AiohttpTransport
from scim.local_host.azurite import Azurite
from tests.resilience.background_writes import BACKGROUND_WRITES
from tests.resilience.change import WriteKind
from tests.resilience.group_writes import GROUP_WRITES
from tests.resilience.matrix import Occurrence, all_occurrences, quick_occurrences, storage_calls, suffer
from tests.resilience.scene import Scene, open_scene
from tests.resilience.soundness import assert_sound
from tests.resilience.stock import at_once
from tests.resilience.user_writes import USER_WRITES

WRITES: dict[str, WriteKind] = USER_WRITES | GROUP_WRITES | BACKGROUND_WRITES


Open = Callable[[], Awaitable[Scene]]
_CASES_PER_DIRECTORY = 25
"""Few enough for a small directory: Azurite reads all of it to answer a query."""
_DIRECTORIES_AT_ONCE = 3


@pytest.fixture
def directory(azurite: Azurite, connections: AiohttpTransport) -> Open:
    """Open a fresh directory on tables of its own."""
    return lambda: open_scene(azurite.connection_string, connections)


@pytest.fixture
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> WriteKind:
    """The kind of write under test."""
    kind = WRITES[request.param]
    monkeypatch.setattr(large_groups, "_EVENTS_PER_ROW", kind.events_per_row)
    return kind


@pytest.mark.parametrize("kind", WRITES, indirect=True)
async def test_a_write_survives_every_fault_at_every_step(directory: Open, kind: WriteKind) -> None:
    calls = await storage_calls(await directory(), kind)

    await survives(directory, kind, list(quick_occurrences(calls)))


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", WRITES, indirect=True)
async def test_a_write_survives_every_fault_at_every_storage_call(directory: Open, kind: WriteKind) -> None:
    calls = await storage_calls(await directory(), kind)

    await survives(directory, kind, list(all_occurrences(calls)))


async def survives(directory: Open, kind: WriteKind, occurrences: Sequence[Occurrence]) -> None:
    """Assert that writes of a kind survive faults, and that their directories are sound after all of them."""
    parts = [
        occurrences[start : start + _CASES_PER_DIRECTORY] for start in range(0, len(occurrences), _CASES_PER_DIRECTORY)
    ]
    failures = await at_once([_failures(directory, kind, part) for part in parts], _DIRECTORIES_AT_ONCE)
    assert [failure for part in failures for failure in part] == []


async def _failures(directory: Open, kind: WriteKind, occurrences: Sequence[Occurrence]) -> list[str]:
    scene, failures = await directory(), []
    for occurrence, change in zip(occurrences, await kind.prepare(scene, len(occurrences)), strict=True):
        try:
            await suffer(scene, kind, change, occurrence)
        except AssertionError as failure:
            failures.append(f"{occurrence}: {failure}")
    await scene.settle()
    if kind.is_replayable and not failures:
        await assert_sound(scene.client.application, scene.client.partition)
    return failures
