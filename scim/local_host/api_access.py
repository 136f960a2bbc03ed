"""The API of a local run, and a key that opens all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from scim.composition import Application
from scim.directories.api_key import KEY_SCOPES
from scim.local_host.demo_record import DemoRecord

_RECORDED = "api_key"


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """What the application's backend is given."""

    api_url: str
    api_key: str

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return asdict(self)


async def create_api_access(application: Application, base_url: str) -> ApiAccess:
    """Return a fresh key for everything."""
    made = await application.api_keys.create("Local run", KEY_SCOPES)
    return _access(base_url, made.value)


async def open_demo_api_access(application: Application, record: DemoRecord, base_url: str) -> ApiAccess:
    """Return the key that a record remembers, or a new one where that opens nothing any more."""
    remembered = record.get(_RECORDED)
    if await application.api_keys.recognise(remembered):
        return _access(base_url, remembered)
    access = await create_api_access(application, base_url)
    record.keep(_RECORDED, access.api_key)
    return access


def _access(base_url: str, key: str) -> ApiAccess:
    return ApiAccess(f"{base_url}/api/v1", key)
