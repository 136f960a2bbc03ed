"""The resource store of the service behind the storage interface of scim2-server, for its contract suite.

Only forms are turned here: models into documents, results into models, errors into the engine's. What is found, in
which order, on which page and in conflict with what is decided by the store that production uses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scim2_models import (
    AttributeBinding,
    Context,
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    Schema,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    UniquenessException,
)
from scim2_server.storage import AsyncScimStorage, SearchPage

from scim.provisioning import service_provider as described
from scim.provisioning.document_reader import read_resource
from scim.provisioning.documents import complete_document
from scim.provisioning.membership_patch import read_members
from scim.resources.comparison_key import comparison_key
from scim.resources.directory_schemas import DirectorySchemas
from scim.resources.errors import LostRaceError, ResourceMissingError, UnknownMembersError, ValueTakenError
from scim.resources.filter import parse_filter
from scim.resources.identifiers import begin_operation, new_resource_id
from scim.resources.interfaces import ResourceStore
from scim.resources.membership import Member, MembershipChange
from scim.resources.schema import ResourceSchema
from scim.resources.search import Search
from scim.resources.sorting import read_sort_key
from scim.resources.stored_document import StoredDocument

EVERYTHING = 10_000
"""The count of a search that names none: the engine's handler always does, and so does our SCIM surface."""


def _comparison_key(binding: AttributeBinding, text: str) -> str:
    return comparison_key(text, case_exact=binding.case_exact)


POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
    comparison_key=_comparison_key,
)
"""What the service tolerates and how it compares, in the engine's words."""


def engine_provider(provider: DirectorySchemas) -> ScimProvider:
    """Return the engine's view of a directory: made of nothing but what its discovery endpoints answer."""
    return ScimProvider.from_discovery(
        [Schema.model_validate(document) for document in provider.schema_documents],
        [ResourceType.model_validate(document) for document in described.resource_types(provider)],
        config=ServiceProviderConfig.model_validate(described.service_provider_config()),
        policy=POLICY,
    )


class EngineStorage(AsyncScimStorage):
    """Serves the engine from our store."""

    supports_cursors = True

    def __init__(self, store: ResourceStore, provider: DirectorySchemas, models: ScimProvider) -> None:
        self._store = store
        self._provider = provider
        self._models = models
        self._types = {str(resource_type.name): resource_type for resource_type in models.resource_types}

    async def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        return await self._model(await self._stored(self._schema(resource_type), resource_id))

    async def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        schemas = [self._schema(resource_type) for resource_type in resource_types]
        text, order = search_request.filter, search_request.sort_order
        by_cursor = search_request.cursor is not None
        search = Search(
            schemas=schemas,
            filter=parse_filter(str(text)) if text is not None else None,
            sort=read_sort_key(str(search_request.sort_by), order.value if order else None, schemas)
            if search_request.sort_by
            else None,
            count=EVERYTHING if search_request.count is None else search_request.count,
            start_index=None if by_cursor else search_request.start_index or 1,
            # As from a client: a position has been JSON inside a cursor.
            position=json.loads(json.dumps(position)),
        )
        result = await self._store.search(search)
        found = [await self._model(stored) for stored in result.documents]
        return SearchPage(result.total, found, result.next, result.previous)

    async def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        schema = self._schema(resource_type)
        attributes, members = _parts(resource, schema)
        document = complete_document(attributes, new_resource_id(schema.name), schema)
        with _EngineErrors():
            if schema.name == "User":
                stored = await self._store.create_user(document, begin_operation())
            else:
                stored = await self._store.create_group(document, members, begin_operation())
        return await self._model(stored)

    async def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        schema, resource_id = self._schema(resource_type), str(resource.id)
        before = await self._stored(schema, resource_id, expected_version)
        attributes, members = _parts(resource, schema)
        after, operation = complete_document(attributes, resource_id, schema), begin_operation(after=before.version)
        with _EngineErrors():
            if schema.name == "User":
                return await self._model(await self._store.replace_user(before, after, operation))
            change = MembershipChange({member.id: member for member in members}, replace_all=True)
            guarded = expected_version is not None
            await self._store.replace_group(before, after, change, operation, guarded=guarded)
        return await self._model(await self._stored(schema, resource_id))

    async def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        stored = await self._stored(self._schema(resource_type), resource_id, expected_version)
        with _EngineErrors():
            if stored.name == "User":
                await self._store.delete_user(stored)
            else:
                await self._store.delete_group(stored, guarded=expected_version is not None)

    def _schema(self, resource_type: ResourceType) -> ResourceSchema:
        return self._provider.user if resource_type.name == "User" else self._provider.group

    async def _stored(
        self, schema: ResourceSchema, resource_id: str, expected_version: str | None = None
    ) -> StoredDocument:
        stored = await self._store.read(schema.name, resource_id)
        if stored is None:
            raise NotFoundException
        if expected_version not in (None, _etag(stored)):
            raise PreconditionFailedException
        return stored

    async def _model(self, stored: StoredDocument) -> Resource[Any]:
        document = stored.document()
        document["meta"] = {
            "resourceType": stored.name,
            "created": stored.created,
            "lastModified": stored.last_modified,
            "version": _etag(stored),
        }
        if stored.name == "Group":
            members = _listed(await self._store.members(stored.id, limit=EVERYTHING))
            document |= {"members": members} if members else {}
        else:
            document["groups"] = [{"value": group_id} for group_id in await self._store.groups_of(stored.id)]
        model: Any = self._models.model_for(self._types[stored.name])
        loaded: Resource[Any] = model.model_validate(document)
        return loaded


def _etag(stored: StoredDocument) -> str:
    return f'W/"{stored.version}"'


def _listed(members: Sequence[Member]) -> list[Mapping[str, str]]:
    return [
        {"value": member.id} if member.display is None else {"value": member.id, "display": member.display}
        for member in members
    ]


def _parts(resource: Resource[Any], schema: ResourceSchema) -> tuple[dict[str, Any], list[Member]]:
    """Return the attributes and the members of a model, read as those of a request are."""
    payload = resource.model_dump(scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
    read = read_resource(payload, schema)
    return read.document, read_members(read.members)


class _EngineErrors:
    """Turns what the store raises into what the engine's contract asks for."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case ResourceMissingError():
                raise NotFoundException from error
            case LostRaceError():
                raise PreconditionFailedException from error
            case ValueTakenError():
                raise UniquenessException from error
            case UnknownMembersError():
                raise InvalidValueException from error
