"""PATCH operations applied to a document (RFC 7644 §3.5.2), in Entra's dialect.

Works on the stored JSON: values that no schema declares obey the same operations, and no model rewrites a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scim2_models import InvalidPathException, MutabilityException

from scim.provisioning.attribute_paths import AttributePath, path_in
from scim.provisioning.document_reader import Document, read_for, require_complete
from scim.provisioning.documents import attributes_of, complete_document
from scim.provisioning.entry_identity import named_identities
from scim.provisioning.entry_list import EntryList, Visits
from scim.provisioning.entry_selection import (
    Entry,
    matcher,
    merged,
    remove_selected,
    with_sub_attribute,
    write_selected,
    write_sub_attribute_everywhere,
)
from scim.resources.named_members import NamedMembers
from scim.resources.request_limits import require_few_entries, require_few_members
from scim.resources.schema import Attribute, ResourceSchema
from scim.resources.stored_document import StoredDocument
from scim.resources.values import ABSENT

_IGNORED = frozenset({"schemas", "password"})
"""``schemas`` is computed from what is present; a password is accepted and never kept."""


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation as read: ``op`` is add, replace or remove; a remove without value has ``value`` None."""

    op: str
    path: AttributePath
    value: Any = None


def patched_document(stored: StoredDocument, operations: Iterable[PatchOperation], schema: ResourceSchema) -> Document:
    """Return a resource's document after operations, complete and ready to be stored.

    :raises SCIMException: When an operation cannot be applied, or what is left lacks a required attribute.
    """
    attributes = attributes_of(stored.document())
    kept = attributes.get("userName")
    patch = DocumentPatch(attributes)
    for operation in operations:
        patch.apply(operation)
    patch.finish()
    require_complete(patch.document, schema, kept)
    return complete_document(patch.document, stored.id, schema)


def ignored_paths(operations: Iterable[PatchOperation]) -> list[str]:
    """Return the paths that operations write and that are never stored."""
    return [
        operation.path.text
        for operation in operations
        if operation.op != "remove" and operation.path.urn is None and operation.path.key == "password"
    ]


class DocumentPatch:
    """A document under operations, each at the cost of what it is about: lists are opened once and closed at the end.

    Entra needs what the RFC refuses: a filter that matches no entry creates the entry it describes, and ``replace``
    with ``""`` or null clears.
    """

    def __init__(self, document: Document) -> None:
        self.document: Document = NamedMembers(document)
        """What the operations made of the given one; it is whole after :meth:`finish`."""
        self._lists: dict[str | None, dict[str, EntryList]] = {}
        """The open lists by extension and attribute; in the document, they are as they were opened."""
        self._visits = Visits()

    def apply(self, operation: PatchOperation) -> None:
        """Apply one operation.

        :raises MutabilityException, InvalidValueException, InvalidPathException: Saying what to change.
        """
        path = path_in(self.document, operation.path)
        if path.attribute is None:
            self._remove_extension(path.urn)
        elif path.urn is not None or path.attribute.name not in _IGNORED:
            _refuse_impossible(path)
            if operation.op == "remove":
                self._remove(path, operation.value)
            else:
                self._write(path, operation.value, operation.op)
            if path.urn is not None and not self.document.get(path.urn):
                self._remove_extension(path.urn)

    def finish(self) -> None:
        """Close the lists.

        :raises TooManyException: When an attribute has got more than 1,000 entries, or an object as many members.
        """
        for urn, lists in self._lists.items():
            for key in tuple(lists):
                self._close(self._holder(urn), urn, key)
        self.document = _within_limits("The resource", self.document)

    def _remove_extension(self, urn: str | None) -> None:
        self.document.pop(urn or "", None)
        self._lists.pop(urn, None)

    def _holder(self, urn: str | None) -> Entry:
        """Return what holds the attributes of an extension, which is made when it is missing, or of the core schema."""
        if urn is None:
            return self.document
        holder = self.document.get(urn)
        if not isinstance(holder, NamedMembers):
            self.document[urn] = holder = NamedMembers(holder if isinstance(holder, dict) else ())
        return holder

    def _entries(self, holder: Entry, path: AttributePath, attribute: Attribute) -> EntryList:
        lists = self._lists.setdefault(path.urn, {})
        opened = lists.get(path.key)
        if opened is not None and (opened.attribute is attribute or opened.attribute == attribute):
            return opened
        self._close(holder, path.urn, path.key)
        current = holder.get(path.key)
        lists[path.key] = opened = EntryList(attribute, current if isinstance(current, list) else (), self._visits)
        return opened

    def _keep_presence(self, holder: Entry, path: AttributePath, entries: EntryList) -> None:
        """Have the attribute in the document as long as its list has entries."""
        if not entries:
            holder.pop(path.key, None)
        elif not isinstance(holder.get(path.key), list):
            holder[path.key] = []

    def _close(self, holder: Entry, urn: str | None, key: str) -> None:
        entries = self._lists.get(urn, {}).pop(key, None)
        if entries:
            require_few_entries(entries, key, before=entries.count_before)
            holder[key] = entries.entries()

    # -- Writing --------------------------------------------------------

    def _write(self, path: AttributePath, value: Any, op: str) -> None:
        attribute, holder = path.attribute, self._holder(path.urn)
        if attribute is None:
            return
        if path.value_filter is not None:
            entries = self._entries(holder, path, attribute)
            write_selected(entries, path, value)
            self._keep_presence(holder, path, entries)
        elif path.sub is not None:
            self._write_sub_attribute(holder, path, attribute, value)
        else:
            self._write_attribute(holder, path, attribute, value, op)

    def _write_attribute(self, holder: Entry, path: AttributePath, attribute: Attribute, value: Any, op: str) -> None:
        read = read_for(path, value)
        if attribute.multi_valued and op == "add":
            if read is not ABSENT:
                entries = self._entries(holder, path, attribute)
                entries.append(read)
                self._keep_presence(holder, path, entries)
            return
        self._close(holder, path.urn, path.key)
        if attribute.type == "complex" and not attribute.multi_valued and isinstance(value, Mapping):
            _assign_or_drop(holder, path, merged(attribute, _members_at(holder, path), value, path.text))
        elif read is ABSENT:
            _unassign(holder, path)
        else:
            holder[path.key] = NamedMembers(read) if isinstance(read, dict) else read

    def _write_sub_attribute(self, holder: Entry, path: AttributePath, attribute: Attribute, value: Any) -> None:
        """Write ``name.givenName``, or ``emails.type`` of every entry; a missing attribute is created."""
        current = holder.get(path.key)
        if attribute.multi_valued and current is None and value in (None, ""):
            return
        if isinstance(current, list):
            entries = self._entries(holder, path, attribute)
            write_sub_attribute_everywhere(entries, path, value)
            self._keep_presence(holder, path, entries)
            return
        entry = with_sub_attribute(attribute, _members_at(holder, path), path, value)
        if attribute.multi_valued and entry:
            holder[path.key] = [entry]
        else:
            _assign_or_drop(holder, path, entry)

    # -- Removing -------------------------------------------------------

    def _remove(self, path: AttributePath, value: Any) -> None:
        if path.value_filter is not None:
            matcher(path)  # A filter that fits no entry is refused, also where there are no entries.
        holder = self._holder(path.urn)
        if path.key not in holder or path.attribute is None:
            return
        current = holder[path.key]
        if path.value_filter is None and path.sub is None and (value in (None, "") or not isinstance(current, list)):
            self._close(holder, path.urn, path.key)
            _unassign(holder, path)
        elif isinstance(current, list):
            self._remove_entries(holder, path, path.attribute, value)
        elif isinstance(current, dict):
            _assign_or_drop(holder, path, with_sub_attribute(path.attribute, _members_at(holder, path), path, None))

    def _remove_entries(self, holder: Entry, path: AttributePath, attribute: Attribute, value: Any) -> None:
        entries = self._entries(holder, path, attribute)
        if path.value_filter is not None or path.sub is not None:
            remove_selected(entries, path)
        else:
            entries.remove(entries.with_parts(named_identities(attribute, value, path.text)))
        self._keep_presence(holder, path, entries)


def _within_limits(name: str, members: Entry) -> Entry:
    """Return an object, and what it holds, as plain ones; only those that were written to can have grown."""
    require_few_members(members, name, before=getattr(members, "count_before", 0))
    return {
        each: _within_limits(each, value) if isinstance(value, NamedMembers) else value
        for each, value in members.items()
    }


def _members_at(holder: Entry, path: AttributePath) -> Entry:
    """Return the object that an attribute holds, to be written into; an empty one when it holds none."""
    current = holder.get(path.key)
    if isinstance(current, NamedMembers):
        return current
    return NamedMembers(current if isinstance(current, dict) else ())


def _assign_or_drop(holder: Entry, path: AttributePath, value: Entry) -> None:
    if value:
        holder[path.key] = value
    else:
        holder.pop(path.key, None)


def _unassign(holder: Entry, path: AttributePath) -> None:
    if path.attribute is not None and path.attribute.required:
        raise MutabilityException(detail=f"{path.text} is required and cannot be removed.")
    holder.pop(path.key, None)


def _refuse_impossible(path: AttributePath) -> None:
    """Refuse a path to what cannot be written: a read-only attribute, an entry or a part of what has none."""
    attribute = path.attribute
    if attribute is None or not path.declared:
        return
    if "readOnly" in (attribute.mutability, path.sub.mutability if path.sub else None):
        raise MutabilityException(detail=f"{path.text} is read-only; remove it from the attribute mapping.")
    if path.value_filter is not None and not attribute.multi_valued:
        raise InvalidPathException(detail=f"{path.text}: {attribute.name} holds one value; leave the brackets out.")
    if path.sub is not None and attribute.type != "complex":
        raise InvalidPathException(detail=f"{path.text}: {attribute.name} has no sub-attributes; name it alone.")
