"""Authentication: who gets in, what a refusal shows, what it costs, and what an outage does."""

from __future__ import annotations

import asyncio
import hmac
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest

from scim.directories import staleness
from scim.directories.bearer_token import TokenMistake, TokenRecord, digest, fingerprint, new_token
from scim.directories.directory import Directory
from scim.directories.errors import DirectoryStoreUnavailableError, SecretStoreUnavailableError
from scim.provisioning import directory_cache, token_digests
from scim.provisioning.authentication import AuthenticationFailedException, Authenticator
from scim.provisioning.errors import ServiceUnavailableException
from tests.fakes.memory_secrets import MemorySecretStore

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
OUTAGE = SecretStoreUnavailableError("unreachable")
TABLE_OUTAGE = DirectoryStoreUnavailableError("unreachable", retry_after=7)


@dataclass(slots=True)
class Directories:
    """A store of directories that counts reads and breaks when it is told to."""

    rows: dict[str, Directory] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    failure: Exception | None = None

    async def directory(self, directory_id: str) -> Directory | None:
        if directory_id:
            self.reads.append(directory_id)
        row = self.rows.get(directory_id)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return row


class SlowSecrets(MemorySecretStore):
    """Answers only after others had a chance to ask."""

    async def get(self, name: str, version: str) -> str:
        await asyncio.sleep(0.001)
        return await MemorySecretStore.get(self, name, version)


@dataclass(slots=True)
class World:
    """An authenticator over fakes, and a clock to turn."""

    directories: Directories = field(default_factory=Directories)
    secrets: MemorySecretStore = field(default_factory=SlowSecrets)
    elapsed: float = 1000.0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def process(self) -> Authenticator:
        """Return the authenticator of a process that has just started."""
        return Authenticator(
            self.directories,
            self.secrets,
            now=lambda: NOW + timedelta(seconds=self.elapsed),
            monotonic=lambda: self.elapsed,
            uniform=lambda low, high: (low + high) / 2,
        )

    async def add_directory(self) -> Directory:
        directory_id = f"dir_{next(self.numbers):032x}"
        directory = Directory(directory_id, "org_" + "0" * 32, "entra_id", "Entra", "active", created=NOW, changed=NOW)
        self.directories.rows[directory_id] = directory
        return directory

    async def add_token(self, directory: Directory, value: str | None = None) -> tuple[str, TokenRecord]:
        """Give a directory another token, newest last, and return it with its record."""
        token = value or new_token(directory.id)
        version = await self.secrets.set(directory.secret_name, token, {})
        shown = token.strip()
        record = TokenRecord(version, "active", NOW, shown[-4:], fingerprint(digest(shown)))
        row = self.directories.rows[directory.id]
        self.directories.rows[directory.id] = replace(row, tokens=(*row.tokens, record))
        return token, record

    def change_token(self, directory: Directory, change: Callable[[TokenRecord], TokenRecord]) -> None:
        row = self.directories.rows[directory.id]
        self.directories.rows[directory.id] = replace(row, tokens=tuple(map(change, row.tokens)))

    def forget_counts(self) -> None:
        self.directories.reads.clear()
        self.secrets.reads.clear()

    @property
    def costs(self) -> tuple[int, int]:
        return len(self.directories.reads), len(self.secrets.reads)


@pytest.fixture(name="world")
def _world() -> World:
    return World()


@pytest.fixture(name="directory")
async def _directory(world: World) -> Directory:
    return await world.add_directory()


async def refused(
    process: Authenticator, directory_id: str, authorization: str | None
) -> AuthenticationFailedException:
    with pytest.raises(AuthenticationFailedException) as caught:
        await process.authenticate(directory_id, authorization)
    return caught.value


async def unavailable(process: Authenticator, directory_id: str, token: str) -> ServiceUnavailableException:
    with pytest.raises(ServiceUnavailableException) as caught:
        await process.authenticate(directory_id, f"Bearer {token}")
    return caught.value


# -- Who gets in --------------------------------------------------------


async def test_the_right_token_gets_its_directory(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    accepted = await world.process().authenticate(directory.id, f"Bearer {token}")
    assert accepted.directory == world.directories.rows[directory.id]


async def test_every_valid_token_gets_in(world: World, directory: Directory) -> None:
    tokens = [(await world.add_token(directory))[0] for _ in range(3)]
    process = world.process()
    for token in [*tokens, *reversed(tokens)]:
        assert (await process.authenticate(directory.id, f"Bearer {token}")).directory.id == directory.id


@pytest.mark.parametrize("value", ["an operators token 0123456789abcdef", "  surrounded-by-white-space-0123456789 \n"])
async def test_a_token_set_by_an_operator_may_have_any_form(world: World, directory: Directory, value: str) -> None:
    await world.add_token(directory, value)
    assert await world.process().authenticate(directory.id, f"Bearer {value.strip()}")


async def test_a_token_of_another_directory_does_not_get_in(world: World, directory: Directory) -> None:
    other = await world.add_directory()
    token, _ = await world.add_token(other)
    await world.add_token(directory)
    error = await refused(world.process(), directory.id, f"Bearer {token}")
    assert error.mistake is TokenMistake.ANOTHER_DIRECTORY


@pytest.mark.parametrize(("name", "mistake"), [("ends_at", TokenMistake.ENDED), ("expires_at", TokenMistake.EXPIRED)])
async def test_a_token_ends_with_the_clock_although_row_and_digest_are_cached(
    world: World, directory: Directory, name: str, mistake: TokenMistake
) -> None:
    token, _ = await world.add_token(directory)
    end: dict[str, Any] = {name: NOW + timedelta(seconds=world.elapsed + 10)}
    world.change_token(directory, lambda record: replace(record, **end))
    process = world.process()
    assert await process.authenticate(directory.id, f"Bearer {token}")
    world.elapsed += 10
    assert (await refused(process, directory.id, f"Bearer {token}")).mistake is mistake


# -- What a refusal shows -----------------------------------------------


async def test_the_mistake_is_told_to_the_log_and_not_to_the_caller(world: World, directory: Directory) -> None:
    token, record = await world.add_token(directory)
    old, _ = await world.add_token(directory)
    world.change_token(directory, lambda one: one if one == record else replace(one, state="ended"))
    disabled = await world.add_directory()
    off, _ = await world.add_token(disabled)
    world.directories.rows[disabled.id] = replace(world.directories.rows[disabled.id], status="disabled")
    cases = [
        (directory.id, None, TokenMistake.MISSING),
        (directory.id, "Bearer ", TokenMistake.EMPTY),
        (directory.id, token, TokenMistake.NOT_BEARER),
        (directory.id, f"Bearer Bearer {token}", TokenMistake.BEARER_TWICE),
        (directory.id, f"Bearer {token[:-1]}", TokenMistake.CUT_OFF),
        (directory.id, "Bearer password", TokenMistake.NOT_OUR_FORMAT),
        (directory.id, f"Bearer {old}", TokenMistake.ENDED),
        (directory.id, f"Bearer {new_token(directory.id)}", TokenMistake.UNRECOGNISED),
        (disabled.id, f"Bearer {off}", TokenMistake.DIRECTORY_DISABLED),
        (disabled.id, f"Bearer {token}", TokenMistake.ANOTHER_DIRECTORY),
        ("dir_" + "f" * 32, f"Bearer {token}", TokenMistake.UNKNOWN_DIRECTORY),
        ("dir_" + "f" * 32, None, TokenMistake.UNKNOWN_DIRECTORY),
        ("x" * 5000, f"Bearer {token}", TokenMistake.UNKNOWN_DIRECTORY),
    ]
    process = world.process()
    seen = set()
    for directory_id, authorization, mistake in cases:
        error = await refused(process, directory_id, authorization)
        assert error.mistake is mistake
        assert error.directory == world.directories.rows.get(directory_id)
        seen.add((type(error), error.to_error().model_dump_json(), str(error)))
    assert len(seen) == 1


async def test_nothing_that_outlives_a_request_holds_a_token(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    error = await refused(process, directory.id, f"Bearer Bearer {token}")
    assert token not in _everything_in(process) + _everything_in(error)


def _everything_in(thing: object, depth: int = 6) -> str:
    parts = [repr(thing)]
    if depth:
        names = [*getattr(thing, "__dict__", {}), *getattr(type(thing), "__slots__", ())]
        values = [getattr(thing, name) for name in names if name != "_secrets"]
        values += list(thing.values()) if isinstance(thing, dict) else []
        parts += [_everything_in(value, depth - 1) for value in values]
    return " ".join(parts)


async def steps_of(world: World, directory_id: str, authorization: str | None) -> tuple[list[str], int, int]:
    """Return what a refusal did: rows read, comparisons made, secrets read; twice, cold and warm."""
    world.forget_counts()
    process = world.process()
    with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
        for _ in range(2):
            world.elapsed += directory_cache.UNKNOWN_SECONDS
            await refused(process, directory_id, authorization)
    return ["row" for _ in world.directories.reads], compare.call_count, len(world.secrets.reads)


async def test_unknown_disabled_and_wrong_take_the_same_steps(world: World) -> None:
    disabled, other = await world.add_directory(), await world.add_directory()
    token, _ = await world.add_token(disabled)
    world.directories.rows[disabled.id] = replace(world.directories.rows[disabled.id], status="disabled")
    steps = [
        await steps_of(world, "dir_" + "f" * 32, f"Bearer {token}"),
        await steps_of(world, disabled.id, f"Bearer {token}"),
        await steps_of(world, disabled.id, "Bearer wrong"),
        await steps_of(world, other.id, f"Bearer {token}"),
    ]
    for _ in range(3):
        await world.add_token(other)
        steps.append(await steps_of(world, other.id, f"Bearer {token}"))
    assert steps == [(["row", "row"], 9, 0)] * len(steps)


async def test_all_valid_tokens_are_compared_although_the_first_matches(world: World, directory: Directory) -> None:
    tokens = [(await world.add_token(directory))[0] for _ in range(3)]
    process = world.process()
    counts = set()
    for token in tokens * 2:
        with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
            await process.authenticate(directory.id, f"Bearer {token}")
        counts.add(compare.call_count)
    assert counts == {4}


# -- What it costs ------------------------------------------------------


async def test_a_cold_request_reads_one_row_and_one_secret_and_a_warm_one_nothing(
    world: World, directory: Directory
) -> None:
    token, record = await world.add_token(directory)
    await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    assert world.costs == (1, 1)
    assert world.secrets.reads == [(directory.secret_name, record.version)]
    for _ in range(100):
        await process.authenticate(directory.id, f"Bearer {token}")
    assert world.costs == (1, 1)


async def test_a_row_is_read_again_after_30_seconds(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    world.elapsed += staleness.FRESH_SECONDS - 0.1
    await process.authenticate(directory.id, f"Bearer {token}")
    assert world.costs == (1, 1)
    world.elapsed += 0.1
    await process.authenticate(directory.id, f"Bearer {token}")
    assert world.costs == (2, 1)


async def test_a_digest_is_confirmed_again_after_twelve_hours(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    world.elapsed += token_digests.DIGEST_SECONDS - 1
    await process.authenticate(directory.id, f"Bearer {token}")
    assert len(world.secrets.reads) == 1
    world.elapsed += 1
    await process.authenticate(directory.id, f"Bearer {token}")
    assert len(world.secrets.reads) == 2


async def test_confirmations_are_spread_over_a_fifth_around_twelve_hours(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    factors: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        factors.append((low, high))
        return random.Random(1).uniform(low, high)

    process = Authenticator(world.directories, world.secrets, uniform=uniform)
    world.change_token(directory, lambda record: record)
    await process.authenticate(directory.id, f"Bearer {token}")
    assert factors == [(0.8, 1.2)]


async def test_guessing_costs_a_row_a_second_and_never_reaches_the_secret_store(
    world: World, directory: Directory
) -> None:
    await world.add_token(directory)
    process = world.process()
    for directory_id, rows in ((directory.id, (10, 11)), ("dir_" + "f" * 32, (2, 3))):
        world.forget_counts()
        for _ in range(1000):
            await refused(process, directory_id, f"Bearer {new_token(directory_id)}")
            world.elapsed += 0.01
        assert len(world.directories.reads) in rows
        assert world.secrets.reads == []


async def test_malformed_ids_cost_nothing(world: World) -> None:
    process = world.process()
    for directory_id in ("", "dir_", "dir_" + "F" * 32, "../x", "dir_" + "0" * 33, "organizations"):
        await refused(process, directory_id, "Bearer x")
    assert world.costs == (0, 0)


async def test_an_unknown_id_takes_as_many_comparisons_whenever_it_is_asked_for(
    world: World, directory: Directory
) -> None:
    await world.add_token(directory)
    counts = []
    for directory_id in (directory.id, "dir_" + "f" * 32):
        process, wrong = world.process(), f"Bearer {new_token(directory_id)}"
        with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
            for seconds in (0, 0.5, 0.6, 2, 3, 5, 31):
                world.elapsed += seconds
                await refused(process, directory_id, wrong)
        counts.append(compare.call_count)
    assert counts[0] == counts[1]


async def test_beyond_twenty_unknown_ids_a_second_nothing_is_said_of_an_id_that_was_not_looked_for(
    world: World, directory: Directory
) -> None:
    token, _ = await world.add_token(directory)
    unmet = await world.add_directory()
    right, _ = await world.add_token(unmet)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    world.forget_counts()

    for number in range(20):
        await refused(process, f"dir_{number + 1000:032x}", "Bearer x")
    for number in range(1000):
        error = await unavailable(process, f"dir_{number + 2000:032x}", "x")
        assert error.retry_after == 1
    await unavailable(process, unmet.id, right)

    assert len(world.directories.reads) == 20
    await process.authenticate(directory.id, f"Bearer {token}")
    world.elapsed += 1
    assert await process.authenticate(unmet.id, f"Bearer {right}")


async def test_a_new_process_reads_a_thousand_directories_at_once(world: World) -> None:
    tokens = {}
    for _ in range(1000):
        directory = await world.add_directory()
        tokens[directory.id] = (await world.add_token(directory))[0]
    process = world.process()

    admitted = await asyncio.gather(*(process.authenticate(each, f"Bearer {token}") for each, token in tokens.items()))

    assert {each.directory.id for each in admitted} == tokens.keys()
    assert world.costs == (1000, 1000)


async def test_unknown_ids_at_once_cost_no_more_than_one_after_another(world: World) -> None:
    process = world.process()
    asked = [process.authenticate(f"dir_{number + 1000:032x}", "Bearer x") for number in range(200)]

    refusals = await asyncio.gather(*asked, return_exceptions=True)

    kinds = [type(refusal) for refusal in refusals]
    assert kinds.count(AuthenticationFailedException) == len(world.directories.reads) == 20
    assert kinds.count(ServiceUnavailableException) == 180


async def test_guessing_ids_fills_no_memory_and_forgets_no_directory(
    world: World, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_cache, "CAPACITY", 10)
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    for number in range(100):
        world.elapsed += 0.1
        await refused(process, f"dir_{number + 1000:032x}", "Bearer x")
    world.forget_counts()
    await process.authenticate(directory.id, f"Bearer {token}")
    assert world.costs == (0, 0)
    assert len(process._directories._unknown) == 10


async def test_requests_at_once_share_one_row_and_one_secret(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    accepted = await asyncio.gather(*(process.authenticate(directory.id, f"Bearer {token}") for _ in range(200)))
    assert {one.directory.id for one in accepted} == {directory.id}
    assert world.costs == (1, 1)


async def test_wrong_tokens_at_once_share_one_more_row(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    world.elapsed += 5
    world.forget_counts()
    await asyncio.gather(*(refused(process, directory.id, f"Bearer {number}") for number in range(200)))
    assert world.costs == (1, 0)


async def test_who_gives_up_waiting_does_not_end_it_for_others(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    first = asyncio.create_task(process.authenticate(directory.id, f"Bearer {token}"))
    second = asyncio.create_task(process.authenticate(directory.id, f"Bearer {token}"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).directory.id == directory.id
    assert world.costs == (1, 1)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_warm_request_takes_at_most_30_microseconds(world: World, directory: Directory) -> None:
    tokens = [(await world.add_token(directory))[0] for _ in range(3)]
    process = Authenticator(world.directories, world.secrets)
    world.change_token(directory, lambda record: record)
    header = f"Bearer {tokens[0]}"
    await process.authenticate(directory.id, header)
    best = min([await _seconds_of(process, directory.id, header) for _ in range(20)])
    assert best / 200 < 30e-6


async def _seconds_of(process: Authenticator, directory_id: str, header: str) -> float:
    started = time.process_time()
    for _ in range(200):
        await process.authenticate(directory_id, header)
    return time.process_time() - started


# -- Changes ------------------------------------------------------------


async def test_a_new_token_works_within_a_second_of_its_first_use(world: World, directory: Directory) -> None:
    old, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {old}")
    new, _ = await world.add_token(directory)
    world.elapsed += 1
    assert await process.authenticate(directory.id, f"Bearer {new}")
    assert await process.authenticate(directory.id, f"Bearer {old}")


async def test_a_new_token_works_at_once_in_the_process_that_made_it(world: World, directory: Directory) -> None:
    old, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {old}")
    new, _ = await world.add_token(directory)
    process.forget(directory.id)
    assert await process.authenticate(directory.id, f"Bearer {new}")


async def test_a_reading_that_began_before_a_change_counts_for_nothing(world: World, directory: Directory) -> None:
    process = world.process()
    guessed = asyncio.create_task(refused(process, directory.id, "Bearer x"))
    for _ in range(20):
        if not world.directories.reads:
            await asyncio.sleep(0)
    assert world.directories.reads
    new, _ = await world.add_token(directory)
    process.forget(directory.id)
    await guessed
    assert await process.authenticate(directory.id, f"Bearer {new}")


async def test_a_new_directory_works_within_five_seconds_of_being_asked_for(world: World) -> None:
    process = world.process()
    directory_id = f"dir_{1:032x}"
    await refused(process, directory_id, "Bearer x")
    directory = await world.add_directory()
    assert directory.id == directory_id
    token, _ = await world.add_token(directory)
    world.elapsed += 5
    assert await process.authenticate(directory_id, f"Bearer {token}")


@pytest.mark.parametrize("change", ["disabled", "ended", "gone"])
async def test_a_change_of_the_row_acts_within_30_seconds(world: World, directory: Directory, change: str) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    if change == "disabled":
        world.directories.rows[directory.id] = replace(world.directories.rows[directory.id], status="disabled")
    elif change == "ended":
        world.change_token(directory, lambda record: replace(record, state="ended"))
    else:
        del world.directories.rows[directory.id]
    world.elapsed += 30
    world.forget_counts()
    for _ in range(10):
        await refused(process, directory.id, f"Bearer {token}")
        world.elapsed += 0.05
    assert world.costs == (1, 0)


@pytest.mark.parametrize("end", ["disabled", "deleted"])
async def test_a_version_that_the_store_ended_is_refused_and_asked_for_once_a_minute(
    world: World, directory: Directory, end: str
) -> None:
    token, record = await world.add_token(directory)
    if end == "disabled":
        await world.secrets.disable(directory.secret_name, record.version)
    else:
        await world.secrets.delete(directory.secret_name)
    process = world.process()
    for _ in range(3):
        error = await refused(process, directory.id, f"Bearer {token}")
        assert error.mistake is TokenMistake.DISABLED_SECRET
        world.elapsed += 10
    assert len(world.secrets.reads) == 1
    world.elapsed += token_digests.ENDED_SECONDS
    await refused(process, directory.id, f"Bearer {token}")
    assert len(world.secrets.reads) == 2


async def test_a_version_disabled_later_ends_when_it_is_confirmed(world: World, directory: Directory) -> None:
    token, record = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    await world.secrets.disable(directory.secret_name, record.version)
    world.elapsed += token_digests.DIGEST_SECONDS
    await refused(process, directory.id, f"Bearer {token}")


async def test_a_row_that_names_a_version_of_another_value_lets_nobody_in(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    version = await world.secrets.set(directory.secret_name, "another value", {})
    world.change_token(directory, lambda record: replace(record, version=version))
    await refused(world.process(), directory.id, f"Bearer {token}")


# -- Outages of the secret store ----------------------------------------


async def test_a_cold_start_without_the_secret_store_answers_503_and_never_401(
    world: World, directory: Directory
) -> None:
    token, _ = await world.add_token(directory)
    world.secrets.failure = SecretStoreUnavailableError("throttled", retry_after=9)
    error = await unavailable(world.process(), directory.id, token)
    assert (error.status, error.retry_after) == (503, 9)


async def test_a_wrong_token_is_wrong_although_the_secret_store_is_down(world: World, directory: Directory) -> None:
    await world.add_token(directory)
    world.secrets.failure = OUTAGE
    await refused(world.process(), directory.id, f"Bearer {new_token(directory.id)}")
    assert world.secrets.reads == []


async def test_the_secret_store_is_left_alone_for_as_long_as_it_asks(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    world.secrets.failure = SecretStoreUnavailableError("throttled", retry_after=9)
    for _ in range(9):
        await unavailable(process, directory.id, token)
        world.elapsed += 0.9
    assert len(world.secrets.reads) == 1
    world.secrets.failure = None
    world.elapsed += 1
    assert await process.authenticate(directory.id, f"Bearer {token}")


async def test_requests_at_once_share_one_failure(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    world.secrets.failure = OUTAGE
    process = world.process()
    await asyncio.gather(*(unavailable(process, directory.id, token) for _ in range(50)))
    assert world.costs == (1, 1)


async def test_a_known_digest_serves_on_through_an_outage(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    world.secrets.failure = OUTAGE
    world.elapsed += 2 * token_digests.DIGEST_SECONDS
    for _ in range(10):
        assert await process.authenticate(directory.id, f"Bearer {token}")
        world.elapsed += 1
    assert len(world.secrets.reads) == 2
    world.elapsed += token_digests.OUTAGE_SECONDS
    assert await process.authenticate(directory.id, f"Bearer {token}")
    assert len(world.secrets.reads) == 3


# -- Outages of the directories' table ----------------------------------


async def test_a_cold_start_without_the_table_answers_503(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    world.directories.failure = TABLE_OUTAGE
    process = world.process()
    for directory_id in (directory.id, "dir_" + "f" * 32):
        error = await unavailable(process, directory_id, token)
        assert (error.status, error.retry_after) == (503, 7)


async def test_a_stale_row_serves_on_for_five_minutes(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    world.directories.failure = TABLE_OUTAGE
    world.elapsed += staleness.STALE_SECONDS - 1
    assert await process.authenticate(directory.id, f"Bearer {token}")
    world.elapsed += 1
    await unavailable(process, directory.id, token)
    world.directories.failure = None
    world.elapsed += directory_cache.REREAD_SECONDS
    assert await process.authenticate(directory.id, f"Bearer {token}")


async def test_a_token_that_a_stale_row_does_not_know_is_not_refused_during_an_outage(
    world: World, directory: Directory
) -> None:
    old, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {old}")
    new, _ = await world.add_token(directory)
    world.directories.failure = TABLE_OUTAGE
    world.elapsed += 10
    for _ in range(3):
        await unavailable(process, directory.id, new)
        world.elapsed += 0.1
    assert len(world.directories.reads) == 2


async def test_the_table_is_tried_once_a_second_during_an_outage(world: World, directory: Directory) -> None:
    token, _ = await world.add_token(directory)
    process = world.process()
    await process.authenticate(directory.id, f"Bearer {token}")
    world.directories.failure = TABLE_OUTAGE
    world.elapsed += 60
    world.forget_counts()
    for _ in range(100):
        assert await process.authenticate(directory.id, f"Bearer {token}")
        world.elapsed += 0.03
    assert len(world.directories.reads) == 3
