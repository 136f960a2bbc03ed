"""Commands on links to the administrator's portal."""

from __future__ import annotations

from argparse import Namespace

from scim.admin.command import Command, argument
from scim.admin.result import Listed, Shown
from scim.admin.values import moment
from scim.composition import Application
from scim.directories.portal_access import LinkUse
from scim.directories.times import utc_text
from scim.settings import PUBLIC_BASE_URL, SettingsError

_ORGANIZATION = argument("organization", metavar="ORGANIZATION", help="its id, org_…")


async def _create(application: Application, options: Namespace) -> Shown:
    base_url = application.settings.public_base_url
    if not base_url:
        raise SettingsError(PUBLIC_BASE_URL, "is missing: a link begins with it; set it, or give --base-url")
    made = await application.portal_access.create_link(
        options.organization, expires_at=options.expires_at, directory_id=options.directory
    )
    shown = {"id": made.link.id, "url": made.url(base_url), "expires_at": utc_text(made.link.expires_at)}
    return Shown(shown, secret="url")  # noqa: S106 - the name of what is shown


async def _list(application: Application, options: Namespace) -> Listed:
    uses = await application.portal_access.link_uses(options.organization)
    columns = ("id", "created_at", "expires_at", "revoked_at", "last_used_at", "open_sessions")
    return Listed("portal links", columns, [_entry(use) for use in uses])


def _entry(use: LinkUse) -> dict[str, str | int | None]:
    link = use.link
    return {
        "id": link.id,
        "created_at": utc_text(link.created),
        "expires_at": utc_text(link.expires_at),
        "revoked_at": utc_text(link.revoked_at) if link.revoked_at else None,
        "last_used_at": utc_text(link.last_used) if link.last_used else None,
        "open_sessions": len(use.sessions),
    }


async def _revoke(application: Application, options: Namespace) -> Shown:
    await application.portal_access.revoke_link(options.organization, options.link)
    return Shown({"id": options.link, "status": "revoked"})


COMMANDS = (
    Command(
        "portal-link",
        "",
        "make a link to the administrator's portal, shown once",
        _create,
        (
            _ORGANIZATION,
            argument("--directory", metavar="DIRECTORY", help="the only directory it opens; default: all"),
            argument("--expires-at", type=moment, metavar="TIME", help="within 30 days; default: in 7 days"),
        ),
    ),
    Command("portal-links", "list", "list the links to the portal of an organization", _list, (_ORGANIZATION,)),
    Command(
        "portal-links",
        "revoke",
        "revoke a link and the sessions made with it",
        _revoke,
        (_ORGANIZATION, argument("link", metavar="LINK", help="its id, lnk_…")),
    ),
)
