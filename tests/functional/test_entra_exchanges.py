"""Replays every exchange of tests/entra_exchanges, as Entra sends it by default and with aadOptscim062020.

A quirk that is met anew is one more file there: a list of exchanges, each with its name and its source.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.exchanges.runner import Exchange, Replay
from tests.service import ScimClient

FOLDER = Path(__file__).parent.parent / "entra_exchanges"


EXCHANGES = [
    pytest.param(exchange, id=file.stem)
    for file in sorted(FOLDER.glob("*.json"))
    for exchange in json.loads(file.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("query", ["", "aadOptscim062020"], ids=["legacy", "flag"])
@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_the_service_answers_as_entra_expects(scim: ScimClient, exchange: Exchange, query: str) -> None:
    await Replay(scim, query).run(exchange)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_exchange_tells_what_it_shows_and_where_that_is_written(exchange: Exchange) -> None:
    assert exchange["name"]
    assert exchange["source"]
    assert set(exchange) <= {"name", "source", "requires", "setup", "request", "expect", "then"}
