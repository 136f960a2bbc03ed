"""Whether a stored document matches a search, and its place in the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from scim2_models import InvalidFilterException

from scim.adapters.tables.lookup_plan import compared_references
from scim.adapters.tables.lookups import MembershipAnswers
from scim.adapters.tables.partition import Partition
from scim.resources.comparison_key import comparison_key
from scim.resources.filter import MAX_COMPARISONS, comparisons_of, compile_filter
from scim.resources.profile import leading_value
from scim.resources.schema import ResourceSchema
from scim.resources.search import Search
from scim.resources.sorting import Position
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import MANY_STEPS, run_apart, values_in

_REFERENCES: tuple[tuple[Literal["members", "groups"], str], ...] = (("members", "Group"), ("groups", "User"))


@dataclass(frozen=True, slots=True)
class Match:
    """A document that matches, and its place in the order of the search."""

    stored: StoredDocument
    position: Position


class Matcher:
    """A search's filter and order, compiled once and applied to documents.

    :raises InvalidFilterException: When the filter asks what memberships cannot answer.
    """

    def __init__(self, partition: Partition, search: Search) -> None:
        self._schemas: dict[str, ResourceSchema] = {schema.name: schema for schema in search.schemas}
        self._answers = MembershipAnswers(partition, search)
        self._sort = search.sort
        self._leading_email = comparison_key(search.leading_email)
        self._filter, self._node = None, search.filter
        if search.filter is not None:
            _refuse_unanswerable(search)
            self._filter = compile_filter(search.filter, search.schemas)

    async def match(self, stored: StoredDocument) -> Match | None:
        """Return the match of a document, or None. No storage request unless the filter asks about memberships."""
        if self._leading_email and not self._leads(stored):
            return None
        unsorted = self._sort is None or self._sort.text is None
        if self._filter is None and unsorted:
            return Match(stored, Position(missing=True, value="", id=stored.id))
        schema, document = self._schemas[stored.name], document_with_meta(stored)
        if self._answers.asks(schema):
            await self._answers.complete(schema, stored.id, document)
        if self._is_heavy(stored):
            return await run_apart(lambda: self._match(stored, schema, document), is_heavy=True)
        return self._match(stored, schema, document)

    def _is_heavy(self, stored: StoredDocument) -> bool:
        """Tell whether comparing takes so long that it is done in the worker thread: never with a user as most are."""
        if self._node is None or len(stored.text) * MAX_COMPARISONS < MANY_STEPS:
            return False
        return comparisons_of(self._node) * values_in(stored.text) > MANY_STEPS

    def _match(self, stored: StoredDocument, schema: ResourceSchema, document: dict[str, Any]) -> Match | None:
        if self._filter is not None and not self._filter.matches(schema, document):
            return None
        if self._sort is None or self._sort.text is None:
            return Match(stored, Position(missing=True, value="", id=stored.id))
        return Match(stored, self._sort.position(schema, document))

    def _leads(self, stored: StoredDocument) -> bool:
        leading = leading_value(stored.document().get("emails"))
        return leading is not None and comparison_key(leading) == self._leading_email


def _refuse_unanswerable(search: Search) -> None:
    for attribute, name in _REFERENCES:
        searched = any(schema.name == name for schema in search.schemas)
        if searched and search.filter is not None and compared_references(search.filter, attribute) is None:
            raise InvalidFilterException(
                detail=f'A filter can ask for one of the {attribute} by id only: {attribute} eq "id".'
            )


def document_with_meta(stored: StoredDocument) -> dict[str, Any]:
    """Return a document as filters and sorting see it, with ``meta``."""
    document = stored.document()
    document["meta"] = {
        "resourceType": stored.name,
        "created": stored.created,
        "lastModified": stored.last_modified,
        "version": f'W/"{stored.version}"',
    }
    return document
