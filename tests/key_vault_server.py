"""A small vault that speaks the documented REST protocol of Key Vault's secrets, over TLS, and fails on command."""

from __future__ import annotations

import ipaddress
import re
import secrets as random_secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from azure.core.credentials import AccessToken
from azure.keyvault.secrets._shared import http_challenge_cache
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAGE_SIZE = 25
RESOURCE = "https://vault.azure.net"
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_CHALLENGE = (
    'Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001", '
    f'resource="{RESOURCE}"'
)


@dataclass(slots=True)
class FakeCredential:
    """An identity that gets access tokens, or does not."""

    failure: Exception | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)
    """The scopes of every access token that was asked for."""
    token: str = "an-access-token"

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked.append(scopes)
        if self.failure is not None:
            raise self.failure
        return AccessToken(self.token, int(time.time()) + 3600)

    async def close(self) -> None:
        return


@dataclass(slots=True)
class _Version:
    id: str
    value: str
    tags: dict[str, str]
    attributes: dict[str, Any]


@dataclass(slots=True)
class _Secret:
    name: str
    versions: list[_Version] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: method, path, and whether it had an access token."""

    method: str
    path: str
    authorized: bool


@dataclass(slots=True)
class Fault:
    """What is answered in place of the vault's answer."""

    status: int
    code: str = ""
    """The inner code."""
    headers: Mapping[str, str] = field(default_factory=dict)
    applied: bool = False
    """Whether the vault acts before it fails."""
    times: int = 1
    method: str = ""
    """Only requests of this method; any when empty."""
    drop: bool = False
    """Whether the connection breaks in place of an answer."""


@dataclass(slots=True)
class KeyVaultServer:
    """The vault: what it holds, what it was asked, and how it is to fail."""

    url: str = ""
    certificate: Path = Path()
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    access_token: str = "an-access-token"
    now: Callable[[], float] = time.time
    lag: int = 0
    """How many polls a deletion or a recovery is under way for."""
    _secrets: dict[str, _Secret] = field(default_factory=dict)
    _deleted: dict[str, _Secret] = field(default_factory=dict)
    _under_way: dict[str, int] = field(default_factory=dict)

    def application(self) -> web.Application:
        """Return the routes of the protocol."""
        application = web.Application(middlewares=[self._middleware])
        route = application.router.add_route
        route("GET", "/secrets", self._list_secrets)
        route("PUT", "/secrets/{name}", self._set)
        route("DELETE", "/secrets/{name}", self._delete)
        route("GET", "/secrets/{name}/versions", self._list_versions)
        route("GET", "/secrets/{name}{slash:/?}{version:[0-9a-f]*}", self._get)
        route("PATCH", "/secrets/{name}/{version}", self._update)
        route("GET", "/deletedsecrets/{name}", self._get_deleted)
        route("POST", "/deletedsecrets/{name}/recover", self._recover)
        return application

    # -- What an operator does behind the service's back -----------------

    def operator_sets(self, name: str, value: str, **attributes: Any) -> str:
        """Set a version, as ``az keyvault secret set`` does."""
        return self._add(name, value, {}, attributes).id

    def operator_disables(self, name: str, version: str) -> None:
        """Disable a version, as ``az keyvault secret set-attributes --enabled false`` does."""
        self._change(self._find(name, version), {"enabled": False})

    def operator_deletes(self, name: str) -> None:
        """Delete a secret, as ``az keyvault secret delete`` does; it can be recovered."""
        self._deleted[name.lower()] = self._secrets.pop(name.lower())

    def count(self, method: str = "", *, authorized: bool = True) -> int:
        """Return how many requests were made with an access token, or without."""
        return sum(request.authorized is authorized and method in ("", request.method) for request in self.requests)

    # -- The protocol ---------------------------------------------------

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        authorized = request.headers.get("Authorization") == f"Bearer {self.access_token}"
        self.requests.append(Request(request.method, request.path, authorized))
        if not authorized:
            return _error(401, "Unauthorized", headers={"WWW-Authenticate": _CHALLENGE})
        if "api-version" not in request.query:
            return _error(400, "BadParameter")
        fault = self._fault_for(request)
        if fault is None:
            return await self._served(request, handler)
        if fault.applied:
            await self._served(request, handler)
        if fault.drop and request.transport is not None:
            request.transport.close()
        return _error(fault.status, _OUTER.get(fault.status, "Failure"), fault.code, fault.headers)

    def _fault_for(self, request: web.Request) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method in ("", request.method):
                fault.times -= 1
                return fault
        return None

    async def _served(self, request: web.Request, handler: Any) -> web.StreamResponse:
        name = request.match_info.get("name")
        if name is not None and _NAME.fullmatch(name) is None:
            return _error(400, "BadParameter")
        try:
            answer: web.StreamResponse = await handler(request)
        except LookupError:
            return _error(404, "SecretNotFound")
        return answer

    async def _set(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.json()
        if name.lower() in self._deleted:
            code = "ObjectIsBeingRecovered" if self._still_under_way(name) else "ObjectIsDeletedButRecoverable"
            return _error(409, "Conflict", code)
        if "value" not in body or len(body["value"].encode()) > 25 * 1024:
            return _error(400, "BadParameter")
        version = self._add(name, body["value"], body.get("tags") or {}, body.get("attributes") or {})
        return web.json_response(self._bundle(name, version))

    async def _get(self, request: web.Request) -> web.Response:
        name, version_id = request.match_info["name"], request.match_info["version"]
        version = self._find(name, version_id or self._secrets[name.lower()].versions[-1].id)
        if not version.attributes["enabled"]:
            return _error(403, "Forbidden", "SecretDisabled")
        return web.json_response(self._bundle(name, version))

    async def _update(self, request: web.Request) -> web.Response:
        version, body = self._find(request.match_info["name"], request.match_info["version"]), await request.json()
        if body.get("tags") is not None:
            version.tags = body["tags"]
        self._change(version, body.get("attributes") or {})
        return web.json_response(_without_value(self._bundle(request.match_info["name"], version)))

    async def _list_secrets(self, request: web.Request) -> web.Response:
        items = [self._item(secret.name, secret.versions[-1]) for secret in self._secrets.values()]
        return self._page(request, "/secrets", items)

    async def _list_versions(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        secret = self._secrets.get(name.lower())
        versions = secret.versions if secret else []
        # In no order, as the vault answers.
        items = [self._item(f"{name}/{version.id}", version) for version in sorted(versions, key=lambda one: one.id)]
        return self._page(request, f"/secrets/{name}/versions", items)

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        version = self._secrets[name.lower()].versions[-1]
        self.operator_deletes(name)
        self._under_way[name.lower()] = self.lag
        return web.json_response(self._deleted_bundle(name, version))

    async def _get_deleted(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        version = self._deleted[name.lower()].versions[-1]
        if self._still_under_way(name):
            raise LookupError(name)
        return web.json_response(self._deleted_bundle(name, version))

    async def _recover(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self._secrets[name.lower()] = self._deleted.pop(name.lower())
        return web.json_response(_without_value(self._bundle(name, self._secrets[name.lower()].versions[-1])))

    # -- What it holds --------------------------------------------------

    def _add(self, name: str, value: str, tags: Mapping[str, str], attributes: Mapping[str, Any]) -> _Version:
        version = _Version(
            random_secrets.token_hex(16), value, dict(tags), {"enabled": True, "created": self._second()}
        )
        self._change(version, {name: value for name, value in attributes.items() if value is not None})
        self._secrets.setdefault(name.lower(), _Secret(name)).versions.append(version)
        return version

    def _change(self, version: _Version, attributes: Mapping[str, Any]) -> None:
        version.attributes |= {**attributes, "updated": self._second()}

    def _find(self, name: str, version_id: str) -> _Version:
        for version in self._secrets[name.lower()].versions:
            if version.id == version_id:
                return version
        raise LookupError(version_id)

    def _still_under_way(self, name: str) -> bool:
        left = self._under_way.get(name.lower(), 0)
        self._under_way[name.lower()] = max(0, left - 1)
        return left > 0

    def _second(self) -> int:
        return int(self.now())

    def _bundle(self, name: str, version: _Version) -> dict[str, Any]:
        return {"value": version.value, **self._item(f"{name}/{version.id}", version)}

    def _deleted_bundle(self, name: str, version: _Version) -> dict[str, Any]:
        dates = {"deletedDate": self._second(), "scheduledPurgeDate": self._second() + 90 * 86400}
        recovery = {"recoveryId": f"{self.url}/deletedsecrets/{name}"}
        return {**_without_value(self._bundle(name, version)), **recovery, **dates}

    def _item(self, path: str, version: _Version) -> dict[str, Any]:
        attributes = {**version.attributes, "recoveryLevel": "Recoverable", "recoverableDays": 90}
        return {"id": f"{self.url}/secrets/{path}", "attributes": attributes, "tags": dict(version.tags)}

    def _page(self, request: web.Request, path: str, items: list[dict[str, Any]]) -> web.Response:
        start = int(request.query.get("$skiptoken", "0"))
        end = start + min(PAGE_SIZE, int(request.query.get("maxresults", PAGE_SIZE)))
        query = f"api-version={request.query['api-version']}&$skiptoken={end}"
        following = f"{self.url}{path}?{query}" if end < len(items) else None
        return web.json_response({"value": items[start:end], "nextLink": following})


_OUTER = {403: "Forbidden", 409: "Conflict", 429: "Throttled", 500: "InternalServerError", 503: "ServiceUnavailable"}


def _without_value(bundle: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in bundle.items() if name != "value"}


def _error(status: int, code: str, inner: str = "", headers: Mapping[str, str] | None = None) -> web.Response:
    error: dict[str, Any] = {"code": code, "message": "As planned."}
    if inner:
        error["innererror"] = {"code": inner}
    return web.json_response({"error": error}, status=status, headers=headers)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for this machine, good for an hour, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "vault.pem", folder / "vault.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@asynccontextmanager
async def key_vault_server(folder: Path) -> AsyncIterator[KeyVaultServer]:
    """Give a running vault; what clients of this process know of vaults is forgotten first."""
    http_challenge_cache.clear()
    server = KeyVaultServer()
    server.certificate, key = write_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, key)
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"https://{host}:{port}"
    yield server
    await runner.cleanup()
