"""What an endpoint tells of itself (RFC 7644 §4)."""

from __future__ import annotations

from typing import Any

from scim2_models import ForbiddenException, NotFoundException

from scim.provisioning.answers import json_text, list_answer
from scim.provisioning.errors import shown
from scim.provisioning.request import ScimRequest
from scim.provisioning.service_provider import resource_types, service_provider_config
from scim.web import WebResponse


def answer_service_provider_config(base_url: str) -> WebResponse:
    """Answer the capabilities: the same for every directory, known or not, with or without a token."""
    located = _located(service_provider_config(), f"{base_url}/ServiceProviderConfig", "ServiceProviderConfig")
    return WebResponse(200, json_text(located).encode())


def answer_schemas(request: ScimRequest, urn: str | None = None) -> WebResponse:
    """Answer all schemas, or one by its URN in any letter case."""
    documents = [
        _located(document, f"{request.base_url}/Schemas/{document['id']}", "Schema")
        for document in request.provider.schema_documents
    ]
    return _listed_or_one(request, documents, urn, "schema")


def answer_resource_types(request: ScimRequest, name: str | None = None) -> WebResponse:
    """Answer all resource types, or one by its name."""
    documents = [
        _located(document, f"{request.base_url}/ResourceTypes/{document['id']}", "ResourceType")
        for document in resource_types(request.provider)
    ]
    return _listed_or_one(request, documents, name, "resource type")


def refuse_filter(request: ScimRequest) -> None:
    """Refuse a filter, so that nobody takes an answer for filtered (RFC 7644 §4).

    :raises ForbiddenException: When there is one.
    """
    if request.query.get("filter"):
        raise ForbiddenException(detail="Discovery endpoints cannot be filtered (RFC 7644 §4); leave the filter out.")


def _located(document: dict[str, Any], url: str, kind: str) -> dict[str, Any]:
    return {**document, "meta": {"resourceType": kind, "location": url}}


def _listed_or_one(request: ScimRequest, documents: list[dict[str, Any]], wanted: str | None, kind: str) -> WebResponse:
    refuse_filter(request)
    if wanted is None:
        texts = [json_text(document) for document in documents]
        return list_answer(texts, total=len(texts), start_index=1)
    for document in documents:
        if str(document["id"]).lower() == wanted.lower():
            return WebResponse(200, json_text(document).encode())
    raise NotFoundException(detail=f"There is no {kind} {shown(wanted)} in this directory.")
