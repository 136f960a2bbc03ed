"""The command that shows who changed what."""

from __future__ import annotations

from argparse import Namespace

from scim.admin.command import Command, argument
from scim.admin.result import Entry, Listed
from scim.admin.values import count
from scim.composition import Application
from scim.directories.audit_log import AuditEntry, AuditFilter

_COLUMNS = ("timestamp", "type", "object_id", "actor_type", "actor_id", "label", "link_id")
_READ_AT_ONCE = 1000


async def _show(application: Application, options: Namespace) -> Listed:
    wanted = AuditFilter(actor_id=options.actor or "", object_id=options.object or "")
    organization, entries, after = options.organization, list[AuditEntry](), ""
    if organization:
        await application.directories.get_organization(organization)
    while True:
        limit = min(_READ_AT_ONCE, options.limit - len(entries))
        page = await (
            application.audit_log.of_organization(organization, after, limit, wanted)
            if organization
            else application.audit_log.of_service(after, limit, wanted)
        )
        entries, after = [*entries, *page.entries], page.last
        if not after or len(entries) >= options.limit:
            return Listed("changes", _COLUMNS, [_entry(each) for each in entries])


def _entry(entry: AuditEntry) -> Entry:
    by = entry.actor
    who = {"actor_type": by["type"], "actor_id": by["id"], "label": by["label"], "link_id": by["link_id"]}
    about = {"object_type": entry.object_type, "object_id": entry.object_id}
    rest = {name: value for name, value in entry.event.items() if name not in ("actor", "type", "timestamp")}
    return {"timestamp": entry.event["timestamp"], "type": entry.event["type"], **about, **who, **rest}


COMMANDS = (
    Command(
        "audit",
        "",
        "show who changed what, the newest first",
        _show,
        (
            argument(
                "organization",
                metavar="ORGANIZATION",
                nargs="?",
                help="its id, org_…; default: what concerns the whole service",
            ),
            argument("--actor", metavar="ID", help="done with this key, session or link alone"),
            argument("--object", metavar="ID", help="done to this object alone"),
            argument("--limit", type=count, default=100, metavar="N", help="how many at most; default: 100"),
        ),
    ),
)
