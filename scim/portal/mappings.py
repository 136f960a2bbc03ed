"""Attribute mappings as their pages show and change them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.directories.directory_changes import MappingChange
from scim.directories.errors import InvalidValueError
from scim.resources.attribute_coverage import Coverage, PathCoverage
from scim.resources.identifiers import ResourceName
from scim.resources.mapping_coverage import UnmappedPath, mapping_coverage, resource_count, unmapped_paths
from scim.resources.mapping_rules import require_valid_mappings
from scim.resources.profile import ATTRIBUTE_PATHS, PROFILE_NAMES

TYPES = {
    "string": "text",
    "boolean": "yes or no",
    "integer": "whole number",
    "decimal": "number",
    "dateTime": "date and time",
    "reference": "link",
}
"""What the types of mappings are called."""
_ENTRIES = {"email": 'emails[type eq "work"].value', "phone_number": 'phoneNumbers[type eq "work"].value'}
_ATTRIBUTE = re.compile(
    r'(?:urn:.+:)?(?P<name>[A-Za-z][\w-]*)(?:\[type eq "(?P<type>\w+)"\])?(?:\.(?P<sub>[\w$-]+))?', re.ASCII
)


@dataclass(frozen=True, slots=True)
class Expected:
    """An attribute that the application expects, beside what was seen of it."""

    name: str
    path: str
    of: int
    """How many users or groups there are."""
    count: int | None
    """How many have a value; None where that is not counted."""
    seen: PathCoverage | None
    mapping: AttributeMapping | None = None
    """None for a standard attribute."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What arrives and nothing takes, and the mapping that would take it."""

    unmapped: UnmappedPath
    mapping: AttributeMapping | None
    hindrance: str = ""
    """Why it cannot be mapped."""


def expected_mappings(directory: Directory, coverage: Mapping[ResourceName, Coverage]) -> list[Expected]:
    """Return the mapped attributes with what was seen of each."""
    return [_expected(mapping, coverage.get(mapping.resource, {})) for mapping in directory.attribute_mappings]


def _expected(mapping: AttributeMapping, coverage: Coverage) -> Expected:
    found = mapping_coverage(mapping, coverage)
    of = resource_count(mapping.resource, coverage)
    count, seen = (found.resources, found.known) if found else (None, None)
    return Expected(mapping.name, mapping.path, of, count, seen, mapping)


def expected_of(mapping: AttributeMapping, coverage: Mapping[ResourceName, Coverage]) -> Expected:
    """Return a mapped attribute with what was seen of it."""
    return _expected(mapping, coverage.get(mapping.resource, {}))


def standard_attributes(coverage: Coverage) -> list[Expected]:
    """Return the attributes that every user may have, but ``active``, with what was seen of each."""
    known, of = {path.lower(): seen for path, seen in coverage.items()}, resource_count("User", coverage)
    paths = {name: _ENTRIES.get(name, path) for name, path in ATTRIBUTE_PATHS.items() if name != "active"}
    found = {name: known.get(path.lower()) for name, path in paths.items()}
    return [Expected(name, path, of, seen.count if (seen := found[name]) else 0, seen) for name, path in paths.items()]


def candidates(directory: Directory, coverage: Mapping[ResourceName, Coverage]) -> list[Candidate]:
    """Return what arrives and nothing takes, each with a name and a type that fit."""
    return [_candidate(directory.attribute_mappings, each) for each in unmapped_paths(directory, coverage)]


def _candidate(mappings: Sequence[AttributeMapping], unmapped: UnmappedPath) -> Candidate:
    try:
        mapping = AttributeMapping(
            suggested_name(unmapped.path, mappings),
            unmapped.path,
            type=unmapped.known.type,  # type: ignore[arg-type]  # refused below when it is none
            resource=unmapped.resource,
        )
        require_valid_mappings((*mappings, mapping))
    except InvalidValueError as error:
        return Candidate(unmapped, None, str(error).partition(": ")[2])
    return Candidate(unmapped, mapping)


def suggested_name(path: str, mappings: Sequence[AttributeMapping]) -> str:
    """Return a name for what a path names, as the application writes names, that is not taken."""
    match = _ATTRIBUTE.fullmatch(path)
    parts = [match["type"], match["name"], match["sub"]] if match else [path.rpartition(":")[2]]
    words = [_snake(part) for part in parts if part and part != "value"]
    name = "_".join(words) or "attribute"
    taken = PROFILE_NAMES | {mapping.name.lower() for mapping in mappings}
    return next(each for each in _numbered(name) if each.lower() not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 1000):
        yield f"{name}_{number}"


def _snake(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).replace("-", "_").lower()


def mapping_of(form: Mapping[str, str]) -> AttributeMapping:
    """Return the mapping that a form describes.

    :raises InvalidValueError: When a field is malformed.
    """
    texts: dict[str, Any] = {
        field: form.get(field, "").strip() for field in ("name", "path", "type", "resource", "description")
    }
    choices: dict[str, Any] = {field: form.get(field) == "yes" for field in ("multi_valued", "required", "matching")}
    return AttributeMapping(**texts, **choices)


def find_mapping(directory: Directory, resource: str, name: str) -> AttributeMapping | None:
    """Return a directory's mapping of a name, or None."""
    return next((each for each in directory.attribute_mappings if (each.resource, each.name) == (resource, name)), None)


def adding(new: AttributeMapping) -> MappingChange:
    """Return the change that adds a mapping; one that is there is not added again."""

    def change(old: Sequence[AttributeMapping]) -> Sequence[AttributeMapping]:
        mappings = old if new in old else (*old, new)
        require_valid_mappings(mappings)
        return mappings

    return change


def changing(before: AttributeMapping, after: AttributeMapping | None) -> MappingChange:
    """Return the change that puts a mapping in the place of another, or removes it."""

    def change(old: Sequence[AttributeMapping]) -> Sequence[AttributeMapping]:
        mappings = [after if each == before else each for each in old if after is not None or each != before]
        kept = [each for each in mappings if each is not None]
        require_valid_mappings(kept)
        return kept

    return change


def consequences(before: AttributeMapping, after: AttributeMapping | None, count: int | None) -> list[str]:
    """Return what a change of a mapping, or its removal, does, in sentences."""
    things = "users" if before.resource == "User" else "groups"
    who = f"All {things} that have a value" if count is None else f"{count} {things[:-1] if count == 1 else things}"
    nobody = f"No {things[:-1]} has a value so far."
    if after is None:
        return [
            nobody
            if count == 0
            else f"{who} no longer {_verb(count, 'have')} {before.name} in the application, which is told of each.",
            "The values are kept as they were sent: adding the mapping again brings them back.",
        ]
    told: dict[Literal["name", "path", "type", "multi_valued", "required", "matching"], str] = {
        "name": f"The application finds the value as {after.name}, and no longer as {before.name}.",
        "path": f"The value is taken from {after.path}, and no longer from {before.path}.",
        "type": f"Values that are no {TYPES[after.type]} are kept, but the application does not see them.",
        "multi_valued": f"The application gets {'a list' if after.multi_valued else 'the first value'}.",
        "required": "A missing value is reported." if after.required else "A missing value is no longer reported.",
        "matching": "Searches for it become quick." if after.matching else "Searches for it are no longer quick.",
    }
    changed = [sentence for field, sentence in told.items() if getattr(before, field) != getattr(after, field)]
    if any(getattr(before, field) != getattr(after, field) for field in ("name", "path", "type", "multi_valued")):
        changed.append(
            nobody if count == 0 else f"{who} may change in the application, which is told of each that does."
        )
    return changed


def _verb(count: int | None, verb: str) -> str:
    return "has" if count == 1 and verb == "have" else verb
