"""Commands on links to the administrator's portal."""

from __future__ import annotations

from argparse import Namespace

from scim.admin.command import Command, argument
from scim.admin.result import Listed, Shown
from scim.admin.values import moment
from scim.composition import Application
from scim.directories.portal_access import LinkUse
from scim.directories.portal_link import DEFAULT_MAX_USES, MOST_MAX_USES
from scim.directories.times import utc_text
from scim.settings import PUBLIC_BASE_URL, SettingsError

_ORGANIZATION = argument("organization", metavar="ORGANIZATION", help="its id, org_…")
_LINK = argument("link", metavar="LINK", help="its id, lnk_…")


async def _create(application: Application, options: Namespace) -> Shown:
    base_url = application.settings.public_base_url
    if not base_url:
        raise SettingsError(PUBLIC_BASE_URL, "is missing: a link begins with it; set it, or give --base-url")
    made = await application.portal_access.create_link(
        options.organization,
        expires_at=options.expires_at,
        directory_id=options.directory,
        label=options.label,
        max_uses=options.max_uses,
    )
    link = made.link
    shown = {
        "id": link.id,
        "url": made.url(base_url),
        "label": link.label,
        "max_uses": link.max_uses,
        "expires_at": utc_text(link.expires_at),
    }
    return Shown(shown, secret="url")  # noqa: S106 - the name of what is shown


async def _list(application: Application, options: Namespace) -> Listed:
    uses = await application.portal_access.link_uses(options.organization)
    columns = ("id", "label", "uses", "max_uses", "created_at", "expires_at", "revoked_at", "open_sessions")
    return Listed("portal links", columns, [_entry(use) for use in uses])


async def _show(application: Application, options: Namespace) -> Shown:
    return Shown(_entry(await application.portal_access.link_use(options.organization, options.link)))


def _entry(use: LinkUse) -> dict[str, str | int | None]:
    link = use.link
    return {
        "id": link.id,
        "label": link.label,
        "directory_id": link.directory_id,
        "max_uses": link.max_uses,
        "uses": link.uses,
        "created_by": link.created_by,
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
            argument("--label", metavar="TEXT", help='whom it is for, such as "for anna@contoso.com"'),
            argument(
                "--max-uses",
                type=int,
                default=DEFAULT_MAX_USES,
                metavar="NUMBER",
                help=f"how many sessions it may begin, 1 to {MOST_MAX_USES}; default: {DEFAULT_MAX_USES}",
            ),
        ),
    ),
    Command("portal-links", "list", "list the links to the portal of an organization", _list, (_ORGANIZATION,)),
    Command("portal-links", "show", "show a link to the portal", _show, (_ORGANIZATION, _LINK)),
    Command(
        "portal-links",
        "revoke",
        "revoke a link and the sessions made with it",
        _revoke,
        (_ORGANIZATION, _LINK),
    ),
)
