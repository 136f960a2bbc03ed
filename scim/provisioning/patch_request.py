"""The body of a PATCH request, read into operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim2_models import InvalidSyntaxException, InvalidValueException, NoTargetException

from scim.provisioning.attribute_paths import resolve_path
from scim.provisioning.document_patch import PatchOperation
from scim.provisioning.entra_normalization import normalize_operation
from scim.resources.schema import ResourceSchema

PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def read_patch(payload: Any, schema: ResourceSchema) -> list[PatchOperation]:
    """Return the operations of a PATCH body, paths resolved (RFC 7644 §3.5.2).

    An empty list is accepted and changes nothing: Microsoft's SCIM validator sends it and expects success.

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
    return [_read_operation(operation, schema) for operation in operations]


def _read_operation(operation: Any, schema: ResourceSchema) -> PatchOperation:
    if not isinstance(operation, Mapping):
        raise InvalidSyntaxException(detail="Each of the Operations must be a JSON object.")
    normalized = normalize_operation(operation)
    op, path = normalized.get("op"), normalized.get("path")
    if op not in ("add", "replace", "remove"):
        raise InvalidValueException(detail='The "op" of an operation must be add, replace or remove.')
    if path is not None and not isinstance(path, str):
        raise InvalidSyntaxException(detail='The "path" of an operation must be text.')
    if op == "remove" and not path:
        raise NoTargetException(detail="A remove operation needs a path that names what to remove.")
    _require_value(op, normalized)
    return PatchOperation(op, resolve_path(path, schema) if path else None, normalized.get("value"))


def _require_value(op: str, operation: Mapping[str, Any]) -> None:
    missing = "value" not in operation if op == "replace" else op == "add" and operation.get("value") is None
    if missing:
        raise InvalidValueException(detail=f'An {op} operation needs a "value".')
