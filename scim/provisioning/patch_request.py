"""The body of a PATCH request, read into operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from scim2_models import (
    InvalidPathException,
    InvalidSyntaxException,
    InvalidValueException,
    NoTargetException,
    TooManyException,
)

from scim.provisioning.attribute_paths import AttributePath, resolve_path
from scim.provisioning.document_patch import PatchOperation
from scim.provisioning.entra_normalization import normalize_operation
from scim.resources.request_limits import MAX_OPERATIONS, require_short_name
from scim.resources.schema import Attribute, ResourceSchema

PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def read_patch(payload: Any, schema: ResourceSchema) -> list[PatchOperation]:
    """Return the operations of a PATCH body, paths resolved (RFC 7644 §3.5.2).

    An operation without path becomes one for each member of its value; the members' names may be dotted paths and
    have a URN, as Entra sends them with aadOptscim062020. An empty list is accepted and changes nothing: Microsoft's
    SCIM validator sends it and expects success.

    :raises InvalidSyntaxException: When the body is no PATCH request.
    """
    if not isinstance(payload, Mapping):
        raise InvalidSyntaxException(detail="The body must be a JSON object with a list of Operations.")
    members = {str(name).lower(): value for name, value in payload.items()}
    schemas = members.get("schemas")
    if not isinstance(schemas, list) or PATCH_URN.lower() not in [str(urn).lower() for urn in schemas]:
        raise InvalidSyntaxException(detail=f'The body must hold "schemas": ["{PATCH_URN}"].')
    operations = members.get("operations")
    if not isinstance(operations, list):
        raise InvalidSyntaxException(detail='The body must hold "Operations" as a list.')
    if len(operations) > MAX_OPERATIONS:
        raise _too_many("operations")
    read: list[PatchOperation] = []
    for operation in operations:
        read += islice(_read_operation(operation, schema), MAX_OPERATIONS + 1 - len(read))
        if len(read) > MAX_OPERATIONS:
            raise _too_many("attributes")
    return read


def _too_many(what: str) -> TooManyException:
    return TooManyException(detail=f"A PATCH may have at most {MAX_OPERATIONS:,} {what}; send fewer at once.")


def _read_operation(operation: Any, schema: ResourceSchema) -> Iterator[PatchOperation]:
    if not isinstance(operation, Mapping):
        raise InvalidSyntaxException(detail="Each of the Operations must be a JSON object.")
    normalized = normalize_operation(operation)
    op, path = normalized.get("op"), normalized.get("path")
    if op not in ("add", "replace", "remove"):
        raise InvalidValueException(detail='The "op" of an operation must be add, replace or remove.')
    if path is not None and not isinstance(path, str):
        raise InvalidSyntaxException(detail='The "path" of an operation must be text.')
    place = resolve_path(path, schema) if path else None
    if op == "remove" and (place is None or _is_resource(place)):
        raise NoTargetException(detail="A remove operation needs a path that names what to remove.")
    _require_value(op, normalized)
    return _operations(op, place, normalized.get("value"), schema)


def _is_resource(path: AttributePath) -> bool:
    return path.attribute is None and path.urn is None


def _operations(op: str, path: AttributePath | None, value: Any, schema: ResourceSchema) -> Iterator[PatchOperation]:
    """Yield one operation for an attribute, or one for each member of a resource's or extension's value."""
    whole = path is None or path.attribute is None
    if path is not None and (not whole or op == "remove" or (value is None and not _is_resource(path))):
        yield PatchOperation(op, path, value)
        return
    if not isinstance(value, Mapping):
        where = f"for {path.text}" if path else "without path"
        raise InvalidValueException(detail=f"An {op} operation {where} needs an object as its value.")
    for name, item in value.items():
        require_short_name(name)
        yield from _operations(op, _member_path(path, name, schema), item, schema)


def _member_path(holder: AttributePath | None, name: str, schema: ResourceSchema) -> AttributePath:
    """Return the place a member of a value names; a name that is no path is kept as sent."""
    urn = holder.urn if holder else None
    try:
        return resolve_path(f"{urn}:{name}" if urn else name, schema)
    except InvalidPathException:
        return AttributePath(name, urn, Attribute(name, "string", lenient=True), declared=False)


def _require_value(op: str, operation: Mapping[str, Any]) -> None:
    missing = "value" not in operation if op == "replace" else op == "add" and operation.get("value") is None
    if missing:
        raise InvalidValueException(detail=f'An {op} operation needs a "value".')
