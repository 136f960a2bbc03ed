"""A storage account: which client its tables use, and what it refuses."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from subprocess import run
from typing import Self
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken
from multidict import CIMultiDict

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.failures import retry_after
from scim.adapters.tables.rest_table import RestTable
from scim.adapters.tables.retrying_table import RetryingTable
from scim.adapters.tables.sdk_table import SdkTable
from scim.adapters.tables.table import StorageUnavailableError, insert
from scim.adapters.tables.transport import StorageRequest, StorageResponse
from scim.resources.storage_scope import storage_scope
from tests.fakes.stale_identity import StaleIdentities

CONNECTION = "AccountName=acme;AccountKey=c2VjcmV0"


class Recorder:
    """A transport that answers the same to everything."""

    def __init__(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.requests: list[StorageRequest] = []
        self.closed = False
        self._answer = StorageResponse(status, CIMultiDict(headers or {"Content-Type": "application/json"}), body)

    async def send(self, request: StorageRequest, timeout: float) -> StorageResponse:  # noqa: ASYNC109 - as declared
        self.requests.append(request)
        return self._answer

    async def close(self) -> None:
        self.closed = True


class Identity:
    """A managed identity."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        self.asked += 1
        return AccessToken("token", 9_999_999_999)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(("sdk", "client"), [(False, RestTable), (True, SdkTable)])
def test_tables_repeat_calls_of_the_chosen_client(sdk: bool, client: type) -> None:
    table = StorageAccount.from_connection_string(CONNECTION, transport=Recorder(200), sdk=sdk).table("rows")
    assert isinstance(table, RetryingTable)
    assert isinstance(table._table, client)


async def test_closing_closes_the_transport() -> None:
    transport = Recorder(200)
    await StorageAccount.from_connection_string(CONNECTION, transport=transport).close()
    assert transport.closed


def test_a_token_is_never_sent_unencrypted() -> None:
    with pytest.raises(ValueError, match="https"):
        StorageAccount("http://acme.table.core.windows.net", Identity())


@pytest.mark.parametrize("sdk", [False, True])
async def test_a_managed_identity_sends_its_token(sdk: bool) -> None:
    transport = Recorder(404, b'{"odata.error":{"code":"ResourceNotFound","message":{"value":"No."}}}')
    table = StorageAccount("https://acme.table.core.windows.net/", Identity(), transport=transport, sdk=sdk).table(
        "rows"
    )
    assert await table.read("p", "k") is None
    assert transport.requests[0].headers["Authorization"] == "Bearer token"
    assert transport.requests[0].url == "https://acme.table.core.windows.net/rows(PartitionKey='p',RowKey='k')"


async def test_a_token_that_is_not_accepted_is_obtained_anew() -> None:
    identity = Identity()
    table = StorageAccount("https://acme", identity, transport=Recorder(401)).table("rows")
    for _ in range(2):
        with pytest.raises(StorageUnavailableError, match="401"):
            await table.read("p", "k")
    assert identity.asked == 4


class Particular(Recorder):
    """A transport to a storage that accepts another token than the first."""

    async def send(self, request: StorageRequest, timeout: float) -> StorageResponse:  # noqa: ASYNC109 - as declared
        answer = await super().send(request, timeout)
        return StorageResponse(401, answer.headers) if request.headers["Authorization"] == "Bearer token1" else answer


@pytest.mark.parametrize("sdk", [False, True])
async def test_a_rejected_token_that_the_identity_has_cached_costs_one_request(sdk: bool) -> None:
    transport = Particular(404, b'{"odata.error":{"code":"ResourceNotFound","message":{"value":"No."}}}')
    identity = StaleIdentities().identity()
    table = StorageAccount("https://acme", identity, transport=transport, sdk=sdk).table("rows")

    assert await table.read("p", "k") is None
    assert [request.headers["Authorization"] for request in transport.requests] == ["Bearer token1", "Bearer token2"]


async def no_pause(seconds: float) -> None:
    return


@pytest.mark.parametrize("sdk", [False, True])
async def test_an_answer_that_is_no_storage_answer_is_an_outage(sdk: bool) -> None:
    for status, kind in ((200, "text/html"), (200, "application/json"), (202, "multipart/mixed; boundary=x")):
        transport = Recorder(status, b"<html>proxy</html>", {"Content-Type": kind})
        account = StorageAccount.from_connection_string(CONNECTION, transport=transport, sdk=sdk, pause=no_pause)
        table = account.table("rows")
        with pytest.raises(StorageUnavailableError):
            await table.read("p", "k")
        with pytest.raises(StorageUnavailableError):
            await table.query("p", "a", "b")
        with pytest.raises(StorageUnavailableError):
            await table.commit("p", [insert("k", {})])


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after({"retry-after": "7"}) == 7.0
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert (retry_after({"retry-after": "Fri, 21 Oct 2950 07:28:00 GMT"}) or 0) > 1000
    assert retry_after({"retry-after": "later"}) is None
    assert retry_after({}) is None


def test_the_sdk_is_imported_only_where_it_is_used() -> None:
    code = (
        "import sys; from scim.adapters.tables.client import StorageAccount;"
        f"StorageAccount.from_connection_string({CONNECTION!r}).table('rows');"
        "print([name for name in sys.modules if name.startswith(('azure', 'aiohttp'))])"
    )
    found = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


@pytest.mark.parametrize("sdk", [False, True])
async def test_a_refusal_of_storage_is_told_in_the_log(sdk: bool, caplog: pytest.LogCaptureFixture) -> None:
    transport = Recorder(403, b'{"odata.error":{"code":"AuthorizationFailure","message":{"value":"No."}}}')
    table = StorageAccount.from_connection_string(CONNECTION, transport=transport, sdk=sdk).table("rows")

    with caplog.at_level(logging.ERROR), pytest.raises(StorageUnavailableError):
        await table.commit("p", [insert("k", {})])

    assert "storage refused a call: 403 AuthorizationFailure" in caplog.text


@pytest.mark.parametrize("sdk", [False, True])
@pytest.mark.parametrize(("seconds", "allowed"), [(20.0, 8), (5.5, 4), (1.5, 1)])
async def test_every_write_tells_storage_to_give_up_before_its_client(sdk: bool, seconds: float, allowed: int) -> None:
    transport = Recorder(403)
    table = StorageAccount.from_connection_string(CONNECTION, transport=transport, sdk=sdk).table("rows")

    with storage_scope(seconds), pytest.raises(StorageUnavailableError):
        await table.commit("p", [insert("k", {})])

    (request,) = transport.requests
    assert parse_qs(urlsplit(request.url).query) == {"timeout": [str(allowed)]}
