"""How many resources have what an attribute mapping names, and what arrives that nothing takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.resources.attribute_coverage import Coverage, PathCoverage
from scim.resources.directory_schemas import directory_schemas
from scim.resources.identifiers import ResourceName
from scim.resources.mapped_values import values_reader
from scim.resources.profile import PROFILE_PATHS
from scim.resources.schema import GROUP_URN, USER_URN

_EVERY_RESOURCE: Mapping[ResourceName, str] = {"User": "userName", "Group": "displayName"}
"""The path that every resource of a type has, so that its count is that of the resources."""
_BY_TYPE = re.compile(r'\w+\[type eq "\w+"\]\.\w+', re.ASCII | re.IGNORECASE)
_CORE = tuple(f"{urn}:".lower() for urn in (USER_URN, GROUP_URN))


@dataclass(frozen=True, slots=True)
class MappingCoverage:
    """How many users or groups have a value under a mapping's path."""

    resources: int
    known: PathCoverage | None
    """What is known of the path; None while none has a value there."""


@dataclass(frozen=True, slots=True)
class UnmappedPath:
    """A path that arrives, and that neither a mapping nor the profile takes."""

    resource: ResourceName
    path: str
    known: PathCoverage


def mapping_coverage(mapping: AttributeMapping, coverage: Coverage) -> MappingCoverage | None:
    """Return how many resources have a value under a mapping's path; None where paths are not counted that way.

    Entries of a multi-valued attribute are counted by their type only: ``phoneNumbers[type eq "mobile"].value``.
    """
    path = _plain(mapping.path)
    known = [each for name, each in coverage.items() if name.lower() == path]
    if not known and not _is_counted(mapping):
        return None
    return MappingCoverage(sum(each.count for each in known), max(known, key=lambda each: each.seen, default=None))


def resource_count(name: ResourceName, coverage: Coverage) -> int:
    """Return how many resources of a type a coverage has counted."""
    every = coverage.get(_EVERY_RESOURCE[name])
    return every.count if every else 0


def _plain(path: str) -> str:
    """Return a path as the coverage names it, in small letters: a core attribute by its short name."""
    lowered = path.lower()
    return next((lowered.removeprefix(urn) for urn in _CORE if lowered.startswith(urn)), lowered)


def _is_counted(mapping: AttributeMapping) -> bool:
    if "[" in mapping.path:
        return _BY_TYPE.fullmatch(mapping.path) is not None
    schemas = directory_schemas((mapping,))
    found = values_reader(mapping.path, schemas.user if mapping.resource == "User" else schemas.group)
    return found is None or not (found[0].attribute.multi_valued and found[0].attribute.type == "complex")


def unmapped_paths(directory: Directory, coverage: Mapping[ResourceName, Coverage]) -> Sequence[UnmappedPath]:
    """Return what arrives and nothing takes, users first, in the order of the paths."""
    return [
        UnmappedPath(name, path, known)
        for name in ("User", "Group")
        for path, known in sorted(coverage.get(name, {}).items())
        if path.lower() not in PROFILE_PATHS[name] and path.lower() not in _mapped(directory, name)
    ]


def _mapped(directory: Directory, name: ResourceName) -> frozenset[str]:
    return frozenset(_plain(mapping.path) for mapping in directory.attribute_mappings if mapping.resource == name)
