"""Attribute mappings: what is expected beside what is seen, and what arrives and is not mapped yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory_changes import MappingChange
from scim.directories.errors import InvalidValueError
from scim.portal.guide import guide
from scim.portal.mappings import (
    TYPES,
    adding,
    candidates,
    changing,
    consequences,
    expected_mappings,
    expected_of,
    find_mapping,
    mapping_of,
    standard_attributes,
)
from scim.portal.problems import PortalProblem, not_found
from scim.portal.rendering import page, see_other
from scim.portal.source_hints import source_hint
from scim.portal.visit import Page, Visit
from scim.web import WebResponse

_Change = Callable[[AttributeMapping], MappingChange]
_BLANK = {"type": "string", "resource": "User"}


async def show_attributes(visit: Visit) -> WebResponse:
    """Return what is expected and what is seen. 2 storage requests and those of admission."""
    organization = await visit.services.directories.get_organization(visit.organization_id)
    coverage = await visit.services.derived_of(visit.directory).coverage()
    standard = standard_attributes(coverage.get("User", {}))
    return page(
        visit,
        "attributes.html",
        provider=guide().of(visit.directory.provider),
        standing=visit.standing,
        may_change=organization.mappings_by == "administrators",
        expected=expected_mappings(visit.directory, coverage),
        candidates=candidates(visit.directory, coverage),
        standard=standard,
        arriving=sum(1 for each in standard if each.count),
        counted=standard[0].of,
        types=TYPES,
        source_hint=source_hint,
    )


async def show_new(visit: Visit) -> WebResponse:
    """Return the form of a new mapping, filled in with what the address says. One storage request more."""
    await _require_permission(visit)
    return _form(visit, {**_BLANK, **visit.web.query})


async def add(visit: Visit) -> WebResponse:
    """Return to the mappings with one more. 3 storage requests, and 4 or so for what follows."""
    await _require_permission(visit)
    return await _changed(visit, adding)


async def show_change(visit: Visit) -> WebResponse:
    """Return the form of a mapping that there is. One storage request more."""
    await _require_permission(visit)
    before = _mapping(visit, visit.web.query)
    choices = {field: "yes" for field in ("multi_valued", "required", "matching") if getattr(before, field)}
    texts = {field: getattr(before, field) for field in ("name", "path", "type", "resource", "description")}
    return _form(visit, {**texts, **choices}, before)


async def change(visit: Visit) -> WebResponse:
    """Return to the mappings with one changed; what that does is said first."""
    await _require_permission(visit)
    before = _mapping(visit, {"resource": visit.form.get("resource", ""), "name": visit.form.get("before", "")})
    if visit.form.get("confirmed") == "yes":
        return await _changed(visit, lambda after: changing(before, after), before)
    try:
        after = mapping_of(visit.form)
        changing(before, after)(visit.directory.attribute_mappings)
    except InvalidValueError as error:
        return _form(visit, visit.form, before, error)
    return await _confirm(visit, before, after)


async def show_remove(visit: Visit) -> WebResponse:
    """Return what the removal of a mapping does, with the button that does it. 2 storage requests more."""
    await _require_permission(visit)
    return await _confirm(visit, _mapping(visit, visit.web.query), None)


async def remove(visit: Visit) -> WebResponse:
    """Return to the mappings without one."""
    await _require_permission(visit)
    before = _mapping(visit, {"resource": visit.form.get("resource", ""), "name": visit.form.get("before", "")})
    await visit.services.directories.update_directory(visit.directory.id, mappings=changing(before, None))
    return _back(visit)


async def _changed(visit: Visit, change: _Change, before: AttributeMapping | None = None) -> WebResponse:
    try:
        mapping = mapping_of(visit.form)
        await visit.services.directories.update_directory(visit.directory.id, mappings=change(mapping))
    except InvalidValueError as error:
        return _form(visit, visit.form, before, error)
    return _back(visit)


def _back(visit: Visit) -> WebResponse:
    return see_other(visit, f"/directories/{visit.directory.id}/attributes")


def _form(
    visit: Visit,
    values: Mapping[str, str],
    before: AttributeMapping | None = None,
    error: InvalidValueError | None = None,
) -> WebResponse:
    return page(
        visit,
        "mapping.html",
        status=422 if error else 200,
        values=values,
        before=before,
        problem=str(error).partition(": ")[2] if error else "",
        problem_field=error.field.rpartition(".")[2] if error else "",
        types=TYPES,
    )


async def _confirm(visit: Visit, before: AttributeMapping, after: AttributeMapping | None) -> WebResponse:
    coverage = await visit.services.derived_of(visit.directory).coverage()
    count = expected_of(before, coverage).count
    return page(
        visit,
        "confirm_mapping.html",
        before=before,
        after=after,
        consequences=consequences(before, after, count),
        values=visit.form,
    )


def _mapping(visit: Visit, named: Mapping[str, str]) -> AttributeMapping:
    found = find_mapping(visit.directory, named.get("resource", ""), named.get("name", ""))
    if found is None:
        raise not_found()
    return found


async def _require_permission(visit: Visit) -> None:
    """Refuse what the application keeps to itself. One storage request."""
    organization = await visit.services.directories.get_organization(visit.organization_id)
    if organization.mappings_by != "administrators":
        raise PortalProblem(
            403,
            "Mappings are changed by the application",
            f"Tell {visit.services.branding.name} which attribute you need; it can add the mapping.",
        )


_ALL = "/directories/{directory_id}/attributes"
PAGES = (
    Page("attributes", "GET", _ALL, show_attributes),
    Page("add_mapping", "POST", _ALL, add),
    Page("show_new_mapping", "GET", f"{_ALL}/new", show_new),
    Page("show_change_mapping", "GET", f"{_ALL}/change", show_change),
    Page("change_mapping", "POST", f"{_ALL}/change", change),
    Page("show_remove_mapping", "GET", f"{_ALL}/remove", show_remove),
    Page("remove_mapping", "POST", f"{_ALL}/remove", remove),
)
