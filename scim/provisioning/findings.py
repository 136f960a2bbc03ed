"""What the provisioning log tells of a request: why it failed, or what it left undone when it succeeded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scim2_models import (
    ForbiddenException,
    InvalidCursorException,
    InvalidFilterException,
    InvalidPathException,
    InvalidSyntaxException,
    MutabilityException,
    NoTargetException,
    NotFoundException,
    NotImplementedException,
    PayloadTooLargeException,
    PreconditionFailedException,
    SCIMException,
    TooManyException,
)
from scim2_server.errors import MethodNotAllowedException

from scim.directories.attribute_mapping import AttributeMapping
from scim.provisioning.authentication import AuthenticationFailedException
from scim.provisioning.errors import ServiceUnavailableException, scim_error
from scim.resources.document_values import Document
from scim.resources.errors import ResourceMissingError, UnknownMembersError, ValueTakenError
from scim.resources.identifiers import resource_name_of
from scim.resources.log_words import TOKEN_PREFIX
from scim.resources.mapped_values import has_wrong_type, values_reader
from scim.resources.provisioning_log import Finding
from scim.resources.schema import COMMON_ATTRIBUTES, ResourceSchema

MAX_DETAIL = 500
_CAUSES: Mapping[type[SCIMException], str] = {
    ServiceUnavailableException: "unavailable",
    InvalidFilterException: "filter_refused",
    ForbiddenException: "filter_refused",
    InvalidCursorException: "filter_refused",
    InvalidPathException: "path_refused",
    NoTargetException: "path_refused",
    InvalidSyntaxException: "body_refused",
    MutabilityException: "read_only",
    PreconditionFailedException: "version_changed",
    PayloadTooLargeException: "too_large",
    TooManyException: "too_much",
    NotFoundException: "address_refused",
    MethodNotAllowedException: "address_refused",
    NotImplementedException: "address_refused",
}
_WITHOUT_DETAIL = frozenset({"unavailable", "address_refused", "version_changed"})
"""Causes of which the answer says no more than our words do, or repeats the address."""


def failure_finding(error: Exception, path: Sequence[str], schemas: Sequence[ResourceSchema]) -> Finding:
    """Return what is to be told of a request that failed.

    :param path: The path below the Tenant URL.
    :param schemas: Those of the directory, whose attribute names are no values.
    """
    resource_id = next((part for part in path[1:2] if resource_name_of(part)), "")
    match error:
        case AuthenticationFailedException():
            return Finding(TOKEN_PREFIX + error.mistake)
        case ValueTakenError():
            kind = "user" if error.attribute == "userName" else "group"
            return Finding(f"{kind}_name_taken", error.attribute, resource_id)
        case UnknownMembersError():
            known = next((each for each in error.member_ids if resource_name_of(each)), "")
            return Finding("unknown_member", "members", resource_id, known)
        case ResourceMissingError():
            return Finding("resource_missing", "", resource_id)
    known_error = scim_error(error)
    if known_error is None:
        return Finding("failure", "", resource_id)
    cause = _cause_of(known_error)
    detail = "" if cause in _WITHOUT_DETAIL else without_values(known_error.detail, schemas)
    return Finding(cause, "", resource_id, detail=detail)


def _cause_of(error: SCIMException) -> str:
    found = next((cause for kind, cause in _CAUSES.items() if isinstance(error, kind)), "")
    return found or ("value_refused" if error.scim_type == "invalidValue" else "refused")


def mapping_findings(
    mappings: Sequence[AttributeMapping], schema: ResourceSchema, before: Document, after: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yield a finding for each mapping to whose value a change gave another type, or left none that is required."""
    for mapping in mappings:
        found = values_reader(mapping.path, schema) if mapping.resource == schema.name else None
        if found is None or (before and found[1](before) == found[1](after)):
            continue
        if has_wrong_type(mapping, schema, after):
            yield Finding("wrong_type", mapping.path, str(after["id"]))
        elif mapping.required and not found[1](after):
            yield Finding("required_missing", mapping.path, str(after["id"]))


def ignored_findings(names: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding for each attribute that was sent and is never stored; all resources share it."""
    for name in names:
        yield Finding("ignored", name)


_QUOTED = re.compile(r'"[^"]*"')
_FIRST_TO_LAST_QUOTE = re.compile(r"[\"'].*[\"']", re.DOTALL)
_SCHEMA_NAME = re.compile(r"urn:ietf:params:scim:[A-Za-z0-9_.:-]{1,200}", re.ASCII)
_OWN_WORDS = frozenset({"Operations", "op", "path", "value", "data", "type", "work", "ascending", "descending"})


def without_values(detail: str, schemas: Sequence[ResourceSchema]) -> str:
    """Return what an answer says with everything left out that could be a value of the request.

    In quotes stay only words of our own, names of schemas, and attributes that a schema declares.
    """

    def concealed(match: re.Match[str]) -> str:
        return match[0] if _is_name(match[0][1:-1], schemas) else '"…"'

    # What holds a quote of one kind is quoted by the other, so where both stand no pair can be trusted.
    mixed = "'" in detail and ('"' in detail or detail.count("'") > 1)
    shown = (_FIRST_TO_LAST_QUOTE if mixed else _QUOTED).sub(concealed, detail)
    return "".join(character if character.isprintable() else "�" for character in shown)[:MAX_DETAIL]


def _is_name(text: str, schemas: Sequence[ResourceSchema]) -> bool:
    if text in _OWN_WORDS or _SCHEMA_NAME.fullmatch(text) or text.lower() in COMMON_ATTRIBUTES:
        return True
    name, _, sub = text.partition(".")
    attributes = [attribute for schema in schemas if (attribute := schema.attribute(name))]
    return any(not sub or attribute.sub_attribute(sub) for attribute in attributes)
