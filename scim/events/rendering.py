"""Events as the application reads them: users and groups as profiles, under its own names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim.directories.directory import Directory
from scim.resources.identifiers import resource_name_of
from scim.resources.profile import group_attributes, user_attributes

Document = Mapping[str, Any]

_RENDERED = frozenset({"changed", "previous_attributes", "untold"})
"""Told in other words, or not at all."""


def rendered_event(directory: Directory, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored event with ``data.user`` or ``data.group`` in place of the SCIM resource.

    ``changed`` and ``previous_attributes`` name attributes of the profile; they are left out where the event was too
    large to keep what they are made of, which ``omitted`` says.
    """
    rendered = {name: value for name, value in event.items() if name not in _RENDERED}
    data = event["data"]
    resource = data.get("resource", data if "id" in data else None)
    if resource is None:
        return rendered  # A membership has ids only.
    kind = "user" if resource_name_of(resource["id"]) == "User" else "group"
    if "resource" not in data:
        return {**rendered, "data": {kind: dict(resource)}}
    profile = _attributes(directory, kind, resource)
    identity = {"id": resource["id"], "directory_id": directory.id, "organization_id": directory.organization_id}
    rendered["data"] = {kind: {**identity, **profile}}
    if "changed" not in event or "omitted" in event:
        return rendered
    if event.get("reason") == "mapping":
        rendered |= {name: event[name] for name in ("changed", "previous_attributes")}
    else:
        before = _attributes(directory, kind, document_before(resource, event))
        changed = sorted(name for name, value in profile.items() if value != before[name])
        rendered |= {"changed": changed, "previous_attributes": {name: before[name] for name in changed}}
    return rendered


def _attributes(directory: Directory, kind: str, document: Document) -> dict[str, Any]:
    return (user_attributes if kind == "user" else group_attributes)(directory, document)


def document_before(resource: Document, event: Mapping[str, Any]) -> Document:
    """Return what a resource was before an update, of what it is after it and the event."""
    kept = {name: value for name, value in resource.items() if name not in event["changed"]}
    return {**kept, **event["previous_attributes"]}
