"""Names of SCIM have no letter case (RFC 7643 §2.1), also of attributes that nothing declared when they arrived."""

from __future__ import annotations

from typing import Any

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.mapping_job import SETTLING
from tests.api import ApiClient
from tests.service import ScimClient, pass_in_storage

SENT = "urn:ietf:params:scim:schemas:extension:acme:2.0:user"
MAPPED = "urn:ietf:params:scim:schemas:extension:Acme:2.0:User"
VALUES = {"CostCentre": "4711", "LEVEL": "12", "Home": {"CITY": "Oslo"}}
MAPPINGS = (
    AttributeMapping("cost_centre", f"{MAPPED}:costCentre", matching=True),
    AttributeMapping("level", f"{MAPPED}:level", "integer"),
    AttributeMapping("city", f"{MAPPED}:home.city"),
)


@pytest.fixture
async def anna(scim: ScimClient) -> str:
    """The id of a user with values that nothing declares."""
    return str((await scim.new_user("anna", **{SENT: VALUES}))["id"])


async def add_mappings(scim: ScimClient) -> None:
    """Add mappings that write the names otherwise, and bring them to all users."""
    await scim.application.directories.update_directory(scim.directory.id, mappings=MAPPINGS)
    pass_in_storage(scim.application, SETTLING)
    await scim.relay()


@pytest.fixture
async def mapped(scim: ScimClient, anna: str) -> ScimClient:
    """The directory of that user, with later mappings."""
    assert anna
    await add_mappings(scim)
    return scim


async def stored(scim: ScimClient, user_id: str) -> dict[str, Any]:
    """Return the extensions that a user is answered with."""
    answer = await scim.get(f"/Users/{user_id}")
    return {name: value for name, value in answer.json.items() if name.startswith("urn:")}


async def test_a_later_mapping_finds_what_was_sent_in_another_letter_case(
    api: ApiClient, mapped: ScimClient, anna: str
) -> None:
    profile = (await api.get(f"directories/{mapped.directory.id}/users/{anna}")).json
    coverage = (await api.get(f"directories/{mapped.directory.id}/attribute-mappings")).json["coverage"]

    assert profile["custom_attributes"] == {"cost_centre": "4711", "level": 12, "city": "Oslo"}
    assert [each["resources"] for each in coverage] == [1, 1, 1]


@pytest.mark.parametrize("text", ['costCentre eq "4711"', "level eq 12", 'home.city sw "O"', "COSTCENTRE pr"])
async def test_a_filter_finds_what_was_sent_in_another_letter_case(mapped: ScimClient, anna: str, text: str) -> None:
    assert await mapped.find(f"{MAPPED}:{text}") == [anna]


async def test_coverage_counts_users_whose_names_differ_in_letter_case_together(
    api: ApiClient, mapped: ScimClient
) -> None:
    await mapped.new_user("bob", **{MAPPED: {"level": 3}})
    await mapped.relay()

    coverage = (await api.get(f"directories/{mapped.directory.id}/attribute-mappings")).json["coverage"]

    assert [each["resources"] for each in coverage] == [1, 2, 1]


CHANGES = [
    ({"op": "replace", "path": f"{MAPPED}:costCentre", "value": "1"}, {**VALUES, "CostCentre": "1"}),
    ({"op": "add", "path": f"{MAPPED}:home.city", "value": "Bergen"}, {**VALUES, "Home": {"CITY": "Bergen"}}),
    ({"op": "add", "value": {MAPPED: {"costCentre": "1"}}}, {**VALUES, "CostCentre": "1"}),
    ({"op": "add", "path": MAPPED, "value": {"other": "x"}}, {**VALUES, "other": "x"}),
    ({"op": "remove", "path": f"{MAPPED}:level"}, {"CostCentre": "4711", "Home": {"CITY": "Oslo"}}),
]


@pytest.mark.parametrize(("operation", "expected"), CHANGES)
@pytest.mark.parametrize("is_mapped", [False, True])
async def test_a_change_under_another_letter_case_changes_the_value_that_is_there(
    scim: ScimClient, anna: str, operation: Any, expected: Any, *, is_mapped: bool
) -> None:
    if is_mapped:
        await add_mappings(scim)

    assert (await scim.patch(f"/Users/{anna}", operation)).status == 200

    found = (await stored(scim, anna))[SENT]
    assert {name: str(value) if name == "LEVEL" else value for name, value in found.items()} == expected
    assert list(await stored(scim, anna)) == [SENT]


@pytest.mark.parametrize("path", [MAPPED, SENT.upper()])
async def test_an_extension_is_removed_under_another_letter_case(scim: ScimClient, anna: str, path: str) -> None:
    await scim.patch(f"/Users/{anna}", {"op": "remove", "path": path})

    assert await stored(scim, anna) == {}


async def test_one_extension_in_two_letter_cases_is_one(scim: ScimClient) -> None:
    created = await scim.new_user("bob", **{SENT: {"a": "1"}, MAPPED: {"b": "2"}, f"{SENT.upper()}:C": "3"})

    assert await stored(scim, created["id"]) == {SENT: {"a": "1", "b": "2", "C": "3"}}
