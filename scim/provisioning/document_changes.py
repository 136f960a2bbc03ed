"""What a request makes of a document, worked out where it keeps no other request waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scim.provisioning.document_patch import PatchOperation
from scim.provisioning.document_reader import Document, ReadResource, read_resource
from scim.provisioning.documents import same_document
from scim.provisioning.findings import mapping_findings
from scim.provisioning.patch_request import read_patch
from scim.provisioning.request import ScimRequest
from scim.resources.provisioning_log import Finding
from scim.resources.schema import ResourceSchema
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import LARGE_BODY, MANY_OPERATIONS, MANY_STEPS, run_apart, values_in


async def read_body_of(request: ScimRequest, schema: ResourceSchema) -> ReadResource:
    """Return the resource that the body of a POST or PUT describes.

    :raises SCIMException: As :func:`read_resource` does.
    """
    return await run_apart(lambda: read_resource(request.payload, schema), is_heavy=request.is_large)


async def read_operations(request: ScimRequest, schema: ResourceSchema) -> list[PatchOperation]:
    """Return the operations of the body of a PATCH.

    :raises SCIMException: As :func:`read_patch` does.
    """
    if request.is_large or _has_many(request.payload):
        return await run_apart(lambda: read_patch(request.payload, schema), is_heavy=True)
    return read_patch(request.payload, schema)


def _has_many(payload: Any) -> bool:
    lists = payload.values() if isinstance(payload, Mapping) else ()
    return any(len(value) > MANY_OPERATIONS for value in lists if isinstance(value, list))


async def decide(
    request: ScimRequest, before: StoredDocument, change: Callable[[StoredDocument], Document], steps: int
) -> tuple[Document, Sequence[Finding]] | None:
    """Return the document after a change and what is noteworthy of it, or None when it says the same as before.

    :param steps: How many operations the change consists of, each of which may look at every value.
    :raises SCIMException: As the change does.
    """
    mappings = request.directory.attribute_mappings
    schema = request.provider.user if before.name == "User" else request.provider.group

    def decided() -> tuple[Document, Sequence[Finding]] | None:
        after, document = change(before), before.document()
        if same_document(document, after):
            return None
        return after, list(mapping_findings(mappings, schema, document, after))

    is_heavy = (
        request.is_large
        or steps > MANY_OPERATIONS
        or len(before.text) > LARGE_BODY
        or (steps + len(mappings)) * values_in(before.text) > MANY_STEPS
    )
    return await run_apart(decided, is_heavy=is_heavy)
