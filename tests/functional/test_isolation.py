"""What belongs to another organization does not exist: every route of the app, every operation, every foreign id.

Made from the app and from its registries, so that a new route, operation, parameter or filter is tried, or fails here.
"""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any

import pytest

from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.directories.attribute_mapping import AttributeMapping
from scim.local_host.functions import read_functions
from scim.local_host.place import PROJECT
from scim.management.cursors import seal
from scim.management.models import ListQuery
from scim.management.operation import Operation
from scim.management.registry import OPERATIONS
from tests.api import ApiClient
from tests.furnished_organization import FurnishedOrganization, furnish
from tests.service import PATCH_URN, Answer, ScimClient, add_members, group, user

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SURFACES = {
    "scim/v2/{directory_id}": "tried below",
    "api/v1/{*rest}": "tried below, operation by operation",
    "portal/{*rest}": "tests/functional/test_portal_security.py, page by page",
    "health": "has nothing of any organization",
    "health/ready": "has nothing of any organization",
    "{*path}": "answers 404 to everything",
}
"""What keeps each route apart. A route that is none of these, nor below the first, is one that nobody thought of."""
APP = runpy.run_path(str(PROJECT / "function_app.py"))["app"]
ROUTES = sorted(function.route for function in read_functions(APP, {"DataStorage": ""}).http)
SCIM_ROUTES = [route for route in ROUTES if route.startswith("scim/v2/{directory_id}")]
EXTENSION = "urn:ietf:params:scim:schemas:extension:Foreign:2.0:User"
OF_THE_SERVICE = {"list_audit_log"}
"""Operations that a key of one organization is refused: what they tell is nobody's alone."""
NOT_OURS = {"rotation_id"}
"""Ids that a caller makes up: they name nothing of anybody."""


@dataclass(frozen=True, slots=True)
class World:
    """Two organizations, and the clients of the first."""

    own: FurnishedOrganization
    foreign: FurnishedOrganization
    everything: ApiClient
    """Of a key that opens all organizations."""
    limited: ApiClient
    """Of a key that opens the own organization alone."""
    reader: ApiClient

    def values(self, **chosen: str) -> dict[str, str]:
        """Return the own values, with some chosen ones in their place."""
        return {**self.own.values, **chosen}

    def foreign_rows(self) -> dict[str, Any]:
        """Return every row of the other organization."""
        account: Any = self.everything.application.account
        partitions = (self.foreign.values["organization_id"], self.foreign.values["directory_id"])
        return {
            f"{table} {partition}": account.table(table).rows(partition)
            for table in (RESOURCES_TABLE, DIRECTORIES_TABLE, LOG_TABLE)
            for partition in partitions
        }


UNKNOWN = {
    "organization_id": f"org_{'0' * 32}",
    "directory_id": f"dir_{'0' * 32}",
    "user_id": f"usr_{'0' * 32}",
    "group_id": f"grp_{'0' * 32}",
    "version": "0" * 32,
    "key_id": f"key_{'0' * 16}",
    "link_id": f"lnk_{'0' * 16}",
    "external_id": "nobody",
    "username": "nobody",
    "email": "nobody@example.com",
    "display_name": "nobody",
    "resource": f"usr_{'0' * 32}",
    "group": f"grp_{'0' * 32}",
    "actor_id": f"ses_{'0' * 16}",
    "object_id": f"lnk_{'0' * 16}",
}
"""Ids and values that nobody has. What is not named here is not tried, and makes a test fail."""


@pytest.fixture
async def world(api: ApiClient) -> World:
    own, foreign = await furnish(api, "own"), await furnish(api, "foreign", AttributeMapping("tag", f"{EXTENSION}:tag"))
    organization = own.values["organization_id"]
    limited = await api.with_key(organization_id=organization)
    assert own.values.keys() == foreign.values.keys() == UNKNOWN.keys()
    return World(own, foreign, api, limited, await api.with_key("read", organization_id=organization))


def names_in(template: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", template)


def told(answer: Answer, *ids: str) -> tuple[Any, ...]:
    """Return all that an answer tells, without the ids that were asked for and what differs for every request."""
    text = json.dumps(answer.json)
    for each in ids:
        text = text.replace(each, "…")
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() != "request-id"}
    return answer.status, text, headers


def combinations_of(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1))


def of(chosen: Callable[[Operation], bool]) -> pytest.MarkDecorator:
    """Return a parameter of a test: the operations that are chosen."""
    return pytest.mark.parametrize("operation", [each for each in OPERATIONS if chosen(each)], ids=lambda each: each.id)


# -- Routes -------------------------------------------------------------


def test_every_route_of_the_app_is_one_whose_isolation_is_tested() -> None:
    surfaces = {"scim/v2/{directory_id}" if route in SCIM_ROUTES else route for route in ROUTES}

    assert surfaces == set(SURFACES)


# -- The management API -------------------------------------------------


@of(lambda each: bool(names_in(each.path)))
async def test_a_foreign_id_in_a_path_is_answered_like_one_that_nobody_has(world: World, operation: Operation) -> None:
    before = world.foreign_rows()
    for chosen in combinations_of(names_in(operation.path)):
        answers = [
            await world.limited.send(
                operation.method,
                operation.path.format(**world.values(**{name: values[name] for name in chosen})),
                {} if operation.body else None,
            )
            for values in (world.foreign.values, UNKNOWN)
        ]

        assert answers[0].status == 404, (chosen, answers[0].json)
        assert told(answers[0]) == told(answers[1]), chosen
        assert answers[0].storage_requests == answers[1].storage_requests, chosen
    assert world.foreign_rows() == before


@of(lambda each: True)
async def test_a_foreign_id_in_a_body_or_filter_is_answered_like_one_that_nobody_has(
    world: World, operation: Operation
) -> None:
    before = world.foreign_rows()
    fields = [name for name in (operation.body.model_fields if operation.body else ()) if name.endswith("_id")]
    filters = [
        name
        for name, described in operation.query.model_json_schema().get("properties", {}).items()
        if name != "after" and takes_text(described)
    ]
    for name in [*fields, *filters]:
        if name in NOT_OURS:
            continue
        path = operation.path.format(**world.own.values)
        answers = [
            await world.limited.send(
                operation.method,
                path,
                {**minimal(operation), name: values[name]} if operation.body else None,
                query={} if operation.body else {name: values[name]},
            )
            for values in (world.foreign.values, UNKNOWN)
        ]

        assert answers[0].status in (200, 403, 404, 422), (name, answers[0].json)
        assert told(answers[0], world.foreign.values[name]) == told(answers[1], UNKNOWN[name]), name
        assert all(value not in json.dumps(answers[0].json) for value in world.foreign.values.values() if value != name)
    assert world.foreign_rows() == before


def takes_text(described: Mapping[str, Any]) -> bool:
    """Tell whether a filter takes a text that is no time, and none of a few words."""
    forms: Sequence[Mapping[str, Any]] = described.get("anyOf", [described])
    return any(each.get("type") == "string" and not {"format", "enum", "const"} & each.keys() for each in forms)


def minimal(operation: Operation) -> dict[str, Any]:
    """Return what a body must have."""
    values = {"name": "a", "provider": "entra_id", "scopes": ["read"], "attribute_mappings": []}
    model = operation.body
    assert model is not None
    return {name: values[name] for name, field in model.model_fields.items() if field.is_required()}


@of(lambda each: issubclass(each.query, ListQuery) and each.id not in OF_THE_SERVICE)
async def test_a_foreign_cursor_is_answered_like_one_that_was_made_up(world: World, operation: Operation) -> None:
    foreign, own = (operation.path.format(**each.values) for each in (world.foreign, world.own))
    given = await world.everything.get(foreign, {"limit": "1"})
    cursor = given.json.get("cursor") or given.json["list_metadata"]["after"] or seal("none", "0")

    answer = await world.limited.get(own, {"after": cursor})

    if names_in(operation.path):
        assert answer.status == 422
        assert told(answer) == told(await world.limited.get(own, {"after": "made-up"}))
    else:
        # The lists of all organizations are one list; of it a key sees what it opens, wherever it begins.
        shown = {each.get("organization_id", each["id"]) for each in answer.json["data"]}
        assert (answer.status, shown <= {world.own.values["organization_id"]}) == (200, True)


@of(lambda each: not names_in(each.path))
async def test_lists_of_all_organizations_show_a_limited_key_its_own(world: World, operation: Operation) -> None:
    if operation.method != "GET" or operation.id in OF_THE_SERVICE:
        refused = await world.limited.send(
            operation.method, operation.path, minimal(operation) if operation.body else None
        )
        assert refused.status == 403
        return
    shown = await world.limited.all_pages(operation.path, 1)

    assert shown
    assert {each.get("organization_id", each["id"]) for each in shown} == {world.own.values["organization_id"]}


@of(lambda each: True)
async def test_a_key_that_opens_nothing_is_told_nothing_of_what_exists(world: World, operation: Operation) -> None:
    presented = {
        "none": "",
        "made up": f"Bearer {world.foreign.key[:-7]}AAAAAAA",
        "cut off": f"Bearer {world.foreign.key[:-1]}",
        "a directory's token": f"Bearer {world.foreign.scim.token}",
    }
    answers = [
        await world.limited.send(
            operation.method,
            operation.path.format(**values),
            {} if operation.body else None,
            headers={"authorization": authorization},
        )
        for authorization in presented.values()
        for values in (world.own.values, world.foreign.values, UNKNOWN)
    ]

    assert answers[0].status == 401
    assert all(told(each) == told(answers[0]) for each in answers)


@of(lambda each: each.scope != "read")
async def test_a_key_that_may_read_is_told_nothing_by_writing(world: World, operation: Operation) -> None:
    answers = [
        await world.reader.send(operation.method, operation.path.format(**values), {} if operation.body else None)
        for values in (world.own.values, world.foreign.values, UNKNOWN)
    ]

    assert answers[0].status == 403
    assert all(told(each) == told(answers[0]) for each in answers)


# -- SCIM ---------------------------------------------------------------


def scim_path(route: str, resource_id: str, schema: str = EXTENSION) -> str:
    """Return a route below the Tenant URL with its parameters filled in; an unknown parameter is an error."""
    below = route.removeprefix("scim/v2/{directory_id}").replace("{*rest}", f"Users/{resource_id}/nothing")
    return below.format(resource_id=resource_id, name="User", urn=schema)


def of_directory(client: ScimClient, directory_id: str) -> ScimClient:
    return replace(client, directory=replace(client.directory, id=directory_id))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", SCIM_ROUTES)
async def test_a_token_tells_nothing_of_a_foreign_directory(world: World, route: str, method: str) -> None:
    foreign, unknown = world.foreign.values["directory_id"], UNKNOWN["directory_id"]
    path = scim_path(route, world.foreign.values["user_id"])
    before = world.foreign_rows()
    tokens = (world.own.scim.token, world.foreign.key, "")
    answers = {
        directory_id: [
            await of_directory(world.own.scim, directory_id).send(
                method, path, {} if method != "GET" else None, headers={"authorization": f"Bearer {token}".strip()}
            )
            for token in tokens
        ]
        for directory_id in (foreign, unknown)
    }

    if path != "/ServiceProviderConfig":
        assert {each.status for each in answers[foreign]} == {401}
    for one, other in zip(answers[foreign], answers[unknown], strict=True):
        assert told(one, foreign) == told(other, unknown)
        assert one.storage_requests <= 1
    assert world.foreign_rows() == before


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", [route for route in SCIM_ROUTES if route.endswith("}") and "/Users" in route])
@pytest.mark.parametrize("kind", ["user_id", "group_id"])
async def test_a_foreign_resource_is_answered_like_one_that_nobody_has(
    world: World, route: str, method: str, kind: str
) -> None:
    await _compare_resources(world, route, method, kind)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", [route for route in SCIM_ROUTES if "{" in route[20:] and "/Users" not in route])
@pytest.mark.parametrize("kind", ["user_id", "group_id"])
async def test_what_else_a_path_names_is_answered_like_what_nobody_has(
    world: World, route: str, method: str, kind: str
) -> None:
    await _compare_resources(world, route, method, kind)


async def _compare_resources(world: World, route: str, method: str, kind: str) -> None:
    foreign, unknown = world.foreign.values[kind], UNKNOWN[kind]
    body: Any = {
        "POST": {},
        "PUT": user("taken") if "/Users" in route else group("taken"),
        "PATCH": {"schemas": [PATCH_URN], "Operations": [{"op": "replace", "path": "displayName", "value": "taken"}]},
    }.get(method)
    before = world.foreign_rows()
    nobodys = EXTENSION.replace("Foreign", "Nobodys")
    one = await world.own.scim.send(method, scim_path(route, foreign), body)
    other = await world.own.scim.send(method, scim_path(route, unknown, nobodys), body)

    assert told(one, foreign, EXTENSION) == told(other, unknown, nobodys)
    assert one.status in (404, 405) or route.endswith("{name}")
    assert world.foreign_rows() == before


@pytest.mark.parametrize("endpoint", ["", "/Users", "/Groups"])
@pytest.mark.parametrize("by_body", [False, True], ids=["query", "body"])
async def test_a_foreign_cursor_of_a_search_is_answered_like_one_that_was_made_up(
    world: World, endpoint: str, by_body: bool
) -> None:
    given = await world.foreign.scim.get(endpoint, {"cursor": "", "count": "1"})

    async def with_cursor(cursor: str) -> Answer:
        asked = {"cursor": cursor, "count": "1"}
        if by_body:
            return await world.own.scim.post(f"{endpoint}/.search", {**asked, "count": 1})
        return await world.own.scim.get(endpoint, asked)

    answer = await with_cursor(given.json["nextCursor"])

    assert answer.status == 400
    assert told(answer) == told(await with_cursor("made-up"))


async def test_a_foreign_resource_in_a_body_is_answered_like_one_that_nobody_has(world: World) -> None:
    scim, own_group = world.own.scim, world.own.values["group_id"]
    for kind in ("user_id", "group_id"):
        answers = [
            [
                told(answer, member)
                for answer in (
                    await scim.patch(f"/Groups/{own_group}", add_members(member)),
                    await scim.post("/Groups", group("Crew", [member])),
                    await scim.put(f"/Groups/{own_group}", group("own-0", [member])),
                    await scim.post("/Bulk", _bulk(f"/Users/{member}")),
                    await scim.get("/Groups", {"filter": f'members eq "{member}"'}),
                    await scim.get("/Users", {"filter": f'groups eq "{member}" or id eq "{member}"'}),
                )
            ]
            for member in (world.foreign.values[kind], UNKNOWN[kind])
        ]
        assert answers[0] == answers[1]


def _bulk(path: str) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{"method": "DELETE", "path": path}],
    }
