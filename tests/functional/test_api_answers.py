"""Every operation succeeds as the OpenAPI document says; tests/api.py checks the answers in all tests."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import ValidationError

from scim.management.registry import OPERATIONS
from tests.api import ApiClient, assert_documented
from tests.furnished_organization import furnish

BODIES: dict[str, dict[str, Any]] = {
    "create_organization": {"name": "Fabrikam", "external_id": "fabrikam"},
    "update_organization": {"name": "Contoso Ltd"},
    "create_directory": {"name": "Entra", "provider": "entra_id"},
    "update_directory": {"status": "disabled"},
    "put_attribute_mappings": {"attribute_mappings": [{"name": "badge", "path": "title"}]},
    "rotate_token": {"overlap_seconds": 60},
    "create_portal_link": {},
    "create_key": {"name": "reader", "scopes": ["read"]},
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
async def test_an_operation_succeeds_as_it_is_documented(api: ApiClient, operation: Any) -> None:
    values = (await furnish(api, "contoso")).values
    if operation.id == "delete_organization":
        values = {"organization_id": await api.new_organization()}

    body = BODIES[operation.id] if operation.body else None
    answer = await api.send(operation.method, operation.path.format(**values), body)

    assert answer.status == operation.status, answer.json
    if answer.json is not None:
        with pytest.raises(ValidationError):
            assert_documented(operation.method, operation.path.format(**values), answer.status, {})


async def test_of_very_many_mistakes_of_a_body_a_hundred_are_told(api: ApiClient) -> None:
    values = (await furnish(api, "contoso")).values
    mistakes = {"attribute_mappings": [{f"unknown{index}": 1 for index in range(900)}] * 20}

    answer = await api.send("PUT", f"directories/{values['directory_id']}/attribute-mappings", mistakes)

    assert (answer.status, len(answer.json["errors"])) == (422, 100)
