"""The watcher: what operators do in the secret store acts within a round, and a round costs little."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from scim.directories import token_watcher
from scim.directories.directory import secret_name_of
from scim.directories.errors import SecretNotFoundError, SecretStoreUnavailableError
from scim.directories.token_watcher import MARGIN
from tests.fakes.crashing import CrashError, Crashing
from tests.fakes.memory_secrets import MemorySecretStore
from tests.tokens import START, TokenWorld

OPERATORS = "an-operators-token-of-40-characters-0000"


@pytest.fixture(name="world")
def _world() -> TokenWorld:
    return TokenWorld()


@pytest.fixture(name="created")
async def _created(world: TokenWorld) -> tuple[str, str]:
    created = await world.new_directory()
    await settle(world)
    return created


@pytest.fixture(name="directory_id")
def _directory_id(created: tuple[str, str]) -> str:
    return created[0]


@pytest.fixture(name="first")
def _first(created: tuple[str, str]) -> str:
    return created[1]


async def settle(world: TokenWorld) -> None:
    """Let rounds pass until nothing of late is looked at again."""
    for _ in range(3):
        world.pass_(seconds=MARGIN.total_seconds())
        await world.watcher().watch()
    world.secrets.calls.clear()
    world.table.requests.clear()


async def ends(world: TokenWorld, directory_id: str) -> list[str | None]:
    """Return why each token ended, by its row; None for those that have not."""
    return [token.end_reason for token in (await world.directory(directory_id)).tokens]


# -- What operators do --------------------------------------------------


async def test_a_version_set_by_an_operator_is_adopted(world: TokenWorld, directory_id: str, first: str) -> None:
    await world.operator_sets(directory_id, OPERATORS)
    await world.watcher().watch()
    assert await world.accepts(directory_id, OPERATORS)
    assert await world.accepts(directory_id, first)
    world.pass_(days=7)
    assert not await world.accepts(directory_id, first)
    assert world.events.types == ["token.adopted"]


async def test_of_several_versions_set_in_a_minute_the_newest_is_adopted(world: TokenWorld, directory_id: str) -> None:
    await world.operator_sets(directory_id, OPERATORS)
    world.pass_(seconds=1)
    await world.operator_sets(directory_id, OPERATORS + "-2")
    for _ in range(3):
        await world.watcher().watch()
    assert await world.accepts(directory_id, OPERATORS + "-2")
    assert not await world.accepts(directory_id, OPERATORS)


async def test_a_disabled_version_ends_its_token(world: TokenWorld, directory_id: str, first: str) -> None:
    (token,) = await world.valid(directory_id)
    await world.secrets.disable(secret_name_of(directory_id), token.version)
    await world.watcher().watch()
    assert not await world.accepts(directory_id, first)
    (ended,) = (await world.directory(directory_id)).tokens
    assert (ended.state, ended.end_reason) == ("ended", "disabled")
    assert [event.data for event in world.events.kept.values()] == [{"reason": "disabled"}]


async def test_a_disabled_version_that_is_not_the_newest_ends_its_token(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    """A list of secrets tells of newest versions only; the watch list makes up for it."""
    (old,) = await world.valid(directory_id)
    new = await world.tokens().rotate(directory_id)
    await settle(world)
    await world.secrets.disable(secret_name_of(directory_id), old.version)
    await world.watcher().watch()
    assert await ends(world, directory_id) == ["disabled", None]
    assert await world.accepts(directory_id, new.token)


async def test_disabling_the_current_version_makes_the_previous_one_current(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    new = await world.tokens().rotate(directory_id)
    await world.secrets.disable(secret_name_of(directory_id), new.record.version)
    await world.watcher().watch()
    world.pass_(days=100)
    assert await world.accepts(directory_id, first)


async def test_a_version_enabled_again_is_disabled_again(world: TokenWorld, directory_id: str, first: str) -> None:
    (token,) = await world.valid(directory_id)
    name = secret_name_of(directory_id)
    await world.secrets.disable(name, token.version)
    await world.watcher().watch()
    world.pass_(minutes=1)
    world.secrets.enable(name, token.version)
    await world.watcher().watch()
    assert await world.enabled(directory_id) == []
    assert not await world.accepts(directory_id, first)


async def test_a_deleted_secret_ends_its_tokens(world: TokenWorld, directory_id: str, first: str) -> None:
    await world.secrets.delete(secret_name_of(directory_id))
    await world.watcher().watch()
    assert not await world.accepts(directory_id, first)
    (ended,) = (await world.directory(directory_id)).tokens
    assert ended.end_reason == "deleted"


async def test_a_recovered_secret_revives_no_token(world: TokenWorld, directory_id: str, first: str) -> None:
    watcher = world.watcher()
    await world.secrets.delete(secret_name_of(directory_id))
    await watcher.watch()
    world.pass_(hours=1)
    await world.new_directory()
    await watcher.watch()
    world.secrets.undelete(secret_name_of(directory_id))
    await watcher.watch()
    assert not await world.accepts(directory_id, first)
    assert await world.enabled(directory_id) == []


async def test_a_list_that_leaves_a_secret_out_ends_nothing(world: TokenWorld, directory_id: str, first: str) -> None:
    class Forgetful(MemorySecretStore):
        async def list_secrets(self, prefix: str) -> Any:
            return []

        async def list_versions(self, name: str) -> Any:
            return []

        async def get(self, name: str, version: str) -> str:
            return await world.secrets.get(name, version)

    await world.watcher(secret_store=Forgetful()).watch()
    assert await world.accepts(directory_id, first)


@pytest.mark.parametrize("value", ["short", "x" * 300, "with a space 01234567890123456789"])
async def test_a_version_that_is_no_token_is_read_once_and_told_in_the_log_without_its_value(
    world: TokenWorld, directory_id: str, first: str, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    version = await world.operator_sets(directory_id, value)
    watcher = world.watcher()
    for _ in range(5):
        await watcher.watch()
        world.pass_(minutes=1)
    assert world.secrets.reads == [(secret_name_of(directory_id), version)]
    assert "was not adopted: token: the newest version of the secret is no token" in caplog.text
    assert value not in caplog.text
    assert await world.accepts(directory_id, first)


async def test_what_an_operator_does_beside_a_refused_version_acts_all_the_same(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    await world.operator_sets(directory_id, "short")
    watcher = world.watcher()
    await watcher.watch()
    (token,) = await world.valid(directory_id)
    world.pass_(hours=1)
    await world.secrets.disable(secret_name_of(directory_id), token.version)
    await watcher.watch()
    assert await ends(world, directory_id) == ["disabled"]


async def test_a_version_is_left_alone_while_its_rotation_is_under_way(world: TokenWorld, directory_id: str) -> None:
    class Watched(MemorySecretStore):
        async def set(self, *arguments: Any, **named: Any) -> str:
            await self._rounds()
            version = await world.secrets.set(*arguments, **named)
            await self._rounds()
            return version

        async def _rounds(self) -> None:
            for _ in range(2):
                await world.watcher().watch()
                assert (await world.reference(directory_id)).watched

    new = await world.tokens(secret_store=Watched()).rotate(directory_id)
    assert await world.accepts(directory_id, new.token)


async def test_an_adopted_version_is_disabled_when_its_token_has_ended(world: TokenWorld, directory_id: str) -> None:
    await world.operator_sets(directory_id, OPERATORS)
    await world.watcher().watch()
    new = await world.tokens().rotate(directory_id, overlap=timedelta(0), force=True)
    world.pass_(days=7)
    await world.watcher().watch()
    assert await world.enabled(directory_id) == [new.record.version]


async def test_secrets_of_others_and_unknown_directories_are_left_alone(world: TokenWorld, directory_id: str) -> None:
    await world.secrets.set("scim-token-" + "f" * 32, OPERATORS, {})
    await world.secrets.set("scim-token-other", OPERATORS, {"fingerprint": "0"})
    await world.secrets.set("database-password", OPERATORS, {"fingerprint": "0"})
    await world.watcher().watch()
    assert world.secrets.count("disable") == world.secrets.count("get") == 0
    assert directory_id


async def test_within_two_minutes_a_warm_process_acts_on_what_an_operator_did(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    process = world.process()
    assert await process.authenticate(directory_id, f"Bearer {first}")
    (token,) = await world.valid(directory_id)
    await world.secrets.disable(secret_name_of(directory_id), token.version)
    world.pass_(seconds=60)
    await world.watcher().watch()
    world.pass_(seconds=30)
    with pytest.raises(Exception, match="bearer token"):
        await process.authenticate(directory_id, f"Bearer {first}")


# -- Crashes and outages ------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(14))
async def test_a_crash_of_a_round_is_made_good_by_the_next(
    world: TokenWorld, directory_id: str, at: int, *, after: bool
) -> None:
    old = (await world.valid(directory_id))[0]
    other, other_token = await world.new_directory()
    await world.tokens().rotate(directory_id)
    await world.secrets.disable(secret_name_of(directory_id), old.version)
    await world.operator_sets(directory_id, OPERATORS)
    steps = count()
    broken = {
        name: Crashing(store, steps, at, after)
        for name, store in {
            "directories": world.store,
            "secret_store": world.secrets,
            "watch_list": world.watch_list,
        }.items()
    }
    crashing: Any = world.watcher(**broken, tokens=world.tokens(**broken))
    try:
        await crashing.watch()
    except CrashError:
        world.pass_(minutes=1)
    for _ in range(2):
        await world.watcher().watch()
    assert await world.accepts(directory_id, OPERATORS)
    assert await world.accepts(other, other_token)
    states = [(token.state, token.origin) for token in (await world.directory(directory_id)).tokens]
    assert states == [("ended", "created"), ("active", "rotated"), ("active", "adopted")]
    assert sorted(world.events.types) == ["token.adopted", "token.ended", "token.rotated"]


async def test_a_directory_that_fails_does_not_keep_others_waiting_and_is_looked_at_again(
    world: TokenWorld, directory_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    other, _ = await world.new_directory()

    class Faulty(MemorySecretStore):
        async def list_versions(self, name: str) -> Any:
            if name == secret_name_of(directory_id):
                raise SecretStoreUnavailableError("throttled")
            return await world.secrets.list_versions(name)

        async def list_secrets(self, prefix: str) -> Any:
            return await world.secrets.list_secrets(prefix)

    for each in (directory_id, other):
        await world.operator_sets(each, OPERATORS)
        world.pass_(hours=1)
    await world.watcher(secret_store=Faulty()).watch()
    assert "were not looked at" in caplog.text
    assert await world.accepts(other, OPERATORS)
    assert not await world.accepts(directory_id, OPERATORS)
    world.pass_(hours=1)
    await world.watcher().watch()
    assert await world.accepts(directory_id, OPERATORS)


async def test_an_outage_of_the_secret_store_is_told_and_changes_nothing(
    world: TokenWorld, directory_id: str, first: str
) -> None:
    world.secrets.failure = SecretStoreUnavailableError("throttled")
    with pytest.raises(SecretStoreUnavailableError):
        await world.watcher().watch()
    world.secrets.failure = None
    assert world.table.count("commit") == 0
    assert await world.accepts(directory_id, first)


async def test_a_version_that_goes_while_it_is_looked_at_is_no_failure(
    world: TokenWorld, directory_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Going(MemorySecretStore):
        async def list_secrets(self, prefix: str) -> Any:
            return await world.secrets.list_secrets(prefix)

        async def list_versions(self, name: str) -> Any:
            return await world.secrets.list_versions(name)

        async def get(self, name: str, version: str) -> str:
            raise SecretNotFoundError("gone")

    await world.operator_sets(directory_id, OPERATORS)
    caplog.set_level(logging.WARNING)
    going = Going()
    await world.watcher(secret_store=going, tokens=world.tokens(secret_store=going)).watch()
    assert caplog.text == ""


# -- What a round costs -------------------------------------------------


async def test_a_round_without_changes_costs_two_storage_requests_and_one_list(
    world: TokenWorld, directory_id: str
) -> None:
    for _ in range(20):
        await world.new_directory()
    watcher = world.watcher()
    await watcher.watch()
    world.table.requests.clear()
    world.secrets.calls.clear()
    await watcher.watch()
    assert [method for method, _ in world.secrets.calls] == ["list_secrets"]
    assert [request.operation for request in world.table.requests] == ["query", "read"]


async def test_only_changed_secrets_are_looked_at(world: TokenWorld, directory_id: str) -> None:
    for _ in range(5):
        await world.new_directory()
    watcher = world.watcher()
    await watcher.watch()
    world.pass_(minutes=1)
    await world.operator_sets(directory_id, OPERATORS)
    world.secrets.calls.clear()
    await watcher.watch()
    looked_at = [name for method, name in world.secrets.calls if method == "list_versions"]
    assert looked_at == [secret_name_of(directory_id)]


async def test_a_directory_is_watched_until_its_only_token_is_the_newest(world: TokenWorld, directory_id: str) -> None:
    await world.tokens().rotate(directory_id)
    watcher = world.watcher()
    for _ in range(3):
        await watcher.watch()
        assert (await world.reference(directory_id)).watched
    world.pass_(days=7)
    for _ in range(3):
        await watcher.watch()
    assert not (await world.reference(directory_id)).watched
    assert len(await world.enabled(directory_id)) == 1


async def test_a_change_during_a_round_keeps_the_directory_watched(world: TokenWorld, directory_id: str) -> None:
    await world.watch_list.watch(directory_id)
    reference = await world.reference(directory_id)
    await world.watch_list.watch(directory_id)
    await world.watch_list.unwatch(reference)
    assert (await world.reference(directory_id)).watched


async def test_a_directory_without_secret_is_looked_at_once(world: TokenWorld, directory_id: str) -> None:
    await world.secrets.delete(secret_name_of(directory_id))
    watcher = world.watcher()
    for _ in range(3):
        await watcher.watch()
    world.secrets.calls.clear()
    for _ in range(3):
        await watcher.watch()
    assert world.secrets.count("list_versions") == 0


async def test_a_first_round_goes_through_many_secrets_in_parts(
    world: TokenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_watcher, "MOST_CHANGES", 4)
    ids = []
    for _ in range(10):
        ids.append((await world.new_directory())[0])
        world.pass_(seconds=1)
    for each in ids:
        await world.operator_sets(each, OPERATORS)
    looked_at: list[str] = []
    for _ in range(3):
        world.secrets.calls.clear()
        await world.watcher().watch()
        looked_at += [name for method, name in world.secrets.calls if method == "list_versions"]
    assert set(looked_at) >= {secret_name_of(each) for each in ids[:4]}
    watcher = world.watcher()
    for _ in range(4):
        await watcher.watch()
    assert all([await world.accepts(each, OPERATORS) for each in ids])


async def test_the_time_of_the_last_change_is_the_stores(world: TokenWorld, directory_id: str) -> None:
    await world.operator_sets(directory_id, OPERATORS)
    changed = world.time
    world.pass_(hours=3)
    await world.watcher().watch()
    assert await world.watch_list.last_change() == changed
    assert isinstance(changed, datetime)
    assert changed - START > timedelta(0)
