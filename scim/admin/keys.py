"""Commands on API keys; the first key is made by one of them."""

from __future__ import annotations

from argparse import Namespace

from scim.admin.command import Command, argument
from scim.admin.result import Listed, Shown
from scim.admin.values import moment
from scim.composition import Application
from scim.directories.api_key import KEY_SCOPES
from scim.management.keys import shown

_COLUMNS = (
    "id",
    "name",
    "scopes",
    "organization_id",
    "last_four",
    "created_by",
    "expires_at",
    "revoked_at",
    "last_used_at",
)


async def _list(application: Application, options: Namespace) -> Listed:
    keys = await application.api_keys.list(options.organization)
    return Listed("API keys", _COLUMNS, [shown(key).model_dump(mode="json") for key in keys])


async def _create(application: Application, options: Namespace) -> Shown:
    made = await application.api_keys.create(
        options.name, options.scopes or KEY_SCOPES, organization_id=options.organization, expires_at=options.expires_at
    )
    return Shown({**shown(made.key).model_dump(mode="json"), "key": made.value}, secret="key")  # noqa: S106 - a name


async def _revoke(application: Application, options: Namespace) -> Shown:
    ended = await application.key_revocation.revoke(options.key, cascade=options.cascade)
    keys = [key_id for key_id in ended.keys if key_id != options.key]
    others = {"also_revoked": keys, "links_revoked": list(ended.links)} if options.cascade else {}
    return Shown({"id": options.key, "status": "revoked", **others})


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
            argument(
                "--scopes", nargs="+", action="extend", choices=KEY_SCOPES, help="what it may; default: all of them"
            ),
            _ORGANIZATION,
            argument("--expires-at", type=moment, metavar="TIME", help="default: never"),
        ),
    ),
    Command(
        "keys",
        "revoke",
        "revoke an API key, and with --cascade the keys and links that it made",
        _revoke,
        (
            argument("key", metavar="KEY", help="its id, key_…"),
            argument(
                "--cascade",
                action="store_true",
                help="the keys that it made, too, theirs, and the links to the portal of all of them",
            ),
        ),
    ),
)
