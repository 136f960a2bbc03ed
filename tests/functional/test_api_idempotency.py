"""POST requests that are sent again with their Idempotency-Key, and a crash between any two of their steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from scim.composed_stores import DIRECTORIES_TABLE
from scim.composition import Application
from scim.directories.api_key import KEY_SCOPES
from scim.directories.errors import DirectoryStoreUnavailableError, SecretStoreUnavailableError
from scim.directories.token_service import SHOWN_AGAIN_WITHIN
from scim.management.idempotency import KEPT_FOR, TAKEN_OVER_AFTER
from scim.management.openapi import openapi_document
from scim.management.registry import OPERATIONS
from scim.settings import Settings, StorageSettings
from tests.api import ApiClient, warm
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import Request
from tests.fakes.recorded_uses import RecordedUses
from tests.faults import FaultyTransport, drop_after_commit
from tests.service import ORIGIN, Answer, ScimClient, pass_in_storage

POSTS = [each for each in OPERATIONS if each.method == "POST"]
ONLY_HASHED = ("create_key", "create_portal_link")
KEY = "5b1d-first"


class DeathError(BaseException):
    """The process ended here; nothing of it goes on."""


@dataclass(slots=True)
class Clock:
    """Counts the steps of a request, and ends the process at one of them."""

    at: int = -1
    after: bool = False
    steps: int = 0

    def step(self, *, after: bool) -> None:
        """Die when it is time to; a step is counted when it begins."""
        self.steps += not after
        if (self.steps - 1, after) == (self.at, self.after):
            self.at = -1
            raise DeathError

    def start(self, at: int = -1, *, after: bool = False) -> None:
        self.at, self.after, self.steps = at, after, 0


@dataclass(slots=True)
class MortalSecrets(MemorySecretStore):
    """A secret store whose calls are steps."""

    clock: Clock = field(default_factory=Clock)

    async def set(self, name: str, value: str, tags: Any, *, expires: datetime | None = None) -> str:
        self.clock.step(after=False)
        version = await super(MortalSecrets, self).set(name, value, tags, expires=expires)
        self.clock.step(after=True)
        return version


@dataclass(frozen=True, slots=True)
class World:
    """A service whose process can end at any step, and the time of its claims."""

    api: ApiClient
    clock: Clock
    secrets: MortalSecrets

    def later(self, span: timedelta) -> None:
        """Let time pass for everything that was made by now."""
        application = self.api.application
        services: tuple[Any, ...] = (application.idempotency, application.tokens, application.creations)
        for service in (*services, application.directories):
            service._now = _shifted(service._now, span)
        pass_in_storage(application, span)


def _shifted(now: Callable[[], datetime], span: timedelta) -> Callable[[], datetime]:
    return lambda: now() + span


@pytest.fixture
async def world() -> World:
    clock = Clock()

    def before(request: Request) -> None:
        clock.step(after=False)

    def after(request: Request) -> None:
        clock.step(after=True)

    account, secrets = MemoryAccount(), MortalSecrets(clock=clock)
    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=account,
        secret_store=secrets,
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
    )
    made = await application.api_keys.create("backend", KEY_SCOPES)
    api = await warm(ApiClient(application, made.value, account.requests))
    account.table(DIRECTORIES_TABLE).before = before
    account.table(DIRECTORIES_TABLE).after = after
    return World(api, clock, secrets)


async def scene(api: ApiClient, operation_id: str) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of a POST, once what it needs is there."""
    organization = await api.new_organization()
    if operation_id == "create_organization":
        return "organizations", {"name": "Contoso", "external_id": "c-1"}
    if operation_id == "create_directory":
        return f"organizations/{organization}/directories", {"name": "Entra", "provider": "entra_id"}
    if operation_id == "rotate_token":
        return f"directories/{(await api.new_directory(organization))['id']}/tokens", {}
    if operation_id == "create_portal_link":
        return f"organizations/{organization}/portal-links", {}
    assert operation_id == "create_key", "a new POST needs a scene here"
    return "keys", {"name": "reader", "scopes": ["read"], "organization_id": organization}


async def listed(api: ApiClient, path: str) -> list[Any]:
    """Return the things that a POST on a path adds to; of tokens and links those that open something."""
    entries = await api.all_pages(path, 100)
    return [entry for entry in entries if entry.get("state") != "ended" and not entry.get("revoked_at")]


async def secret_opens(api: ApiClient, operation_id: str, path: str, answer: Answer) -> bool:
    """Tell whether what was shown once opens what it should."""
    if operation_id == "create_organization":
        return True
    if operation_id == "create_key":
        return (await replace(api, key=answer.json["key"]).get("organizations")).status == 200
    if operation_id == "create_portal_link":
        code = answer.json["url"].partition("#")[2]
        return await api.application.portal_access.redeem(code) is not None
    directory_id = path.split("/")[1] if operation_id == "rotate_token" else answer.json["id"]
    directory = await api.application.directories.get_directory(directory_id)
    scim = ScimClient(api.application, directory, answer.json["token"], api.meter)
    return (await scim.get("/Users")).status == 200


@pytest.mark.parametrize("operation", POSTS, ids=lambda each: each.id)
async def test_a_request_sent_again_is_answered_as_before_and_makes_nothing_twice(
    api: ApiClient, operation: Any
) -> None:
    path, body = await scene(api, operation.id)
    before = len(await listed(api, path))

    first = await api.post(path, body, idempotency_key=KEY)
    again = await api.post(path, body, idempotency_key=KEY)

    shown = {operation.secret.field: None} if operation.id in ONLY_HASHED else {}
    assert (first.status, again.status) == (201, 201)
    assert again.json == {**first.json, **shown}
    assert len(await listed(api, path)) == before + 1
    assert await secret_opens(api, operation.id, path, first)


@pytest.mark.parametrize("operation", POSTS, ids=lambda each: each.id)
async def test_what_is_shown_once_is_not_kept_with_the_answer(api: ApiClient, operation: Any) -> None:
    path, body = await scene(api, operation.id)

    first = await api.post(path, body, idempotency_key=KEY)

    table: Any = api.application.account.table(DIRECTORIES_TABLE)
    (partition,) = [each for each in table.partitions() if each.startswith("idem|")]
    (row,) = table.rows(partition).values()
    secrets = [first.json[name] for name in ("token", "key", "url") if name in first.json]
    assert len(secrets) == (operation.secret is not None)
    assert all(secret not in str(row.values) for secret in secrets)
    assert KEY not in partition + row.key


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", POSTS, ids=lambda each: each.id)
async def test_after_a_crash_between_any_two_steps_the_request_sent_again_completes_it_once(
    world: World, operation: Any, after: bool
) -> None:
    api, at = world.api, 0
    while True:
        path, body = await scene(api, operation.id)
        body = {**body, "external_id": f"c-{at}-{after}"} if "external_id" in body else body
        name, before = f"{KEY}-{at}", len(await listed(api, path))
        world.clock.start(at, after=after)
        try:
            await api.post(path, body, idempotency_key=name)
        except DeathError:
            at += 1
        else:
            break
        world.later(TAKEN_OVER_AFTER)

        made = await api.post(path, body, idempotency_key=name)

        assert made.status == 201, (at, made.json)
        assert len(await listed(api, path)) == before + 1, at
        if operation.secret is None or made.json[operation.secret.field] is not None:
            assert await secret_opens(api, operation.id, path, made), at
        else:
            # The last step had taken place: it is a replay, and nobody knows the value any more.
            assert (operation.id in ONLY_HASHED, after) == (True, True)
        again = await api.post(path, body, idempotency_key=name)
        identity = "version" if operation.id == "rotate_token" else "id"
        assert (again.status, again.json[identity]) == (201, made.json[identity])
    world.clock.start()
    path, body = await scene(api, operation.id)
    world.clock.start()
    await api.post(path, body, idempotency_key="counted")
    assert at == world.clock.steps


async def test_a_directory_whose_creation_crashed_is_completed_after_the_sweep_gave_it_up(world: World) -> None:
    api = world.api
    path, body = await scene(api, "create_directory")
    world.clock.start(6)  # the claim, the organization, the entry, the row, the link, then the secret
    with pytest.raises(DeathError):
        await api.post(path, body, idempotency_key=KEY)
    directories = api.application.directories
    directories._now = _shifted(directories._now, timedelta(minutes=20))
    for reference in (await directories.list_directories()).references:
        await directories.complete_creation(reference)
    world.later(TAKEN_OVER_AFTER)

    made = await api.post(path, body, idempotency_key=KEY)

    assert made.status == 201
    assert await secret_opens(api, "create_directory", path, made)
    assert [each["id"] for each in await listed(api, path)] == [made.json["id"]]


@pytest.mark.parametrize("operation_id", ["create_directory", "create_organization"])
async def test_what_was_made_and_deleted_since_is_not_made_again_under_its_id(world: World, operation_id: str) -> None:
    api = world.api
    path, body = await scene(api, operation_id)
    world.clock.start()
    await api.post(path, body, idempotency_key="counted")
    steps = world.clock.steps
    before = {each["id"] for each in await listed(api, path)}
    world.clock.start(steps - 1)  # the claim's answer
    body = {**body, "external_id": "another"} if "external_id" in body else body
    with pytest.raises(DeathError):
        await api.post(path, body, idempotency_key=KEY)
    (made,) = {each["id"] for each in await listed(api, path)} - before
    directories = api.application.directories
    if operation_id == "create_directory":
        await api.application.directory_store.forget_directory(await directories.get_directory(made))
    else:
        await directories.delete_organization(await directories.get_organization(made))
    world.later(TAKEN_OVER_AFTER)

    refused = await api.post(path, body, idempotency_key=KEY)

    assert (refused.status, refused.json["type"].rpartition(":")[2]) == (409, "deleted-meanwhile")
    assert made not in {each["id"] for each in await listed(api, path)}
    assert (await api.post(path, body, idempotency_key="new")).status == 201


async def test_a_key_that_was_revoked_since_is_not_answered_as_a_new_one(world: World) -> None:
    api, body = world.api, {"name": "Warehouse", "scopes": ["read"]}
    before = {each["id"] for each in await listed(api, "keys")}
    world.clock.start()
    before.add((await api.post("keys", body, idempotency_key="counted")).json["id"])
    world.clock.start(world.clock.steps - 1)  # the claim's answer
    with pytest.raises(DeathError):
        await api.post("keys", body, idempotency_key=KEY)
    (made,) = {each["id"] for each in await listed(api, "keys")} - before
    await api.application.api_keys.revoke(made)
    world.later(TAKEN_OVER_AFTER)

    refused = await api.post("keys", body, idempotency_key=KEY)

    assert (refused.status, refused.json["type"].rpartition(":")[2]) == (409, "deleted-meanwhile")
    assert (await api.get(f"keys/{made}")).json["revoked_at"] is not None
    assert (await api.post("keys", body, idempotency_key=KEY)).status == 201


async def test_a_token_is_shown_again_within_ten_minutes_only_and_while_it_is_valid(world: World) -> None:
    api = world.api
    path, body = await scene(api, "create_directory")
    made = await api.post(path, body, idempotency_key=KEY)
    tokens = f"directories/{made.json['id']}/tokens"
    rotated = await api.post(tokens, {}, idempotency_key=KEY + "2")

    assert (await api.post(tokens, {}, idempotency_key=KEY + "2")).json["token"] == rotated.json["token"]
    world.later(SHOWN_AGAIN_WITHIN)

    assert (await api.post(tokens, {}, idempotency_key=KEY + "2")).json == {**rotated.json, "token": None}
    assert (await api.post(path, body, idempotency_key=KEY)).json == {**made.json, "token": None}


async def test_a_request_under_way_is_a_409_until_a_minute_has_passed(world: World) -> None:
    api = world.api
    path, body = await scene(api, "create_organization")
    world.clock.start(1)
    with pytest.raises(DeathError):
        await api.post(path, body, idempotency_key=KEY)

    refused = await api.post(path, body, idempotency_key=KEY)

    assert (refused.status, refused.headers["Retry-After"]) == (409, "1")
    assert refused.json["type"].endswith(":idempotency-key-in-use")
    world.later(TAKEN_OVER_AFTER)
    assert (await api.post(path, body, idempotency_key=KEY)).status == 201


async def test_of_several_at_once_one_runs(api: ApiClient) -> None:
    path, body = await scene(api, "create_directory")

    answers = await asyncio.gather(*(api.post(path, body, idempotency_key=KEY) for _ in range(5)))

    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.json["id"] for answer in answers if answer.status == 201}) == 1
    assert len(await listed(api, path)) == 1


async def test_the_key_of_another_request_is_a_422(api: ApiClient) -> None:
    path, body = await scene(api, "create_organization")
    assert (await api.post(path, body, idempotency_key=KEY)).status == 201

    for other_path, other in ((path, {**body, "name": "Other"}), ("keys", {"name": "a", "scopes": ["read"]})):
        refused = await api.post(other_path, other, idempotency_key=KEY)
        assert (refused.status, refused.json["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    reordered = dict(reversed(body.items()))
    assert (await api.post(path, reordered, idempotency_key=KEY)).status == 201


async def test_each_api_key_has_idempotency_keys_of_its_own(api: ApiClient) -> None:
    other = await api.with_key()
    body = {"name": "Contoso"}

    first, second = [await each.post("organizations", body, idempotency_key=KEY) for each in (api, other)]

    assert (first.status, second.status) == (201, 201)
    assert first.json["id"] != second.json["id"]


async def test_a_refused_request_frees_its_key(api: ApiClient) -> None:
    path, body = await scene(api, "create_organization")
    await api.post(path, body)
    assert (await api.post(path, body, idempotency_key=KEY)).status == 409

    mended = await api.post(path, {**body, "external_id": "c-2"}, idempotency_key=KEY)

    assert mended.status == 201


async def test_an_outage_frees_its_key_for_the_same_request_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = world.api
    path, body = await scene(api, "create_directory")
    world.secrets.failure = SecretStoreUnavailableError("throttled")
    assert (await api.post(path, body, idempotency_key=KEY)).status == 503
    world.secrets.failure = None

    assert (await api.post(path, {**body, "name": "Other"}, idempotency_key=KEY)).status == 422
    made = await api.post(path, body, idempotency_key=KEY)

    assert made.status == 201
    assert await secret_opens(api, "create_directory", path, made)
    assert [each["id"] for each in await listed(api, path)] == [made.json["id"]]


async def test_a_claim_that_cannot_be_freed_lapses(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    path, body = await scene(api, "create_organization")
    outage = DirectoryStoreUnavailableError("busy")
    with monkeypatch.context() as broken:
        broken.setattr(api.application.creations, "create_organization", AsyncMock(side_effect=outage))
        broken.setattr(api.application.idempotency._store, "change", AsyncMock(side_effect=outage))
        assert (await api.post(path, body, idempotency_key=KEY)).status == 503

    assert (await api.post(path, body, idempotency_key=KEY)).status == 409
    idempotency = api.application.idempotency
    idempotency._now = _shifted(idempotency._now, TAKEN_OVER_AFTER)
    assert (await api.post(path, body, idempotency_key=KEY)).status == 201


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 256, "a\tb"])
async def test_a_malformed_key_is_a_422(api: ApiClient, name: str) -> None:
    refused = await api.post("organizations", {"name": "a"}, idempotency_key=name)

    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "idempotency-key")


async def test_a_day_later_the_key_is_free_and_retention_forgets_the_claim(world: World) -> None:
    api = world.api
    first = await api.post("organizations", {"name": "Contoso"}, idempotency_key=KEY)
    await api.post("organizations", {"name": "Contoso"}, idempotency_key=KEY + "2")
    assert await api.application.forget_old_claims() == 0
    world.later(KEPT_FOR)

    second = await api.post("organizations", {"name": "Contoso Ltd"}, idempotency_key=KEY)

    assert second.status == 201
    assert second.json["id"] != first.json["id"]
    assert await api.application.forget_old_claims() == 1
    assert (await api.post("organizations", {"name": "Contoso Ltd"}, idempotency_key=KEY)).json == second.json


async def test_the_header_means_nothing_on_other_methods(api: ApiClient) -> None:
    organization = await api.new_organization()

    for name in ("a", "b"):
        changed = await api.patch(f"organizations/{organization}", {"name": name}, idempotency_key=KEY)
        assert changed.json["name"] == name


def test_every_post_documents_the_header_and_its_answers() -> None:
    for path, methods in openapi_document(OPERATIONS, ORIGIN)["paths"].items():
        for method, described in methods.items():
            headers = [each["name"] for each in described["parameters"] if each["in"] == "header"]
            assert headers == (["Idempotency-Key"] if method == "post" else []), path
            assert method != "post" or {"409", "422"} <= described["responses"].keys()


@pytest.mark.parametrize("storage_kind", ["azurite"])
@pytest.mark.parametrize("operation", POSTS, ids=lambda each: each.id)
async def test_a_lost_answer_of_any_storage_call_makes_nothing_twice(
    api: ApiClient, account: Any, operation: Any
) -> None:
    transport: FaultyTransport = account._transport
    path, body = await scene(api, operation.id)
    transport.reset()
    await api.post(path, body, idempotency_key="counted")
    calls = len(transport.calls)
    for number in range(1, calls + 1):
        path, body = await scene(api, operation.id)
        body = {**body, "external_id": f"lost-{number}"} if "external_id" in body else body
        before = len(await listed(api, path))
        transport.reset()
        transport.at(number, drop_after_commit())

        made = await api.post(path, body, idempotency_key=f"{KEY}-{number}")

        transport.reset()
        assert made.status == 201, (number, made.json)
        assert len(await listed(api, path)) == before + 1
        assert await secret_opens(api, operation.id, path, made)


@pytest.mark.parametrize("operation", POSTS, ids=lambda each: each.id)
async def test_the_header_costs_two_storage_requests(api: ApiClient, operation: Any) -> None:
    path, body = await scene(api, operation.id)
    plain = await api.post(path, {**body, "external_id": "c-2"} if "external_id" in body else body)
    path, body = await scene(api, operation.id)

    kept = await api.post(path, body, idempotency_key=KEY)

    assert kept.storage_requests == plain.storage_requests + 2
