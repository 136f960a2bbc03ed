"""Connection strings, signatures and access tokens of Table Storage."""

from __future__ import annotations

import asyncio
import logging
import time
from base64 import b64encode

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from scim.adapters.azure_identity import FORGET_PAUSE, AppIdentity, azure_credential
from scim.adapters.tables.authorization import BearerToken, SharedKeyLite, parse_connection_string
from scim.adapters.tables.failures import AttemptFailedError
from scim.resources.storage_scope import storage_scope
from tests.fakes.stale_identity import StaleIdentities

KEY = b64encode(b"a secret key").decode()


def test_an_account_in_the_public_cloud() -> None:
    account = parse_connection_string(f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};")
    assert (account.name, account.endpoint) == ("acme", "https://acme.table.core.windows.net")
    assert account.key == KEY


def test_another_cloud_and_an_endpoint_of_its_own() -> None:
    text = f"accountname=acme;ACCOUNTKEY={KEY};EndpointSuffix=core.chinacloudapi.cn"
    assert parse_connection_string(text).endpoint == "https://acme.table.core.chinacloudapi.cn"
    text += ";TableEndpoint=http://127.0.0.1:10002/acme/"
    assert parse_connection_string(text).endpoint == "http://127.0.0.1:10002/acme"


def test_the_development_storage() -> None:
    account = parse_connection_string("UseDevelopmentStorage=true")
    assert account.name == "devstoreaccount1"
    assert account.endpoint == "http://127.0.0.1:10002/devstoreaccount1"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", "AccountName"),
        (f"AccountKey={KEY}", "AccountName"),
        ("AccountName=acme", "AccountKey"),
        ("AccountName=acme;SharedAccessSignature=sv=1", "AccountKey"),
        ("AccountName=acme;AccountKey=n*t base64", "Base64"),
    ],
)
def test_a_connection_string_that_cannot_serve_says_why(text: str, missing: str) -> None:
    with pytest.raises(ValueError, match=missing) as caught:
        parse_connection_string(text)
    assert "n*t" not in str(caught.value)


def test_an_account_does_not_show_its_key() -> None:
    assert KEY not in repr(parse_connection_string(f"AccountName=acme;AccountKey={KEY}"))


async def test_the_signature_covers_date_and_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 0.0)
    signer = SharedKeyLite(parse_connection_string(f"AccountName=acme;AccountKey={KEY}"))
    first: dict[str, str] = {}
    await signer.authorize(first, "/rows()")
    other: dict[str, str] = {}
    await signer.authorize(other, "/rows(PartitionKey='a')")
    assert first["x-ms-date"].endswith(" GMT")
    assert first["Authorization"].startswith("SharedKeyLite acme:")
    assert first["Authorization"] != other["Authorization"]


class Credential:
    """An identity whose tokens are numbered, and which fails or waits when told to."""

    def __init__(self, *lifetimes: float) -> None:
        self.lifetimes = list(lifetimes)
        self.asked = 0
        self.fails = False
        self.released = asyncio.Event()
        self.released.set()

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        self.asked += 1
        number = self.asked
        await self.released.wait()
        if self.fails:
            raise ClientAuthenticationError("no")
        return AccessToken(f"token{number}", int(time.time() + self.lifetimes.pop(0)))


def bearer(credential: Credential) -> BearerToken:
    return BearerToken(credential)  # type: ignore[arg-type]


async def header(token: BearerToken) -> str:
    headers: dict[str, str] = {}
    await token.authorize(headers, "/rows()")
    assert headers["x-ms-date"].endswith("GMT")
    return headers["Authorization"]


async def test_a_token_serves_many_requests() -> None:
    credential = Credential(3600)
    token = bearer(credential)
    assert {await header(token) for _ in range(5)} == {"Bearer token1"}
    assert credential.asked == 1


async def test_concurrent_requests_obtain_one_token() -> None:
    credential = Credential(3600)
    credential.released.clear()
    token = bearer(credential)
    waiting = [asyncio.create_task(header(token)) for _ in range(20)]
    await asyncio.sleep(0)
    credential.released.set()
    assert set(await asyncio.gather(*waiting)) == {"Bearer token1"}
    assert credential.asked == 1


async def test_a_token_is_renewed_before_it_ends_while_it_still_serves() -> None:
    credential = Credential(500, 3600)
    token = bearer(credential)
    assert await header(token) == "Bearer token1"
    token._renew_at = 0.0  # 30 seconds later
    assert await header(token) == "Bearer token1"
    await asyncio.sleep(0.01)
    assert await header(token) == "Bearer token2"
    assert credential.asked == 2


async def test_a_failed_renewal_is_logged_and_not_tried_by_every_request(caplog: pytest.LogCaptureFixture) -> None:
    credential = Credential(500)
    token = bearer(credential)
    await header(token)
    credential.fails = True
    token._renew_at = 0.0
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert await header(token) == "Bearer token1"
            await asyncio.sleep(0.001)
    assert credential.asked == 2
    assert "ClientAuthenticationError" in caplog.text


async def test_without_a_token_the_attempt_fails_and_nothing_was_sent() -> None:
    credential = Credential()
    credential.fails = True
    with pytest.raises(AttemptFailedError, match="ClientAuthenticationError") as caught:
        await header(bearer(credential))
    assert not caught.value.may_be_applied


async def test_a_token_that_does_not_come_ends_with_the_request() -> None:
    credential = Credential()
    credential.released.clear()
    token = bearer(credential)
    with storage_scope(0.05), pytest.raises(AttemptFailedError):
        await header(token)
    credential.fails = True
    credential.released.set()
    await asyncio.sleep(0.01)


async def test_a_token_that_was_not_accepted_is_replaced() -> None:
    credential = Credential(3600, 3600)
    token = bearer(credential)
    await header(token)
    token.forget("Bearer token1")
    assert await header(token) == "Bearer token2"


async def test_requests_that_were_refused_together_cost_one_new_token() -> None:
    credential = Credential(3600, 3600)
    token = bearer(credential)
    refused = [await header(token) for _ in range(5)]
    for proof in refused:
        token.forget(proof)
        assert await header(token) == "Bearer token2"
    assert credential.asked == 2


async def test_a_rejected_token_is_dropped_with_what_the_credential_has_cached() -> None:
    token = BearerToken(StaleIdentities().identity())
    assert await header(token) == "Bearer token1"
    token.forget("Bearer token1")
    assert await header(token) == "Bearer token2"


async def test_tokens_are_dropped_at_most_once_in_thirty_seconds() -> None:
    now, made = 100.0, StaleIdentities()
    identity = AppIdentity(made, lambda: now)

    tokens = []
    for _ in range(3):
        tokens.append((await identity.get_token("scope")).token)
        identity.forget()
    now += FORGET_PAUSE
    identity.forget()
    tokens.append((await identity.get_token("scope")).token)
    await identity.close()

    assert tokens == ["token1", "token2", "token2", "token3"]
    assert made.closed == made.made == 3


async def test_the_credential_of_azure_is_made_when_it_is_first_used() -> None:
    identity = azure_credential("")

    identity.forget()
    await identity.close()
