"""Commands on the tokens of a directory."""

from __future__ import annotations

from argparse import Namespace

from scim.admin.command import Command, argument
from scim.admin.result import Listed, Shown
from scim.admin.values import moment, span
from scim.composition import Application
from scim.directories.errors import InvalidValueError
from scim.directories.token_changes import DEFAULT_OVERLAP
from scim.management.tokens import shown, shown_once

_COLUMNS = ("version", "state", "last_four", "created_at", "expires_at", "ends_at", "end_reason", "last_used_at")
_DIRECTORY = argument("directory", metavar="DIRECTORY", help="its id, dir_…")
_OVERLAP = argument(
    "--overlap",
    type=span,
    default=DEFAULT_OVERLAP,
    metavar="SPAN",
    help="how long the token that is replaced stays valid, such as 12h or 0; default: 7d",
)


async def _list(application: Application, options: Namespace) -> Listed:
    return await _listed(application, options.directory)


async def _rotate(application: Application, options: Namespace) -> Shown:
    made = await application.tokens.rotate(
        options.directory, overlap=options.overlap, expires_at=options.expires_at, force=options.force
    )
    entry = {"directory_id": made.directory.id, **shown_once(made).model_dump(mode="json")}
    return Shown(entry, secret="token")  # noqa: S106 - the name of a field


async def _revoke(application: Application, options: Namespace) -> Listed:
    if options.all:
        await application.tokens.revoke_all(options.directory)
    elif options.version:
        await application.tokens.revoke(options.directory, options.version)
    else:
        raise InvalidValueError("version", "name a version, or give --all")
    return await _listed(application, options.directory)


async def _adopt(application: Application, options: Namespace) -> Listed:
    if await application.tokens.adopt(options.directory, overlap=options.overlap) is None:
        raise InvalidValueError(
            "token", "the secret store has no newer version; set one with az keyvault secret set, without tags"
        )
    return await _listed(application, options.directory)


async def _listed(application: Application, directory_id: str) -> Listed:
    tokens = await application.tokens.list_tokens(directory_id)
    return Listed("tokens", _COLUMNS, [shown(token).model_dump(mode="json") for token in tokens])


COMMANDS = (
    Command("tokens", "list", "list the tokens of a directory", _list, (_DIRECTORY,)),
    Command(
        "tokens",
        "rotate",
        "make a new current token, shown once",
        _rotate,
        (
            _DIRECTORY,
            _OVERLAP,
            argument("--expires-at", type=moment, metavar="TIME", help="when the new token expires; default: never"),
            argument("--force", action="store_true", help="although two tokens are valid"),
        ),
        needs_vault=True,
    ),
    Command(
        "tokens",
        "revoke",
        "revoke a token, or all of a directory",
        _revoke,
        (
            _DIRECTORY,
            argument("version", metavar="VERSION", nargs="?", help="as tokens list shows it"),
            argument("--all", action="store_true", help="every token, and a rotation under way"),
        ),
        needs_vault=True,
    ),
    Command(
        "tokens",
        "adopt",
        "make a version that was set in the secret store the current token, at once",
        _adopt,
        (_DIRECTORY, _OVERLAP),
        needs_vault=True,
    ),
)
