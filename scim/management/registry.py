"""The one list of operations: dispatch, the OpenAPI document, the reference and the tests go by it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scim.management import (
    audit_log,
    directories,
    events,
    groups,
    histories,
    keys,
    mappings,
    organizations,
    portal_links,
    provisioning_log,
    tokens,
    unmapped_attributes,
    users,
)
from scim.management.operation import Operation
from scim.management.problems import Problem, not_found

PREFIX = "/api/v1/"

OPERATIONS: tuple[Operation, ...] = (
    *organizations.OPERATIONS,
    *directories.OPERATIONS,
    *mappings.OPERATIONS,
    *unmapped_attributes.OPERATIONS,
    *tokens.OPERATIONS,
    *users.OPERATIONS,
    *groups.OPERATIONS,
    *histories.OPERATIONS,
    *events.OPERATIONS,
    *provisioning_log.OPERATIONS,
    *portal_links.OPERATIONS,
    *keys.OPERATIONS,
    *audit_log.OPERATIONS,
)


def find_operation(method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
    """Return the operation of a request below ``/api/v1/``, with the parameters in its path.

    :raises Problem: 404 when nothing has this path, 405 when it does not take this method.
    """
    found = [
        (operation, match.groupdict())
        for operation in OPERATIONS
        if (match := _PATTERNS[operation.path].fullmatch(path.rstrip("/")))
    ]
    for operation, parameters in found:
        if operation.method == method:
            return operation, parameters
    if found:
        allowed = ", ".join(sorted({operation.method for operation, _ in found}))
        detail = f"This address takes {allowed}, not {method}."
        raise Problem(405, "method-not-allowed", detail, headers={"Allow": allowed})
    raise not_found(f"There is nothing at this address. All operations are described at {PREFIX}openapi.json.")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


_PATTERNS: Mapping[str, re.Pattern[str]] = {operation.path: _pattern(operation.path) for operation in OPERATIONS}
