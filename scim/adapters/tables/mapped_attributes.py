"""What a directory's attribute mappings mean for its rows: which lookup rows a user has by its mapped values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.directories.mapping_job import matching_paths
from scim.resources.comparison_key import comparison_hash
from scim.resources.directory_schemas import directory_schemas
from scim.resources.document_values import Document, ResolvedAttribute
from scim.resources.mapped_values import values_reader


@dataclass(frozen=True, slots=True)
class MappedAttributes:
    """The mappings that a change is made under."""

    mappings: tuple[AttributeMapping, ...] = ()
    revision: int = 0
    ready: tuple[str, ...] = ()
    """The paths of those mappings by which every user has its lookup row, so that a search may rely on them."""

    @classmethod
    def of(cls, directory: Directory) -> MappedAttributes:
        """Return the mappings of a directory."""
        return cls(directory.attribute_mappings, directory.mapping_revision, directory.matching_ready)

    @property
    def is_settled(self) -> bool:
        """Whether there are matching mappings, and every user has the lookup rows of them all, and of no others."""
        return bool(self.ready) and matching_paths(self.mappings) == frozenset(self.ready)

    @property
    def searchable(self) -> frozenset[str]:
        """The attributes, as :func:`attribute_name` names them, that a search finds users by."""
        if not self.ready:
            return frozenset()
        return frozenset(name for path, name, _ in _matching(self.mappings) if path in self.ready)


NO_MAPPINGS = MappedAttributes()


def attribute_name(resolved: ResolvedAttribute) -> str:
    """Return one name for an attribute, whichever path a caller wrote."""
    sub = f".{resolved.sub.name}" if resolved.sub else ""
    return f"{resolved.urn or ''}:{resolved.attribute.name}{sub}".lower()


def matching_values(attributes: MappedAttributes, document: Document) -> tuple[str, ...]:
    """Return the hashes of attribute and value by which a user is found, one for each matching mapping with a value."""
    if not any(mapping.matching for mapping in attributes.mappings):
        return ()
    found = {
        value_hash(name, value): None
        for _, name, read in _matching(attributes.mappings)
        for value in read(document)
        if isinstance(value, str)
    }
    return tuple(found)


def value_hash(name: str, value: str) -> str:
    """Return what stands in a key for a value of an attribute."""
    return f"{comparison_hash(name)}|{comparison_hash(value)}"


@lru_cache(maxsize=256)
def _matching(mappings: tuple[AttributeMapping, ...]) -> Sequence[tuple[str, str, Callable[[Document], list[Any]]]]:
    """Return path, name and reader of each matching mapping."""
    schema = directory_schemas(mappings).user
    readers = [(mapping.path, values_reader(mapping.path, schema)) for mapping in mappings if mapping.matching]
    return [(path, attribute_name(reader[0]), reader[1]) for path, reader in readers if reader is not None]
