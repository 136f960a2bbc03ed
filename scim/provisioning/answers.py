"""Resources and errors as answers: stored JSON text is completed, not parsed, wherever nothing has to be left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scim2_models import SCIMException

from scim.provisioning.request import ScimRequest, version_tag
from scim.resources.identifiers import resource_name_of
from scim.resources.membership import Member
from scim.resources.projection import Projection
from scim.resources.schema import ResourceSchema
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import MANY_STEPS, run_apart, values_in
from scim.web import WebResponse, encoded

ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"
_STEPS_OF_REFERENCE, _STEPS_OF_JSON = 8, 1
"""What a member, and a value that is read and written as JSON, costs beside asking for a name."""
LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_text(value: Any) -> str:
    """Return compact JSON text."""
    return _encode(value)


def location(base_url: str, resource_id: str) -> str:
    """Return the URL of a resource; its id tells its type."""
    return f"{base_url}/{'Users' if resource_name_of(resource_id) == 'User' else 'Groups'}/{resource_id}"


def published_text(stored: StoredDocument, base_url: str, references: Mapping[str, Sequence[Member]]) -> str:
    """Return a resource as it is answered, as JSON text: the stored text with members (or groups), meta and URLs.

    :param references: Under ``members`` or ``groups`` what to answer there; an empty list leaves the attribute out.
    """
    text = stored.text
    if '"$ref":"Users/' in text:  # Inside JSON text the quotes would be escaped: this can only be a reference of ours.
        text = text.replace('"$ref":"Users/', f'"$ref":{json_text(base_url)[:-1]}/Users/')
    listed = [
        f',"{name}":[{",".join(_reference_text(member, base_url, name) for member in members)}]'
        for name, members in references.items()
        if members
    ]
    return f'{text[:-1]}{"".join(listed)},"meta":{_meta_text(stored, base_url)}}}'


def _reference_text(member: Member, base_url: str, attribute: str) -> str:
    kind = "direct" if attribute == "groups" else resource_name_of(member.id)
    shown = {"value": member.id, "$ref": location(base_url, member.id), "type": kind}
    if member.display is not None:
        shown["display"] = member.display
    return json_text(shown)


def _meta_text(stored: StoredDocument, base_url: str) -> str:
    """Return the value of meta; texts one by one take less time than an object."""
    return (
        f'{{"resourceType":"{stored.name}","created":{json_text(stored.created)},'
        f'"lastModified":{json_text(stored.last_modified)},"location":{json_text(location(base_url, stored.id))},'
        f'"version":{json_text(version_tag(stored.version))}}}'
    )


async def shown_text(
    stored: StoredDocument,
    request: ScimRequest,
    schema: ResourceSchema,
    projection: Projection,
    references: Mapping[str, Sequence[Member]],
) -> str:
    """Return what an answer shows of a resource, as JSON text."""
    if projection.is_default and not references:
        return published_text(stored, request.base_url, references)
    return await run_apart(
        lambda: _shown_text(stored, request, schema, projection, references),
        is_heavy=showing_steps(stored, projection, references) > MANY_STEPS,
    )


def showing_steps(stored: StoredDocument, projection: Projection, references: Mapping[str, Sequence[Member]]) -> int:
    """Return how much work it is to show a resource: names that were asked for, times values."""
    references_steps = _STEPS_OF_REFERENCE * sum(len(members) for members in references.values())
    if projection.is_default:
        return references_steps
    return references_steps + (projection.names + _STEPS_OF_JSON) * values_in(stored.text)


def _shown_text(
    stored: StoredDocument,
    request: ScimRequest,
    schema: ResourceSchema,
    projection: Projection,
    references: Mapping[str, Sequence[Member]],
) -> str:
    whole = published_text(stored, request.base_url, references)
    if projection.is_default:
        return whole
    return json_text(projection.apply(schema, json.loads(whole)))


async def shown_texts(
    shown: Sequence[tuple[StoredDocument, Mapping[str, Sequence[Member]]]],
    request: ScimRequest,
    schemas: Mapping[str, ResourceSchema],
    projection: Projection,
) -> list[str]:
    """Return what an answer shows of several resources, each with its members or groups."""

    def texts() -> list[str]:
        return [_shown_text(each, request, schemas[each.name], projection, references) for each, references in shown]

    if projection.is_default and not any(references for _, references in shown):
        return texts()
    steps = sum(showing_steps(stored, projection, references) for stored, references in shown)
    return await run_apart(texts, is_heavy=steps > MANY_STEPS)


def resource_answer(status: int, text: str, stored: StoredDocument, request: ScimRequest) -> WebResponse:
    """Return the answer carrying a resource, with its ETag, and with its Location when it was created."""
    headers = {"ETag": version_tag(stored.version)}
    if status == 201:  # noqa: PLR2004 - Created
        headers["Location"] = location(request.base_url, stored.id)
    return WebResponse(status, encoded(text), headers)


def no_content(version: str | None = None) -> WebResponse:
    """Return a 204, with the ETag of what was changed."""
    return WebResponse(204, headers={"ETag": version_tag(version)} if version else {})


def list_answer(
    resources: Sequence[str],
    *,
    total: int | None,
    start_index: int | None,
    cursors: Iterable[tuple[str, str]] = (),
) -> WebResponse:
    """Return a ListResponse (RFC 7644 §3.4.2, RFC 9865 §3) over resources that are JSON text already."""
    counts: dict[str, Any] = {"schemas": [LIST_URN]}
    if total is not None:
        counts["totalResults"] = total
    if start_index is not None:
        counts["startIndex"] = start_index
    counts["itemsPerPage"] = len(resources)
    counts |= dict(cursors)
    return WebResponse(200, encoded(f'{json_text(counts)[:-1]},"Resources":[{",".join(resources)}]}}'))


def error_body(status: int, detail: str, scim_type: str = "") -> dict[str, Any]:
    """Return a SCIM error (RFC 7644 §3.12)."""
    named = {"scimType": scim_type} if scim_type else {}
    return {"schemas": [ERROR_URN], "status": str(status), **named, "detail": detail}


def error_answer(error: SCIMException) -> WebResponse:
    """Return the answer for an error, with the headers that belong to its status."""
    headers: dict[str, str] = {}
    if error.status == 401:  # noqa: PLR2004 - Unauthorized
        headers["WWW-Authenticate"] = 'Bearer realm="SCIM"'
    allowed = getattr(error, "allowed", None)
    if allowed:
        headers["Allow"] = ", ".join(allowed)
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = error_body(error.status, error.detail, error.scim_type)
    return WebResponse(error.status, encoded(json_text(body)), headers)
