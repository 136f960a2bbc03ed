"""Commands on the service's own keys, of which nobody is ever shown a value."""

from __future__ import annotations

from argparse import Namespace

from scim.admin.command import Command, argument
from scim.admin.result import Listed
from scim.composition import Application
from scim.directories.service_keys import KeyRing
from scim.directories.times import utc_text

_COLUMNS = ("number", "state", "made_at", "signs_from", "checks_until")


async def _list(application: Application, _: Namespace) -> Listed:
    return _listed(application, await application.service_keys.read())


async def _rotate(application: Application, options: Namespace) -> Listed:
    return _listed(application, await application.service_keys.rotate(at_once=options.at_once))


def _listed(application: Application, ring: KeyRing) -> Listed:
    now = application.now()
    entries = [
        {
            "number": key.number,
            "state": ring.state_of(key, now),
            "made_at": utc_text(key.made),
            "signs_from": utc_text(key.signs_from),
            "checks_until": key.checks_until and utc_text(key.checks_until),
        }
        for key in ring.keys
    ]
    return Listed("service keys", _COLUMNS, entries)


COMMANDS = (
    Command("service-keys", "list", "list the keys that the service signs with", _list, needs_vault=True),
    Command(
        "service-keys",
        "rotate",
        "make a new key, which signs in 15 minutes; the old one checks for 8 hours more",
        _rotate,
        (
            argument(
                "--at-once", action="store_true", help="the new key signs now, and no other is accepted: for a leak"
            ),
        ),
        needs_vault=True,
    ),
)
