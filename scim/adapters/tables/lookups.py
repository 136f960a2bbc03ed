"""Resources found by lookup rows, and the memberships a filter asks about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.groups import read_group
from scim.adapters.tables.lookup_plan import Lookup, compared_references
from scim.adapters.tables.mapped_attributes import value_hash
from scim.adapters.tables.memberships import read_groups_of
from scim.adapters.tables.partition import Partition, in_parallel
from scim.adapters.tables.unfinished import visible_groups
from scim.adapters.tables.users import read_user
from scim.resources.errors import TooManyRowsError
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.schema import ResourceSchema
from scim.resources.search import Search
from scim.resources.stored_document import StoredDocument

MAX_CANDIDATES = 2_000

Document = dict[str, Any]


async def read_resource(partition: Partition, name: ResourceName, resource_id: str) -> StoredDocument | None:
    """Return a resource, a group without members, or None. One storage request; none for an id of another type."""
    if resource_name_of(resource_id) != name:
        return None
    return await (read_user if name == "User" else read_group)(partition, resource_id)


async def found_by_lookups(partition: Partition, name: ResourceName, plan: Sequence[Lookup]) -> list[StoredDocument]:
    """Return what the lookups of a plan find, in id order; the caller still compares each with the filter.

    :raises TooManyRowsError: When a group of very many members, or the like, has to be walked.
    """
    ids: set[str] = set()
    for lookup in plan:
        ids.update(await _ids(partition, name, lookup))
        if len(ids) > MAX_CANDIDATES:
            raise TooManyRowsError
    return await read_resources(partition, name, sorted(ids))


async def read_resources(partition: Partition, name: ResourceName, ids: Sequence[str]) -> list[StoredDocument]:
    """Return the existing ones of some resources in the given order; one storage request each."""
    found = await in_parallel(ids, lambda resource_id: read_resource(partition, name, resource_id))
    return [document for document in found if document is not None]


async def _ids(partition: Partition, name: ResourceName, lookup: Lookup) -> list[str]:
    value = lookup.value
    match lookup.kind:
        case "id":
            return [value]
        case "user_name" | "group_name":
            row = await partition.read((keys.user_name if name == "User" else keys.group_name)(value))
            return [str(row.values["id"])] if row else []
        case "member":
            return [group_id async for group_id in read_groups_of(partition, value)] if _is_ours(value) else []
        case "group" if not _is_ours(value):
            return []
    return await _last_ids(partition, _key_range(name, lookup))


def _key_range(name: ResourceName, lookup: Lookup) -> tuple[str, str]:
    """Return the range of the lookup rows of a value that several resources may have."""
    match lookup.kind:
        case "external_id":
            return keys.external_id_range(name, lookup.value)
        case "work_email":
            return keys.work_email_range(lookup.value)
        case "leading_email":
            return keys.leading_email_range(lookup.value)
        case "matching":
            return keys.matching_range(value_hash(lookup.attribute, lookup.value))
        case _:
            return keys.member_range(lookup.value)


def _is_ours(resource_id: str) -> bool:
    return resource_name_of(resource_id) is not None


async def _last_ids(partition: Partition, key_range: tuple[str, str]) -> list[str]:
    ids = []
    async for row in partition.rows(key_range, select=("RowKey",)):
        ids.append(keys.last_id(row.key))
        if len(ids) > MAX_CANDIDATES:
            raise TooManyRowsError
    return ids


class MembershipAnswers:
    """What a filter asks about memberships, as parts of documents: only the ids it compares with, where they hold."""

    def __init__(self, partition: Partition, search: Search) -> None:
        self._partition = partition
        node = search.filter
        self._members = (compared_references(node, "members") if node else None) or frozenset()
        self._groups = (compared_references(node, "groups") if node else None) or frozenset()

    def asks(self, schema: ResourceSchema) -> bool:
        """Tell whether the filter asks about memberships of resources of a type."""
        return bool(self._members if schema.name == "Group" else self._groups)

    async def complete(self, schema: ResourceSchema, resource_id: str, document: Document) -> None:
        """Add to a document those of the asked members (or groups) that it has. One storage request for each asked."""
        asked = [
            reference
            for reference in (self._members if schema.name == "Group" else self._groups)
            if _is_ours(reference)
        ]
        if not asked:
            return
        if schema.name == "Group":
            wanted = {keys.membership(resource_id, reference): reference for reference in asked}
        else:
            wanted = {keys.membership_of(resource_id, reference): reference for reference in asked}
        found = await self._partition.read_many(list(wanted), select=("RowKey",))
        references = await visible_groups(self._partition, [wanted[key] for key in found])
        if references:
            document["members" if schema.name == "Group" else "groups"] = [{"value": r} for r in sorted(references)]
