"""A directory to fill, to damage and to look at, on a table in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.mapped_attributes import MappedAttributes
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.resource_store import TableResourceStore
from scim.adapters.tables.table import Row, Value, delete, insert, merge
from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.identifiers import begin_operation, new_resource_id
from scim.resources.membership import Member, MembershipChange
from scim.resources.schema import GROUP_URN, USER_URN
from scim.resources.stored_document import StoredDocument
from scim.resources.summary import summary_texts
from tests.fakes.memory_table import MemoryTable

MATCHING = MappedAttributes((AttributeMapping("boss_of", "title", matching=True),), 1, ("title",))
"""The mappings of the directory: title is a matching attribute."""


@dataclass(slots=True)
class FilledDirectory:
    """Users and groups are made through the store that production uses; rows can be damaged behind its back."""

    table: MemoryTable = field(default_factory=MemoryTable)
    partition: Partition = field(init=False)
    store: TableResourceStore = field(init=False)

    def __post_init__(self) -> None:
        self.partition = Partition(self.table, "dir_1", "org_1", MATCHING)
        self.store = TableResourceStore(self.partition, lambda _: None)

    async def user(self, user_name: str, **attributes: Any) -> StoredDocument:
        """Create a user."""
        document = {"schemas": [USER_URN], "id": new_resource_id("User"), "userName": user_name, **attributes}
        return await self.store.create_user(document, begin_operation())

    async def group(self, name: str, *member_ids: str, **attributes: Any) -> StoredDocument:
        """Create a group with members."""
        document = {"schemas": [GROUP_URN], "id": new_resource_id("Group"), "displayName": name, **attributes}
        return await self.store.create_group(document, [Member(each) for each in member_ids], begin_operation())

    async def add(self, group_id: str, *member_ids: str) -> None:
        """Add members to a group."""
        change = MembershipChange({member_id: Member(member_id) for member_id in member_ids})
        await self.store.change_members(group_id, change, begin_operation())

    def rows(self) -> dict[str, Row]:
        """Return all rows by key."""
        return self.table.rows(self.partition.directory_id)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix, in order."""
        return [key for key in self.rows() if key.startswith(prefix)]

    async def drop(self, *row_keys: str) -> None:
        """Delete rows behind the service's back."""
        await self.partition.commit([delete(key) for key in row_keys])

    async def put(self, key: str, **values: Value) -> None:
        """Add a row behind the service's back."""
        await self.partition.commit([insert(key, values)])

    async def change(self, key: str, **values: Value) -> None:
        """Change properties of a row behind the service's back."""
        await self.partition.commit([merge(key, values)])

    async def edit(self, resource_id: str, **attributes: Any) -> None:
        """Change a document's attributes behind the service's back: no other row follows."""
        key = keys.document(resource_id)
        document = json.loads(str(self.rows()[key].values["d0"])) | attributes
        texts = summary_texts("User" if resource_id.startswith("usr_") else "Group", document)
        await self.change(key, d0=json.dumps(document), **texts)
