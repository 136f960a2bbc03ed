"""Operations on the attribute mappings of a directory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from scim.directories.attribute_mapping import (
    MAX_DESCRIPTION_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PATH_LENGTH,
    AttributeMapping,
)
from scim.directories.directory import MAX_MAPPINGS, Directory
from scim.directories.errors import InvalidValueError
from scim.management.models import Answer, Body
from scim.management.operation import Call, Operation
from scim.management.problems import FieldError, invalid
from scim.resources.attribute_coverage import Coverage
from scim.resources.mapping_coverage import mapping_coverage, resource_count
from scim.resources.mapping_rules import require_valid_mappings

Type = Literal["string", "boolean", "integer", "decimal", "dateTime", "reference"]


class MappingBody(Body):
    """One attribute of the application: its name there, where SCIM carries it, and its type."""

    name: str = Field(max_length=MAX_NAME_LENGTH)
    path: str = Field(
        max_length=MAX_PATH_LENGTH,
        description='A core path such as `emails[type eq "work"].value`, or an extension\'s URN and attribute.',
    )
    type: Type = "string"
    multi_valued: bool = False
    required: bool = Field(default=False, description="Its absence is reported, and never refused.")
    matching: bool = Field(default=False, description="Whether filters on it are answered quickly.")
    description: str = Field("", max_length=MAX_DESCRIPTION_LENGTH)
    resource: Literal["User", "Group"] = "User"


class MappingAnswer(Answer):
    """One attribute of the application."""

    name: str
    path: str
    type: Type
    multi_valued: bool
    required: bool
    matching: bool
    description: str
    resource: Literal["User", "Group"]


class CoverageAnswer(Answer):
    """How many users or groups have a value under a mapping's path, as of some seconds ago."""

    name: str
    resource: Literal["User", "Group"]
    resources: int | None = Field(description="Null where a path is not counted, such as entries by value.")
    of: int = Field(description="How many users or groups there are.")
    last_seen_at: datetime | None = Field(description="When a value was written last, to the hour.")
    sample: str | None = Field(description="Two characters of one value, digits as 0, and dots.")


Mappings = Annotated[list[MappingBody], Field(max_length=MAX_MAPPINGS)]


class MappingsBody(Body):
    """All mappings of a directory; they take the place of those before."""

    attribute_mappings: Mappings


class MappingsAnswer(Answer):
    """All mappings of a directory."""

    mapping_revision: int = Field(description="Grows with every change of the mappings.")
    attribute_mappings: list[MappingAnswer]


class CoveredMappingsAnswer(MappingsAnswer):
    """All mappings of a directory, and how many users and groups have each."""

    coverage: list[CoverageAnswer] = Field(description="In the order of the mappings.")


async def get_mappings(call: Call) -> CoveredMappingsAnswer:
    """Return the mappings of a directory with their coverage."""
    coverage = await call.services.derived_of(call.directory).coverage()
    mappings = call.directory.attribute_mappings
    return CoveredMappingsAnswer(
        mapping_revision=call.directory.mapping_revision,
        attribute_mappings=shown_mappings(call.directory),
        coverage=[_coverage(mapping, coverage.get(mapping.resource, {})) for mapping in mappings],
    )


def _coverage(mapping: AttributeMapping, coverage: Coverage) -> CoverageAnswer:
    found = mapping_coverage(mapping, coverage)
    known = found.known if found else None
    return CoverageAnswer(
        name=mapping.name,
        resource=mapping.resource,
        resources=found.resources if found else None,
        of=resource_count(mapping.resource, coverage),
        last_seen_at=datetime.fromisoformat(known.seen) if known else None,
        sample=known.sample if known else None,
    )


async def put_mappings(call: Call) -> MappingsAnswer:
    """Return the new mappings of a directory; they are in effect everywhere within 30 seconds."""
    mappings = read_mappings(call.body.attribute_mappings)
    return _shown(await call.services.directories.update_directory(call.directory.id, mappings=mappings))


def read_mappings(bodies: Sequence[MappingBody]) -> list[AttributeMapping]:
    """Return mappings as they were sent.

    :raises Problem: 422, when one is malformed; with the place of it.
    :raises InvalidValueError: When they contradict each other, or name what is not there.
    """
    mappings = [_read(body, index) for index, body in enumerate(bodies)]
    require_valid_mappings(mappings)
    return mappings


def _read(body: MappingBody, index: int) -> AttributeMapping:
    try:
        return AttributeMapping(**body.model_dump())
    except InvalidValueError as error:
        sentence = str(error).removeprefix(f"{error.field}: ")
        raise invalid(FieldError(f"attribute_mappings[{index}].{error.field}", sentence)) from error


def shown_mappings(directory: Directory) -> list[MappingAnswer]:
    """Return a directory's mappings as the API shows them."""
    return [MappingAnswer(**mapping.to_json()) for mapping in directory.attribute_mappings]


def _shown(directory: Directory) -> MappingsAnswer:
    return MappingsAnswer(mapping_revision=directory.mapping_revision, attribute_mappings=shown_mappings(directory))


_ALL = "directories/{directory_id}/attribute-mappings"
OPERATIONS = (
    Operation(
        "get_attribute_mappings", "GET", _ALL, "read", "Get the mappings", get_mappings, "2", CoveredMappingsAnswer
    ),
    Operation(
        "put_attribute_mappings",
        "PUT",
        _ALL,
        "write",
        "Replace the mappings",
        put_mappings,
        "3; when they differ 7",
        MappingsAnswer,
        body=MappingsBody,
    ),
)
