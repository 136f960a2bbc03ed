"""Disabling, enabling and deleting a directory, as two instances of the application see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from scim.composition import Application
from scim.directories.deletion import QUIET
from scim.directories.staleness import FRESH_SECONDS
from scim.provisioning.authentication import Authenticator
from scim.provisioning.endpoint import ProvisioningEndpoint
from scim.settings import Settings
from tests.api import ApiClient
from tests.fakes.memory_account import RecordedRelayRequests
from tests.fakes.recorded_uses import RecordedUses
from tests.functional.test_api_directories import scim_of
from tests.service import ScimClient, pass_in_storage

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """A clock to turn, for every instance."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def another_instance(application: Application, clock: Clock) -> Application:
    """Return the application of another process, over the same stores."""
    settings: Settings = application.settings
    instance = Application(
        settings,
        account=application.account,
        secret_store=application.secret_store,
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
    )
    authenticator = Authenticator(
        instance.directory_store, instance.secret_store, now=clock.now, monotonic=clock.monotonic
    )
    instance.__dict__["provisioning"] = ProvisioningEndpoint(authenticator, instance.resources_of, "")
    return instance


async def clients(api: ApiClient, clock: Clock) -> tuple[str, list[ScimClient]]:
    """Return the path of a new directory, and its client on each of two instances, which have it in memory."""
    created = await api.new_directory(await api.new_organization())
    client = await scim_of(api, created)
    both = [replace(client, application=another_instance(api.application, clock)) for _ in range(2)]
    assert [await status(each) for each in both] == [200, 200]
    return f"directories/{created['id']}", both


async def status(client: ScimClient) -> int:
    return (await client.get("/Users", {"count": "1"})).status


async def test_disabling_stops_scim_on_every_instance_within_30_seconds_and_enabling_brings_it_back(
    api: ApiClient, clock: Clock
) -> None:
    one, both = await clients(api, clock)

    await api.patch(one, {"status": "disabled"})
    assert [await status(each) for each in both] == [200, 200]
    clock.seconds += FRESH_SECONDS
    assert [await status(each) for each in both] == [401, 401]

    await api.patch(one, {"status": "active"})
    clock.seconds += FRESH_SECONDS
    assert [await status(each) for each in both] == [200, 200]


async def test_a_disabled_directory_answers_as_to_a_wrong_token(api: ApiClient, clock: Clock) -> None:
    one, (client, _) = await clients(api, clock)
    wrong = await replace(client, token="x" * 40).get("/Users")
    for change in ("disabled", "deleting"):
        if change == "deleting":
            await api.delete(one)
        else:
            await api.patch(one, {"status": change})
        clock.seconds += FRESH_SECONDS
        refused = await client.get("/Users")

        assert (refused.status, refused.json) == (401, wrong.json)
        assert refused.headers.keys() == wrong.headers.keys()


@pytest.mark.parametrize("storage_kind", ["memory", "azurite"])
async def test_a_directory_is_deleted_from_the_api_to_the_last_row(api: ApiClient, clock: Clock) -> None:
    organization = await api.new_organization()
    created = await api.new_directory(organization)
    one, client = f"directories/{created['id']}", await scim_of(api, created)
    users = await client.new_users(30)
    await client.new_group("Team", users)
    background = api.application.background

    begun = await api.delete(one)
    repeated = await api.delete(one)

    assert (begun.status, begun.storage_requests) == (202, 3)
    assert (begun.json["status"], begun.json["deletion"]["removed_rows"]) == ("deleting", 0)
    assert repeated.json == begun.json
    await background.relay_directory(created["id"])
    read = await api.get(one)
    assert read.storage_requests <= 4
    assert (read.json["status"], read.json["counts"]) == ("deleting", None)
    assert read.json["deletion"]["removed_rows"] > 30 * 4
    for method, path in (("GET", f"{one}/users"), ("PATCH", one), ("POST", f"{one}/tokens"), ("GET", f"{one}/events")):
        assert (await api.send(method, path, {} if method != "GET" else None)).status == 409
    assert (await api.delete(f"organizations/{organization}")).status == 409

    pass_in_storage(api.application, QUIET)
    await background.relay_directory(created["id"])

    assert [(await api.get(one)).status, (await api.delete(one)).status] == [404, 404]
    events = (await api.get(f"organizations/{organization}/events")).json["data"]
    assert [event["type"] for event in events] == ["directory.created", "directory.deleted"]
    assert (await api.get(f"organizations/{organization}/directories")).json["data"] == []
    assert [row async for row in client.partition.rows((" ", "~"))] == []
    await background.sweep()
    assert (await api.delete(f"organizations/{organization}")).status == 204
