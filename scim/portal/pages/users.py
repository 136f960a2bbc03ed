"""The users of a directory: the list, a search in it, and one user with all that is known of it."""

from __future__ import annotations

from scim.portal.guide import guide
from scim.portal.lists import LIMITS, shown_list
from scim.portal.problems import not_found
from scim.portal.rendering import page
from scim.portal.shown_attributes import custom_attributes, standard_attributes, unmapped_attributes
from scim.portal.times import stored_time
from scim.portal.visit import Page, Visit
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.stored_document import StoredDocument
from scim.resources.summary import summary_of
from scim.web import WebResponse

MAX_GROUPS = 20


async def show_users(visit: Visit) -> WebResponse:
    """Return a page of the list, or what a search finds. 2 storage requests and those of admission; a search 5."""
    return await list_page(visit, "User", "users.html")


async def list_page(visit: Visit, name: ResourceName, template: str) -> WebResponse:
    """Return a page of the list of a type, or what a search finds."""
    return page(
        visit,
        template,
        provider=guide().of(visit.directory.provider),
        standing=visit.standing,
        listed=await shown_list(visit, name),
        limit=LIMITS[name],
    )


async def show_user(visit: Visit) -> WebResponse:
    """Return a user with attributes and groups. 3 storage requests and those of admission."""
    stored = await read_resource(visit, "User", visit.path["user_id"])
    document, group_ids = stored.document(), await visit.reading.groups_of(stored.id)
    groups = await visit.reading.named("Group", group_ids[:MAX_GROUPS])
    standard = standard_attributes(visit.directory, document)
    return page(
        visit,
        "user.html",
        provider=guide().of(visit.directory.provider),
        user=summary_of("User", document, stored.last_modified),
        created=stored_time(stored.created),
        standard=[each for each in standard if each.shown],
        absent=[each.name for each in standard if not each.shown],
        custom=custom_attributes(visit.directory.attribute_mappings, "User", document),
        unmapped=unmapped_attributes(visit.directory, "User", document),
        groups=groups.values(),
        more_groups=max(0, len(group_ids) - MAX_GROUPS),
    )


async def read_resource(visit: Visit, name: ResourceName, resource_id: str) -> StoredDocument:
    """Return a user or group of the directory. One storage request.

    :raises PortalProblem: 404, when there is none of this type and id.
    """
    stored = await visit.store.read(name, resource_id) if resource_name_of(resource_id) == name else None
    if stored is None:
        raise not_found()
    return stored


_ALL = "/directories/{directory_id}/users"
PAGES = (
    Page("users", "GET", _ALL, show_users),
    Page("user", "GET", f"{_ALL}/{{user_id}}", show_user),
)
