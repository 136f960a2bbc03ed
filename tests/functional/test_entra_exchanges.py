"""Replays every exchange of tests/entra_exchanges, as Entra sends it by default and with aadOptscim062020.

The extension is registered through the management API; for exchanges that send it, on the command line, too.
A quirk that is met anew is one more file there: a list of exchanges, each with its name and its source.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from scim.admin.command_line import main
from scim.local_host.azurite import Azurite
from tests.api import ApiClient
from tests.exchanges.registered import MAPPING
from tests.exchanges.runner import Exchange, Replay
from tests.mirror import assert_events_tell_all
from tests.service import EXTENSION_URN, ScimClient

FOLDER = Path(__file__).parent.parent / "entra_exchanges"


EXCHANGES = [
    pytest.param(exchange, id=file.stem)
    for file in sorted(FOLDER.glob("*.json"))
    for exchange in json.loads(file.read_text(encoding="utf-8"))
]


WITH_EXTENSION = [each for each in EXCHANGES if EXTENSION_URN in json.dumps(each.values)]
both_forms = pytest.mark.parametrize("query", ["", "aadOptscim062020"], ids=["legacy", "flag"])


async def new_directory(api: ApiClient) -> ScimClient:
    """Return the client of a directory without mappings, made through the API."""
    created = await api.new_directory(await api.new_organization())
    directory = await api.application.directories.get_directory(created["id"])
    return ScimClient(api.application, directory, created["token"], api.meter)


async def mapped_names(scim: ScimClient) -> list[str]:
    """Return the names of the mappings, as a process reads them that has not met the directory."""
    directory = await scim.application.directories.get_directory(scim.directory.id)
    return [mapping.name for mapping in directory.attribute_mappings]


@both_forms
@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_the_service_answers_as_entra_expects(api: ApiClient, exchange: Exchange, query: str) -> None:
    scim = await new_directory(api)
    path = f"directories/{scim.directory.id}/attribute-mappings"
    assert (await api.put(path, {"attribute_mappings": [MAPPING]})).status == 200

    await Replay(scim, query).run(exchange)

    await scim.relay()
    await assert_events_tell_all(api, scim.directory.id)


@both_forms
@pytest.mark.parametrize("storage_kind", ["azurite"])
@pytest.mark.parametrize("exchange", WITH_EXTENSION)
async def test_a_mapping_of_the_command_line_has_the_same_effect(
    api: ApiClient, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, exchange: Exchange, query: str
) -> None:
    scim = await new_directory(api)
    monkeypatch.setenv("DataStorage", azurite.connection_string)
    monkeypatch.setenv("SCIM_SECRET_STORE", "file:unused")
    command = ["mappings", "add", scim.directory.id, MAPPING["name"], MAPPING["path"], "--json"]
    assert await asyncio.to_thread(main, command) == 0
    assert await mapped_names(scim) == [MAPPING["name"]]

    await Replay(scim, query).run(exchange)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_exchange_tells_what_it_shows_and_where_that_is_written(exchange: Exchange) -> None:
    assert exchange["name"]
    assert exchange["source"]
    assert set(exchange) <= {"name", "source", "requires", "setup", "request", "expect", "then"}
