"""Commands on API keys; the first key is made by one of them."""

from __future__ import annotations

from argparse import Namespace

from scim.admin.command import Command, argument
from scim.admin.result import Listed, Shown
from scim.admin.values import moment
from scim.composition import Application
from scim.management.keys import shown

_COLUMNS = ("id", "name", "scope", "organization_id", "last_four", "expires_at", "revoked_at", "last_used_at")


async def _list(application: Application, options: Namespace) -> Listed:
    keys = await application.api_keys.list(options.organization)
    return Listed("API keys", _COLUMNS, [shown(key).model_dump(mode="json") for key in keys])


async def _create(application: Application, options: Namespace) -> Shown:
    made = await application.api_keys.create(
        options.name, options.scope, organization_id=options.organization, expires_at=options.expires_at
    )
    return Shown({**shown(made.key).model_dump(mode="json"), "key": made.value}, secret="key")  # noqa: S106 - a name


async def _revoke(application: Application, options: Namespace) -> Shown:
    await application.api_keys.revoke(options.key)
    return Shown({"id": options.key, "status": "revoked"})


_ORGANIZATION = argument("--organization", metavar="ID", help="of this organization alone")
COMMANDS = (
    Command("keys", "list", "list API keys", _list, (_ORGANIZATION,)),
    Command(
        "keys",
        "create",
        "make an API key, shown once",
        _create,
        (
            argument("name", metavar="NAME", help="who uses it"),
            argument("--scope", choices=("read", "write"), default="write", help="default: write"),
            _ORGANIZATION,
            argument("--expires-at", type=moment, metavar="TIME", help="default: never"),
        ),
    ),
    Command("keys", "revoke", "revoke an API key", _revoke, (argument("key", metavar="KEY", help="its id, key_…"),)),
)
