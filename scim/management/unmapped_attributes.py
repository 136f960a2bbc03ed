"""What an identity provider sends and nothing takes yet: candidates for a mapping."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from scim.management.models import Answer, ListQuery, Page
from scim.management.operation import Call, Operation
from scim.resources.mapping_coverage import UnmappedPath, unmapped_paths


class UnmappedAttributeAnswer(Answer):
    """A path that users or groups have a value at, and that neither a mapping nor the profile takes."""

    resource: Literal["User", "Group"]
    path: str = Field(description="As a mapping names it.")
    count: int = Field(description="How many users or groups have a value there.")
    last_seen_at: datetime = Field(description="When a value was written last, to the hour.")
    type: Literal["string", "boolean", "integer", "decimal", "complex"]
    sample: str = Field(description="Two characters of one value, digits as 0, and dots.")


class UnmappedAttributeList(Page[UnmappedAttributeAnswer]):
    """A page of what is received and not mapped, users first, in the order of the paths."""


async def list_unmapped_attributes(call: Call) -> UnmappedAttributeList:
    """Return a page of what is received and not mapped."""
    coverage = await call.services.derived_of(call.directory).coverage()
    listed, metadata = call.page(unmapped_paths(call.directory, coverage), _position)
    return UnmappedAttributeList(data=[_shown(each) for each in listed], list_metadata=metadata)


def _position(unmapped: UnmappedPath) -> str:
    return f"{'0' if unmapped.resource == 'User' else '1'} {unmapped.path}"


def _shown(unmapped: UnmappedPath) -> UnmappedAttributeAnswer:
    known = unmapped.known
    return UnmappedAttributeAnswer(
        resource=unmapped.resource,
        path=unmapped.path,
        count=known.count,
        last_seen_at=datetime.fromisoformat(known.seen),
        type=known.type,  # type: ignore[arg-type]  # one of these
        sample=known.sample,
    )


OPERATIONS = (
    Operation(
        "list_unmapped_attributes",
        "GET",
        "directories/{directory_id}/unmapped-attributes",
        "read",
        "List what is received and not mapped",
        list_unmapped_attributes,
        "2",
        UnmappedAttributeList,
        ListQuery,
    ),
)
