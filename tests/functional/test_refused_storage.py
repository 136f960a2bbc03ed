"""Storage refuses the service (403, or 401 after another access token): each surface says when to ask again."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from scim.adapters.tables.failures import ProofRejectedError, StorageRefusedError
from scim.adapters.tables.table import StorageUnavailableError
from scim.composed_stores import DIRECTORIES_TABLE
from scim.composition import Application
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable
from tests.portal import Browser
from tests.service import ScimClient, user

REFUSALS = [StorageRefusedError("403"), ProofRejectedError("401")]


def refuse(application: Application, name: str, refusal: StorageUnavailableError) -> None:
    """Let a table refuse everything."""
    table = application.account.table(name)
    assert isinstance(table, MemoryTable)
    table.before = lambda _: refusal


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
async def test_scim_answers_503_with_retry_after(scim: ScimClient, rows: MemoryTable, refusal: Exception) -> None:
    rows.before = lambda _: refusal

    for answer in (await scim.get("/Users"), await scim.post("/Users", user("anna"))):
        assert (answer.status, answer.headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "5")


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
async def test_the_api_answers_503_with_retry_after(api: ApiClient, refusal: StorageUnavailableError) -> None:
    organization = await api.new_organization()
    refuse(api.application, "resources", refusal)
    refuse(api.application, DIRECTORIES_TABLE, refusal)

    answer = await api.get(f"organizations/{organization}/directories")

    assert (answer.status, answer.headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "5")


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
async def test_the_portal_answers_503_with_retry_after(browser: Browser, refusal: StorageUnavailableError) -> None:
    refuse(browser.application, DIRECTORIES_TABLE, refusal)

    page = await browser.get("")

    assert (page.status, page.headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "5")
