"""The operations on a group: members change without the group being read, whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from scim2_models import InvalidValueException

from scim.provisioning.answers import no_content, resource_answer, shown_text
from scim.provisioning.document_changes import decide, read_body_of, read_operations
from scim.provisioning.document_patch import PatchOperation, patched_document
from scim.provisioning.document_reader import Document, ReadResource
from scim.provisioning.documents import complete_document
from scim.provisioning.findings import ignored_findings, mapping_findings
from scim.provisioning.membership_patch import read_members, split_members
from scim.provisioning.races import decided_anew
from scim.provisioning.request import ScimRequest, version_tag
from scim.resources.errors import ResourceMissingError, UnknownMembersError
from scim.resources.identifiers import begin_operation, new_resource_id, resource_name_of
from scim.resources.membership import Member, MembershipChange
from scim.resources.projection import Projection
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import run_apart
from scim.web import WebResponse

MAX_MEMBERS_SHOWN = 20_000


async def create_group(request: ScimRequest) -> WebResponse:
    """Create a group (RFC 7644 §3.3) and answer 201 with it."""
    schema = request.provider.group
    projection = request.projection(schema)
    read = await read_body_of(request, schema)
    group_id = new_resource_id("Group")
    members = await run_apart(lambda: _new_members(group_id, read), is_heavy=request.is_large)
    document = complete_document(read.document, group_id, schema)
    stored = await decided_anew(lambda: request.store.create_group(document, members, begin_operation()))
    request.notes.change("group_created", stored.id)
    if members:
        request.notes.change("members_added", stored.id)
    findings = mapping_findings(request.directory.attribute_mappings, schema, {}, document)
    request.notes.findings.extend((*ignored_findings(read.ignored), *findings))
    shown = {"members": sorted(members, key=lambda member: member.id)} if projection.needs_members else {}
    return resource_answer(201, await shown_text(stored, request, schema, projection, shown), stored, request)


async def read_group(request: ScimRequest, group_id: str) -> WebResponse:
    """Answer a group (RFC 7644 §3.4.1); Entra asks with ``excludedAttributes=members``, which costs one request."""
    projection = request.projection(request.provider.group)
    stored = await existing_group(request, group_id)
    if request.is_unmodified(stored):
        return WebResponse(304, headers={"ETag": version_tag(stored.version)})
    return await _answer(request, stored, projection)


async def replace_group(request: ScimRequest, group_id: str) -> WebResponse:
    """Replace a group's attributes and members (RFC 7644 §3.5.1) and answer 200 with it."""
    schema = request.provider.group
    projection = request.projection(schema)
    read = await read_body_of(request, schema)
    change = await run_apart(lambda: _all_members(group_id, read), is_heavy=request.is_large)
    after = complete_document(read.document, group_id, schema)
    await _change(request, group_id, change, lambda _: after, steps=1)
    return await _answer(request, await existing_group(request, group_id), projection)


async def patch_group(request: ScimRequest, group_id: str) -> WebResponse:
    """Apply PATCH operations to a group and answer 204, or 200 with it when attributes are asked for.

    Microsoft asks for a 204 without body (RFC 7644 §3.5.2 allows both).
    """
    schema = request.provider.group
    projection = request.projection(schema)
    read = await read_operations(request, schema)
    change, operations = await run_apart(partial(_split, group_id, read), is_heavy=request.is_large)
    if change and not operations and not request.is_conditional:
        version = await _change_members(request, group_id, change)
    else:
        version = await _change(
            request,
            group_id,
            change,
            lambda stored: patched_document(stored, operations, schema),
            steps=len(operations),
        )
    if projection.is_default:
        return no_content(version)
    return await _answer(request, await existing_group(request, group_id), projection)


async def delete_group(request: ScimRequest, group_id: str) -> WebResponse:
    """Delete a group of any size (RFC 7644 §3.6) and answer 204."""

    async def attempt() -> WebResponse:
        stored = await existing_group(request, group_id)
        request.require_preconditions(stored)
        await request.store.delete_group(stored, guarded=request.is_guarded)
        request.notes.change()
        return no_content()

    return await decided_anew(attempt)


async def existing_group(request: ScimRequest, group_id: str) -> StoredDocument:
    """Return a stored group without its members.

    :raises ResourceMissingError: When there is none.
    """
    stored = await request.store.read("Group", group_id)
    if stored is None:
        raise ResourceMissingError(group_id)
    return stored


def _new_members(group_id: str, read: ReadResource) -> list[Member]:
    members = list({member.id: member for member in read_members(read.members)}.values())
    _require_possible(group_id, members)
    return members


def _all_members(group_id: str, read: ReadResource) -> MembershipChange:
    members = {member.id: member for member in read_members(read.members)}
    return _possible(group_id, MembershipChange(members, replace_all=True))


def _split(group_id: str, read: Sequence[PatchOperation]) -> tuple[MembershipChange, list[PatchOperation]]:
    asked, operations = split_members(read)
    return _possible(group_id, asked), operations


def _possible(group_id: str, change: MembershipChange) -> MembershipChange:
    """Return a change without what cannot be: removing a foreign id changes nothing, adding one is refused.

    So no text of a caller gets near a row key.
    """
    _require_possible(group_id, change.added)
    known = {member_id: member for member_id, member in change.members.items() if member or resource_name_of(member_id)}
    return MembershipChange(known, change.replace_all)


def _require_possible(group_id: str, members: Sequence[Member]) -> None:
    foreign = [member.id for member in members if resource_name_of(member.id) is None]
    if foreign:
        raise UnknownMembersError(foreign)
    if any(member.id == group_id for member in members):
        raise InvalidValueException(detail="A group cannot be a member of itself; leave its own id out.")


async def _change_members(request: ScimRequest, group_id: str, change: MembershipChange) -> str:
    if resource_name_of(group_id) != "Group":
        raise ResourceMissingError(group_id)
    version, changed = await decided_anew(lambda: request.store.change_members(group_id, change, begin_operation()))
    _note_change(request, group_id, change, changed=changed)
    return version


def _note_change(request: ScimRequest, group_id: str, change: MembershipChange, *, changed: bool) -> None:
    if changed:
        request.notes.change("members_added" if change.added else None, group_id)


async def _change(
    request: ScimRequest,
    group_id: str,
    change: MembershipChange,
    edited: Callable[[StoredDocument], Document],
    *,
    steps: int,
) -> str:
    async def attempt() -> str:
        before = await existing_group(request, group_id)
        request.require_preconditions(before)
        decided = await decide(request, before, edited, steps)
        if decided is None and not change:
            return before.version
        after, findings = decided or (before.document(), ())
        operation = begin_operation(after=before.version)
        version, changed = await request.store.replace_group(
            before, after, change, operation, guarded=request.is_guarded
        )
        _note_change(request, group_id, change, changed=changed)
        request.notes.findings.extend(findings)
        return version

    return await decided_anew(attempt)


async def _answer(request: ScimRequest, stored: StoredDocument, projection: Projection) -> WebResponse:
    shown = await member_references(request, stored.id, projection)
    text = await shown_text(stored, request, request.provider.group, projection, shown)
    return resource_answer(200, text, stored, request)


async def member_references(
    request: ScimRequest, group_id: str, projection: Projection
) -> Mapping[str, Sequence[Member]]:
    """Return a group's members when the answer shows them.

    :raises TooManyMembersError: When there are more than 20,000.
    """
    if not projection.needs_members:
        return {}
    return {"members": await request.store.members(group_id, limit=MAX_MEMBERS_SHOWN)}
