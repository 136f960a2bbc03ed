"""Rotation, revocation and adoption of tokens, with a crash between any two steps."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from scim.directories.errors import (
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    InvalidValueError,
    SecretDeletedError,
    SecretStoreUnavailableError,
    TokenEndedError,
    TokenNotFoundError,
    TokensFullError,
)
from scim.directories.token import NewToken
from scim.directories.token_changes import DEFAULT_OVERLAP, KEPT_ENDED, LONGEST_OVERLAP, ROTATION_TIME
from scim.directories.token_service import SHOWN_AGAIN_WITHIN
from tests.fakes.crashing import CrashError
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import fail_at
from tests.tokens import START, TokenWorld

OPERATORS = "an-operators-token-of-40-characters-0000"
UNKNOWN = "dir_" + "f" * 32


@pytest.fixture(name="world")
def _world() -> TokenWorld:
    return TokenWorld()


@pytest.fixture(name="created")
async def _created(world: TokenWorld) -> tuple[str, str]:
    return await world.new_directory()


@pytest.fixture(name="directory_id")
def _directory_id(created: tuple[str, str]) -> str:
    return created[0]


@pytest.fixture(name="first")
def _first(created: tuple[str, str]) -> str:
    return created[1]


# -- Rotation -----------------------------------------------------------


async def test_after_a_rotation_both_tokens_are_valid_for_the_overlap(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    new = await world.tokens().rotate(directory_id)
    assert await world.accepts(directory_id, new.token)
    assert await world.accepts(directory_id, first)
    world.pass_(days=7, seconds=-1)
    assert await world.accepts(directory_id, first)
    world.pass_(seconds=1)
    assert not await world.accepts(directory_id, first)
    assert await world.accepts(directory_id, new.token)


async def test_the_new_token_is_current_and_the_old_one_previous(world: TokenWorld, directory_id: str) -> None:
    expiry = START + timedelta(days=90)
    new = await world.tokens().rotate(directory_id, overlap=timedelta(days=2), expires_at=expiry)
    current, previous = await world.tokens().list_tokens(directory_id)
    assert (current.state, current.version, current.ends_at, current.expires_at) == (
        "current",
        new.record.version,
        None,
        expiry,
    )
    assert (previous.state, previous.ends_at) == ("previous", START + timedelta(days=2))
    assert new.token is not None
    assert current.last_four == new.token[-4:]


async def test_without_overlap_the_old_token_ends_at_once(world: TokenWorld, directory_id: str, first: str) -> None:
    await world.tokens().rotate(directory_id, overlap=timedelta(0))
    assert not await world.accepts(directory_id, first)
    current, ended = await world.tokens().list_tokens(directory_id)
    assert (current.state, ended.state, ended.end_reason) == ("current", "ended", "replaced")


async def test_the_value_is_in_the_secret_store_only_tagged_as_the_rotations(
    world: TokenWorld, directory_id: str
) -> None:
    new = await world.tokens().rotate(directory_id, rotation_id="r-1")
    directory = await world.directory(directory_id)
    assert await world.secrets.get(directory.secret_name, new.record.version) == new.token
    assert world.secrets.versions(directory.secret_name)[-1].tags["rotation"] == "r-1"
    everything = repr([world.table.rows(partition) for partition in world.table.partitions()])
    assert str(new.token) not in everything + repr(new) + repr(world.events)


async def test_two_valid_tokens_are_enough_unless_it_is_forced_and_three_always(
    world: TokenWorld, directory_id: str
) -> None:
    tokens = world.tokens()
    await tokens.rotate(directory_id)
    with pytest.raises(TokensFullError, match="has 2 valid tokens: revoke one, or force the rotation"):
        await tokens.rotate(directory_id)
    await tokens.rotate(directory_id, force=True)
    assert len(await world.valid(directory_id)) == 3
    with pytest.raises(TokensFullError, match="has 3 valid tokens: revoke one first"):
        await tokens.rotate(directory_id, force=True)
    world.pass_(days=7)
    assert await tokens.rotate(directory_id)


async def test_a_forced_rotation_gives_no_replaced_token_more_time(world: TokenWorld, directory_id: str) -> None:
    tokens = world.tokens()
    await tokens.rotate(directory_id)
    world.pass_(days=3)
    await tokens.rotate(directory_id, force=True)
    ends = [token.ends_at for token in await world.valid(directory_id)]
    assert ends == [START + timedelta(days=7), START + timedelta(days=10), None]


async def test_the_last_ended_tokens_are_remembered_and_no_more(world: TokenWorld, directory_id: str) -> None:
    tokens, versions = world.tokens(), []
    for _ in range(KEPT_ENDED + 3):
        versions.append((await tokens.rotate(directory_id, overlap=timedelta(0))).record.version)
        world.pass_(days=1)
    ended = [token for token in await tokens.list_tokens(directory_id) if token.state == "ended"]
    assert [token.version for token in ended] == versions[-2 : -2 - KEPT_ENDED : -1]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"overlap": timedelta(seconds=-1)}, "overlap"),
        ({"overlap": LONGEST_OVERLAP + timedelta(seconds=1)}, "overlap"),
        ({"expires_at": START}, "expires_at"),
        ({"expires_at": datetime(2030, 1, 1)}, "expires_at"),  # noqa: DTZ001 - what is to be refused
        ({"rotation_id": "x" * 101}, "rotation_id"),
    ],
)
async def test_malformed_orders_are_refused(
    world: TokenWorld, directory_id: str, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        await world.tokens().rotate(directory_id, **values)
    assert caught.value.field == field
    assert world.secrets.count("set") == 1


@pytest.mark.parametrize("unknown", [UNKNOWN, "dir_", "organizations"])
async def test_an_unknown_directory_is_not_found(world: TokenWorld, unknown: str) -> None:
    tokens = world.tokens()
    for call in (
        tokens.rotate(unknown),
        tokens.revoke(unknown, "1"),
        tokens.revoke_all(unknown),
        tokens.list_tokens(unknown),
        tokens.adopt(unknown),
    ):
        with pytest.raises(DirectoryNotFoundError):
            await call
    assert world.table.partitions() == []


async def test_a_rotation_costs_seven_storage_requests_and_one_secret(world: TokenWorld, directory_id: str) -> None:
    world.table.requests.clear()
    world.secrets.calls.clear()
    await world.tokens().rotate(directory_id)
    kinds = [request.operation for request in world.table.requests]
    assert kinds == ["commit", "read", "commit", "read", "commit", "read", "commit"]
    assert [method for method, _ in world.secrets.calls] == ["set"]


# -- Repeated and simultaneous rotations --------------------------------


async def test_a_repeated_rotation_makes_nothing_and_shows_the_token_again(
    world: TokenWorld, directory_id: str
) -> None:
    new = await world.tokens().rotate(directory_id, rotation_id="r-1")
    again = await world.tokens().rotate(directory_id, rotation_id="r-1")
    assert (again.token, again.record.version, again.repeated, new.repeated) == (
        new.token,
        new.record.version,
        True,
        False,
    )
    assert world.secrets.count("set") == 2
    world.pass_(seconds=SHOWN_AGAIN_WITHIN.total_seconds())
    late = await world.tokens().rotate(directory_id, rotation_id="r-1")
    assert (late.token, late.repeated) == (None, True)


async def test_a_repeated_rotation_does_not_show_a_revoked_token(world: TokenWorld, directory_id: str) -> None:
    new = await world.tokens().rotate(directory_id, rotation_id="r-1")
    await world.tokens().revoke(directory_id, new.record.version)
    again = await world.tokens().rotate(directory_id, rotation_id="r-1")
    assert (again.token, again.record.state) == (None, "ended")


class YieldingSecrets(MemorySecretStore):
    """Takes a value only after others had their turn."""

    async def set(self, *arguments: Any, **named: Any) -> str:
        await asyncio.sleep(0.001)
        return await MemorySecretStore.set(self, *arguments, **named)


async def test_of_two_rotations_at_once_one_wins() -> None:
    world = TokenWorld(secrets=YieldingSecrets())
    directory_id, _ = await world.new_directory()
    outcomes = await asyncio.gather(*(world.tokens().rotate(directory_id) for _ in range(2)), return_exceptions=True)
    won = [outcome for outcome in outcomes if isinstance(outcome, NewToken)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, TokensFullError)]
    assert (len(won), len(lost)) == (1, 1)
    assert "1 valid token and a rotation under way: try again in a minute" in str(lost[0])
    assert len(await world.valid(directory_id)) == 2
    assert await world.accepts(directory_id, won[0].token)


async def test_two_forced_rotations_at_once_leave_both_tokens_valid() -> None:
    world = TokenWorld(secrets=YieldingSecrets())
    directory_id, _ = await world.new_directory()
    outcomes = await asyncio.gather(*(world.tokens().rotate(directory_id, force=True) for _ in range(2)))
    assert [await world.accepts(directory_id, outcome.token) for outcome in outcomes] == [True, True]
    assert [token.ends_at is None for token in await world.valid(directory_id)] == [False, False, True]


async def test_of_three_forced_rotations_at_once_one_is_refused() -> None:
    world = TokenWorld(secrets=YieldingSecrets())
    directory_id, _ = await world.new_directory()
    outcomes = await asyncio.gather(
        *(world.tokens().rotate(directory_id, force=True) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NewToken", "NewToken", "TokensFullError"]
    assert len(await world.valid(directory_id)) == 3


async def test_a_rotation_that_was_ended_meanwhile_is_not_confirmed(world: TokenWorld, directory_id: str) -> None:
    class Ending(MemorySecretStore):
        async def set(self, *arguments: Any, **named: Any) -> str:
            await world.store.update_directory(
                directory_id,
                lambda old: old.change_tokens(
                    lambda token: replace(token, state="ended") if token.state == "creating" else token, world.time
                ),
            )
            return await world.secrets.set(*arguments, **named)

    with pytest.raises(TokenEndedError):
        await world.tokens(secret_store=Ending()).rotate(directory_id)


async def test_a_rotation_that_takes_too_long_gives_way_and_shows_nothing(world: TokenWorld, directory_id: str) -> None:
    class SlowSecrets(MemorySecretStore):
        async def set(self, *arguments: Any, **named: Any) -> str:
            version = await world.secrets.set(*arguments, **named)
            world.time += ROTATION_TIME
            await world.tokens().rotate(directory_id)
            return version

    with pytest.raises(TokenEndedError):
        await world.tokens(secret_store=SlowSecrets()).rotate(directory_id)
    assert len(await world.valid(directory_id)) == 2
    await world.watcher().watch()
    assert len(await world.enabled(directory_id)) == 2


# -- Crashes ------------------------------------------------------------

# The steps of a rotation: watch list, intent, secret, confirmation, event, and the mark that it was told.
CONFIRMED = (3, True)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(6))
async def test_a_crash_of_a_rotation_leaves_the_old_token_valid_and_a_new_one_that_was_never_shown(
    world: TokenWorld, directory_id: str, first: str, at: int, *, after: bool
) -> None:
    if at < 4:
        with pytest.raises(CrashError):
            await world.crashing_tokens(at, after=after).rotate(directory_id)
    else:
        await world.crashing_tokens(at, after=after).rotate(directory_id)
    assert await world.accepts(directory_id, first)
    assert len(await world.valid(directory_id)) == (2 if (at, after) >= CONFIRMED else 1)
    assert (await world.reference(directory_id)).watched is ((at, after) >= (0, True))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(6))
async def test_after_a_crash_a_minute_later_everything_is_settled_and_a_rotation_works(
    world: TokenWorld, directory_id: str, first: str, at: int, *, after: bool
) -> None:
    try:
        await world.crashing_tokens(at, after=after).rotate(directory_id)
    except CrashError:
        world.pass_(minutes=1)
    await world.watcher().watch()
    directory = await world.directory(directory_id)
    assert all(token.state == "active" for token in directory.tokens)
    assert sorted(await world.enabled(directory_id)) == sorted(token.version for token in directory.tokens)
    new = await world.tokens().rotate(directory_id, force=True)
    assert await world.accepts(directory_id, new.token)
    assert await world.accepts(directory_id, first)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(4))
async def test_a_crashed_rotation_is_repeated_at_once_under_its_id(
    world: TokenWorld, directory_id: str, at: int, *, after: bool
) -> None:
    with pytest.raises(CrashError):
        await world.crashing_tokens(at, after=after).rotate(directory_id, rotation_id="r-1")
    again = await world.tokens().rotate(directory_id, rotation_id="r-1")
    assert await world.accepts(directory_id, again.token)
    assert again.repeated is ((at, after) == CONFIRMED)
    assert len(await world.valid(directory_id)) == 2
    await world.watcher().watch()
    assert len(await world.enabled(directory_id)) == 2


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("number", range(7))
async def test_an_outage_at_any_storage_request_of_a_rotation_is_mended_by_repeating_it(
    world: TokenWorld, directory_id: str, first: str, number: int, *, lost: bool
) -> None:
    fault = fail_at(number)
    world.table.before, world.table.after = (None, fault) if lost else (fault, None)
    try:
        await world.tokens().rotate(directory_id, rotation_id="r-1")
    except DirectoryStoreUnavailableError:
        assert number < 5
    world.table.before = world.table.after = None
    assert await world.accepts(directory_id, first)
    again = await world.tokens().rotate(directory_id, rotation_id="r-1")
    assert await world.accepts(directory_id, again.token)
    await world.watcher().watch()
    assert len(await world.enabled(directory_id)) == 2
    assert world.events.types == ["token.rotated"]


async def test_a_rotation_that_the_secret_store_refuses_is_withdrawn(world: TokenWorld, directory_id: str) -> None:
    world.secrets.failure = SecretStoreUnavailableError("throttled")
    with pytest.raises(SecretStoreUnavailableError):
        await world.tokens().rotate(directory_id)
    world.secrets.failure = None
    assert await world.tokens().rotate(directory_id)


async def test_a_rotation_whose_secret_was_stored_but_not_answered_leaves_nothing_that_works(
    world: TokenWorld, directory_id: str
) -> None:
    values: list[str] = []

    class LossySecrets(MemorySecretStore):
        async def set(self, name: str, value: str, *arguments: Any, **named: Any) -> str:
            await world.secrets.set(name, value, *arguments, **named)
            values.append(value)
            raise SecretStoreUnavailableError("the answer was lost")

    with pytest.raises(SecretStoreUnavailableError):
        await world.tokens(secret_store=LossySecrets()).rotate(directory_id)
    assert not await world.accepts(directory_id, values[0])
    await world.watcher().watch()
    assert len(await world.enabled(directory_id)) == 1


async def test_an_abandoned_creation_does_not_stand_in_the_way_of_a_rotation(world: TokenWorld) -> None:
    organization = await world.directories().create_organization("Acme")
    world.secrets.failure = CrashError("the process ended")
    with pytest.raises(CrashError):
        await world.directories().create_directory(organization.id, name="Entra", provider="entra_id")
    world.secrets.failure = None
    (directory,) = await world.directories().directories_of(organization.id)
    new = await world.tokens().rotate(directory.id)
    assert await world.accepts(directory.id, new.token)


# -- A deleted secret ---------------------------------------------------


async def test_rotating_a_deleted_secret_recovers_its_name_and_none_of_its_tokens(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    await world.secrets.delete((await world.directory(directory_id)).secret_name)
    new = await world.tokens().rotate(directory_id)
    assert await world.accepts(directory_id, new.token)
    assert not await world.accepts(directory_id, first)
    assert await world.enabled(directory_id) == [new.record.version]
    assert world.events.types == ["token.ended", "token.rotated"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(7))
async def test_after_a_crash_while_a_name_is_recovered_a_repetition_works_and_revives_nothing(
    world: TokenWorld, directory_id: str, first: str, at: int, *, after: bool
) -> None:
    """Steps: watch list, intent, refused secret, end of the old tokens, recovery, secret, confirmation."""
    await world.secrets.delete((await world.directory(directory_id)).secret_name)
    with suppress(CrashError):
        await world.crashing_tokens(at, after=after).rotate(directory_id, rotation_id="r-1")
    again = await world.tokens().rotate(directory_id, rotation_id="r-1")
    for _ in range(2):
        await world.watcher().watch()
    assert [await world.accepts(directory_id, token) for token in (first, again.token)] == [False, True]
    assert await world.enabled(directory_id) == [again.record.version]


async def test_a_name_that_cannot_be_recovered_is_told(world: TokenWorld, directory_id: str) -> None:
    class Unrecoverable(MemorySecretStore):
        async def recover(self, name: str) -> None:
            raise SecretDeletedError("recover it")

    world.secrets = Unrecoverable(now=lambda: world.time)
    await world.secrets.set((await world.directory(directory_id)).secret_name, "x", {})
    await world.secrets.delete((await world.directory(directory_id)).secret_name)
    with pytest.raises(SecretDeletedError, match="recover it"):
        await world.tokens().rotate(directory_id)
    assert await world.valid(directory_id) == []


# -- Revocation ---------------------------------------------------------


async def test_revoking_the_newer_makes_the_older_current_without_end(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    new = await world.tokens().rotate(directory_id)
    await world.tokens().revoke(directory_id, new.record.version)
    assert not await world.accepts(directory_id, new.token)
    world.pass_(days=365)
    assert await world.accepts(directory_id, first)
    states = [token.state for token in await world.tokens().list_tokens(directory_id)]
    assert states == ["ended", "current"]


async def test_revoking_the_older_leaves_the_newer_as_it_is(world: TokenWorld, directory_id: str, first: str) -> None:
    new = await world.tokens().rotate(directory_id)
    old = (await world.valid(directory_id))[0]
    await world.tokens().revoke(directory_id, old.version)
    assert not await world.accepts(directory_id, first)
    assert await world.valid(directory_id) == [
        token for token in (await world.directory(directory_id)).tokens if token.version == new.record.version
    ]


async def test_a_revoked_version_is_disabled_in_the_secret_store(world: TokenWorld, directory_id: str) -> None:
    new = await world.tokens().rotate(directory_id)
    await world.tokens().revoke(directory_id, new.record.version)
    assert new.record.version not in await world.enabled(directory_id)


async def test_revoking_everything_ends_every_token(world: TokenWorld, directory_id: str, first: str) -> None:
    new = await world.tokens().rotate(directory_id)
    await world.tokens().revoke_all(directory_id)
    for token in (first, new.token):
        assert not await world.accepts(directory_id, token)
    assert await world.enabled(directory_id) == []
    assert await world.tokens().rotate(directory_id)


async def test_revoking_everything_ends_a_rotation_under_way(world: TokenWorld, directory_id: str) -> None:
    class SlowSecrets(MemorySecretStore):
        async def set(self, *arguments: Any, **named: Any) -> str:
            await world.tokens().revoke_all(directory_id)
            return await world.secrets.set(*arguments, **named)

    with pytest.raises(TokenEndedError):
        await world.tokens(secret_store=SlowSecrets()).rotate(directory_id)
    assert await world.valid(directory_id) == []
    await world.watcher().watch()
    assert await world.enabled(directory_id) == []


@pytest.mark.parametrize("version", ["", "unknown"])
async def test_what_is_no_valid_token_cannot_be_revoked(world: TokenWorld, directory_id: str, version: str) -> None:
    with pytest.raises(TokenNotFoundError):
        await world.tokens().revoke(directory_id, version)


async def test_revoking_again_changes_nothing(world: TokenWorld, directory_id: str) -> None:
    (token,) = await world.valid(directory_id)
    await world.tokens().revoke(directory_id, token.version)
    before = await world.directory(directory_id)
    world.pass_(minutes=1)
    assert await world.tokens().revoke(directory_id, token.version) == before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(5))
async def test_a_crash_of_a_revocation_is_completed_by_the_watcher_or_a_repetition(
    world: TokenWorld, directory_id: str, first: str, at: int, *, after: bool
) -> None:
    (token,) = await world.valid(directory_id)
    try:
        await world.crashing_tokens(at, after=after).revoke(directory_id, token.version)
    except CrashError:
        assert at < 3
    if (at, after) < (1, True):
        await world.tokens().revoke(directory_id, token.version)
    assert not await world.accepts(directory_id, first)
    await world.watcher().watch()
    assert await world.enabled(directory_id) == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(6))
async def test_a_crash_while_everything_is_revoked_is_completed_by_the_watcher_or_a_repetition(
    world: TokenWorld, directory_id: str, first: str, at: int, *, after: bool
) -> None:
    new = await world.tokens().rotate(directory_id)
    try:
        await world.crashing_tokens(at, after=after).revoke_all(directory_id)
    except CrashError:
        assert at < 4
    if (at, after) < (1, True):
        await world.tokens().revoke_all(directory_id)
    assert [await world.accepts(directory_id, token) for token in (first, new.token)] == [False, False]
    await world.watcher().watch()
    assert await world.enabled(directory_id) == []
    assert sorted(world.events.types) == ["token.revoked", "token.revoked", "token.rotated"]


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("number", range(5))
async def test_an_outage_at_any_storage_request_of_a_revocation_is_mended_by_repeating_it(
    world: TokenWorld, directory_id: str, first: str, number: int, *, lost: bool
) -> None:
    (token,) = await world.valid(directory_id)
    fault = fail_at(number)
    world.table.before, world.table.after = (None, fault) if lost else (fault, None)
    try:
        await world.tokens().revoke(directory_id, token.version)
    except DirectoryStoreUnavailableError:
        assert number < 3
    world.table.before = world.table.after = None
    await world.tokens().revoke(directory_id, token.version)
    assert not await world.accepts(directory_id, first)
    assert await world.enabled(directory_id) == []
    assert world.events.types == ["token.revoked"]


async def test_an_outage_of_the_secret_store_does_not_stop_a_revocation(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    (token,) = await world.valid(directory_id)
    world.secrets.failure = SecretStoreUnavailableError("unreachable")
    await world.tokens().revoke(directory_id, token.version)
    world.secrets.failure = None
    assert not await world.accepts(directory_id, first)
    await world.watcher().watch()
    assert await world.enabled(directory_id) == []


async def test_a_warm_process_acts_on_rotation_and_revocation_within_30_seconds(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    process = world.process()
    await process.authenticate(directory_id, f"Bearer {first}")
    new = await world.tokens().rotate(directory_id)
    world.pass_(seconds=1)
    await process.authenticate(directory_id, f"Bearer {new.token}")
    old = (await world.valid(directory_id))[0]
    await world.tokens().revoke(directory_id, old.version)
    world.pass_(seconds=30)
    with pytest.raises(Exception, match="bearer token"):
        await process.authenticate(directory_id, f"Bearer {first}")
    assert await process.authenticate(directory_id, f"Bearer {new.token}")


# -- Adoption -----------------------------------------------------------


@pytest.mark.parametrize("value", [OPERATORS, f"  {OPERATORS}\r\n", "!" * 32, "~" * 256])
async def test_a_version_that_an_operator_set_becomes_current(
    world: TokenWorld, directory_id: str, first: str, value: str
) -> None:
    version = await world.operator_sets(directory_id, value)
    record = await world.tokens().adopt(directory_id)
    assert record is not None
    assert (record.version, record.last_four) == (version, value.strip()[-4:])
    assert await world.accepts(directory_id, value.strip())
    world.pass_(seconds=DEFAULT_OVERLAP.total_seconds() - 1)
    assert await world.accepts(directory_id, first)
    world.pass_(seconds=1)
    assert not await world.accepts(directory_id, first)
    assert await world.accepts(directory_id, value.strip())


@pytest.mark.parametrize("value", ["short", "x" * 31, "x" * 257, "with a space 01234567890123456789", "ü" * 32, " "])
async def test_a_version_that_is_no_token_is_not_adopted_and_not_told(
    world: TokenWorld, directory_id: str, first: str, value: str
) -> None:
    await world.operator_sets(directory_id, value)
    with pytest.raises(InvalidValueError, match="set 32 to 256 visible ASCII characters, without spaces") as caught:
        await world.tokens().adopt(directory_id)
    assert value.strip() == "" or value not in str(caught.value)
    assert await world.accepts(directory_id, first)


async def test_there_is_nothing_to_adopt_in_what_we_made_or_have_adopted(world: TokenWorld, directory_id: str) -> None:
    assert await world.tokens().adopt(directory_id) is None
    await world.operator_sets(directory_id, OPERATORS)
    await world.tokens().adopt(directory_id)
    assert await world.tokens().adopt(directory_id) is None
    await world.tokens().revoke_all(directory_id)
    assert await world.tokens().adopt(directory_id) is None


async def test_an_adopted_token_has_the_expiry_of_its_version(world: TokenWorld, directory_id: str) -> None:
    expiry = START + timedelta(days=10)
    await world.operator_sets(directory_id, OPERATORS, expires=expiry)
    record = await world.tokens().adopt(directory_id)
    assert record is not None
    assert record.expires_at == expiry
    await world.operator_sets(directory_id, OPERATORS + "2", expires=START)
    with pytest.raises(InvalidValueError, match="has expired"):
        await world.tokens().adopt(directory_id)


async def test_with_three_valid_tokens_the_one_that_ends_first_gives_way_to_an_adopted_one(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    second = await world.tokens().rotate(directory_id)
    world.pass_(days=1)
    third = await world.tokens().rotate(directory_id, force=True)
    await world.operator_sets(directory_id, OPERATORS)
    await world.tokens().adopt(directory_id)
    accepted = [await world.accepts(directory_id, one) for one in (first, second.token, third.token, OPERATORS)]
    assert accepted == [False, True, True, True]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(7))
async def test_a_crash_of_an_adoption_is_completed_by_the_watcher(
    world: TokenWorld, directory_id: str, at: int, *, after: bool
) -> None:
    await world.operator_sets(directory_id, OPERATORS)
    try:
        await world.crashing_tokens(at, after=after).adopt(directory_id)
    except CrashError:
        assert at < 5
    await world.watcher().watch()
    assert await world.accepts(directory_id, OPERATORS)
    assert len((await world.directory(directory_id)).tokens) == 2
    assert world.events.types == ["token.adopted"]


# -- Events -------------------------------------------------------------


async def test_each_change_is_told_once(world: TokenWorld, directory_id: str) -> None:
    tokens = world.tokens()
    new = await tokens.rotate(directory_id, expires_at=START + timedelta(days=40))
    await tokens.revoke(directory_id, new.record.version)
    await world.operator_sets(directory_id, OPERATORS)
    await tokens.adopt(directory_id, overlap=timedelta(0))
    for _ in range(3):
        await tokens.settle(await world.directory(directory_id))
    assert world.events.types == ["token.rotated", "token.revoked", "token.ended", "token.adopted"]
    assert world.events.tellings == 4
    (rotated, revoked, ended, _) = world.events.kept.values()
    assert (rotated.version, rotated.data) == (new.record.version, {"expires_at": "2027-01-03T10:00:00Z"})
    assert (revoked.version, revoked.data) == (new.record.version, {"reason": "revoked"})
    assert ended.data == {"reason": "replaced"}
    assert all(event.directory_id == directory_id for event in world.events.kept.values())


async def test_what_could_not_be_told_is_told_by_the_sweep(world: TokenWorld, directory_id: str) -> None:
    world.events.failure = RuntimeError("the feed is down")
    assert await world.tokens().rotate(directory_id)
    assert world.events.types == []
    world.events.failure = None
    await world.tokens().settle(await world.directory(directory_id))
    assert world.events.types == ["token.rotated"]


async def test_an_event_told_twice_has_the_same_id(world: TokenWorld, directory_id: str) -> None:
    numbers = count()
    world.table.before = lambda request: (
        DirectoryStoreUnavailableError("down") if request.operation == "commit" and next(numbers) == 3 else None
    )
    await world.tokens().rotate(directory_id)
    world.table.before = None
    await world.tokens().settle(await world.directory(directory_id))
    assert (world.events.tellings, len(world.events.kept)) == (2, 1)


async def test_the_sweep_ends_what_time_has_ended_and_tells_it(world: TokenWorld, directory_id: str) -> None:
    new = await world.tokens().rotate(directory_id, expires_at=START + timedelta(days=60))
    world.pass_(days=7)
    await world.tokens().settle(await world.directory(directory_id))
    assert (await world.reference(directory_id)).watched
    await world.watcher().watch()
    assert await world.enabled(directory_id) == [new.record.version]
    world.pass_(days=53)
    await world.tokens().settle(await world.directory(directory_id))
    await world.watcher().watch()
    assert await world.enabled(directory_id) == []
    reasons = [event.data["reason"] for event in world.events.kept.values() if event.type == "token.ended"]
    assert reasons == ["replaced", "expired"]


async def test_a_sweep_with_nothing_to_do_costs_nothing(world: TokenWorld, directory_id: str) -> None:
    await world.tokens().rotate(directory_id)
    directory = await world.directory(directory_id)
    world.table.requests.clear()
    await world.tokens().settle(directory)
    assert world.table.requests == []


async def test_an_expiring_token_is_spoken_of_at_30_7_and_1_days(world: TokenWorld, directory_id: str) -> None:
    await world.tokens().rotate(directory_id, overlap=timedelta(0), expires_at=START + timedelta(days=100))
    told: list[tuple[int, Any]] = []
    for hour in range(100 * 24 + 2):
        world.time = START + timedelta(hours=hour)
        before = set(world.events.kept)
        await world.tokens().settle(await world.directory(directory_id))
        told += [
            (hour, event.data["days"])
            for id_, event in world.events.kept.items()
            if id_ not in before and event.type == "token.expiring"
        ]
    assert told == [(70 * 24, 30), (93 * 24, 7), (99 * 24, 1)]
