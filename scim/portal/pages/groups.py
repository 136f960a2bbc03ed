"""The groups of a directory: the list, a search in it, and one group with its members."""

from __future__ import annotations

from collections.abc import Sequence

from scim.portal.guide import guide
from scim.portal.lists import PAGE_SIZE
from scim.portal.pages.users import list_page, read_resource
from scim.portal.rendering import page
from scim.portal.shown_attributes import custom_attributes
from scim.portal.times import stored_time
from scim.portal.visit import Page, Visit
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.summary import Summary, summary_of
from scim.web import WebResponse


async def show_groups(visit: Visit) -> WebResponse:
    """Return a page of the list, or what a search finds. 2 storage requests and those of admission; a search 5."""
    return await list_page(visit, "Group", "groups.html")


async def show_group(visit: Visit) -> WebResponse:
    """Return a group with a page of its members. 3 storage requests and those of admission; nested groups 1 more."""
    stored, after = await read_resource(visit, "Group", visit.path["group_id"]), visit.web.query.get("after", "")
    after = after if resource_name_of(after) else ""
    member_ids, following = await visit.reading.member_ids(stored.id, after, PAGE_SIZE)
    document = stored.document()
    return page(
        visit,
        "group.html",
        provider=guide().of(visit.directory.provider),
        group=summary_of("Group", document, stored.last_modified),
        created=stored_time(stored.created),
        custom=custom_attributes(visit.directory.attribute_mappings, "Group", document),
        members=await _members(visit, member_ids),
        after=after,
        next=following,
    )


async def _members(visit: Visit, member_ids: Sequence[str]) -> list[Summary]:
    names: tuple[ResourceName, ...] = ("Group", "User")
    found: dict[str, Summary] = {}
    for name in names:
        found |= await visit.reading.named(name, [each for each in member_ids if resource_name_of(each) == name])
    return [found[each] for each in member_ids if each in found]


_ALL = "/directories/{directory_id}/groups"
PAGES = (
    Page("groups", "GET", _ALL, show_groups),
    Page("group", "GET", f"{_ALL}/{{group_id}}", show_group),
)
