"""The operations on a user: each reads, decides and commits one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scim.directories.activity import Signal
from scim.provisioning.answers import no_content, resource_answer, shown_text
from scim.provisioning.document_changes import decide, read_body_of, read_operations
from scim.provisioning.document_patch import ignored_paths, patched_document
from scim.provisioning.document_reader import Document
from scim.provisioning.documents import complete_document
from scim.provisioning.findings import ignored_findings, mapping_findings
from scim.provisioning.races import decided_anew
from scim.provisioning.request import ScimRequest, version_tag
from scim.resources.errors import ResourceMissingError
from scim.resources.identifiers import begin_operation, new_resource_id
from scim.resources.membership import Member
from scim.resources.profile import leading_value
from scim.resources.projection import Projection
from scim.resources.stored_document import StoredDocument
from scim.web import WebResponse


async def create_user(request: ScimRequest) -> WebResponse:
    """Create a user (RFC 7644 §3.3) and answer 201 with it."""
    schema = request.provider.user
    projection = request.projection(schema)
    read = await read_body_of(request, schema)
    document = complete_document(read.document, new_resource_id("User"), schema)
    stored = await decided_anew(lambda: request.store.create_user(document, begin_operation()))
    _note_change(request, "user_created", stored.id, document)
    findings = mapping_findings(request.directory.attribute_mappings, schema, {}, document)
    request.notes.findings.extend((*ignored_findings(read.ignored), *findings))
    return resource_answer(201, await _text(request, stored, projection), stored, request)


async def read_user(request: ScimRequest, user_id: str) -> WebResponse:
    """Answer a user (RFC 7644 §3.4.1), or 304 when the caller has this version."""
    projection = request.projection(request.provider.user)
    stored = await existing_user(request, user_id)
    if request.is_unmodified(stored):
        return WebResponse(304, headers={"ETag": version_tag(stored.version)})
    return resource_answer(200, await _text(request, stored, projection), stored, request)


async def replace_user(request: ScimRequest, user_id: str) -> WebResponse:
    """Replace a user's attributes (RFC 7644 §3.5.1) and answer 200 with it."""
    schema = request.provider.user
    read = await read_body_of(request, schema)
    request.notes.findings.extend(ignored_findings(read.ignored))
    return await _change(request, user_id, lambda _: complete_document(read.document, user_id, schema), steps=1)


async def patch_user(request: ScimRequest, user_id: str) -> WebResponse:
    """Apply PATCH operations to a user (RFC 7644 §3.5.2) and answer 200 with it."""
    schema = request.provider.user
    operations = await read_operations(request, schema)
    request.notes.findings.extend(ignored_findings(ignored_paths(operations)))
    return await _change(
        request, user_id, lambda stored: patched_document(stored, operations, schema), steps=len(operations)
    )


async def delete_user(request: ScimRequest, user_id: str) -> WebResponse:
    """Delete a user (RFC 7644 §3.6) and answer 204."""

    async def attempt() -> WebResponse:
        stored = await existing_user(request, user_id)
        request.require_preconditions(stored)
        await request.store.delete_user(stored)
        request.notes.change()
        return no_content()

    return await decided_anew(attempt)


async def existing_user(request: ScimRequest, user_id: str) -> StoredDocument:
    """Return a stored user.

    :raises ResourceMissingError: When there is none.
    """
    stored = await request.store.read("User", user_id)
    if stored is None:
        raise ResourceMissingError(user_id)
    return stored


async def _change(
    request: ScimRequest, user_id: str, change: Callable[[StoredDocument], Document], *, steps: int
) -> WebResponse:
    projection = request.projection(request.provider.user)

    async def attempt() -> StoredDocument:
        before = await existing_user(request, user_id)
        request.require_preconditions(before)
        decided = await decide(request, before, change, steps)
        if decided is None:
            return before
        after, findings = decided
        stored = await request.store.replace_user(before, after, begin_operation(after=before.version))
        _note_change(request, "user_updated", stored.id, after)
        request.notes.findings.extend(findings)
        return stored

    stored = await decided_anew(attempt)
    return resource_answer(200, await _text(request, stored, projection), stored, request)


def _note_change(request: ScimRequest, signal: Signal, user_id: str, document: Document) -> None:
    request.notes.change(signal, user_id)
    if leading_value(document.get("emails")) is not None:
        request.notes.change("user_email", user_id)


async def _text(request: ScimRequest, stored: StoredDocument, projection: Projection) -> str:
    references = await group_references(request, stored.id, projection)
    return await shown_text(stored, request, request.provider.user, projection, references)


async def group_references(request: ScimRequest, user_id: str, projection: Projection) -> Mapping[str, list[Member]]:
    """Return a user's groups when the answer shows them: they are returned on request only, and cost a query."""
    if projection.is_default or not projection.needs_groups:
        return {}
    return {"groups": [Member(group_id) for group_id in await request.store.groups_of(user_id)]}
