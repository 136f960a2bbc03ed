"""Users and groups in the portal: what lists and pages show, where attributes come from, searches, and their costs."""

from __future__ import annotations

import io
from typing import Any

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.table import insert
from scim.directories.attribute_mapping import AttributeMapping
from scim.maintenance.commands import seed
from scim.maintenance.progress import Progress
from scim.portal.lists import PAGE_SIZE
from scim.portal.static_files import static_path
from scim.resources.identifiers import new_resource_id
from tests.portal import Browser
from tests.service import EXTENSION_URN, ScimClient

both_storages = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


@pytest.fixture
async def client(browser: Browser) -> ScimClient:
    """The identity provider of a directory that the browser's session opens."""
    return await browser.connect()


@pytest.fixture
def one(client: ScimClient) -> str:
    """The address of the directory's pages."""
    return f"/directories/{client.directory.id}"


async def new_person(client: ScimClient, user_name: str, name: str, **more: Any) -> str:
    emails = [{"type": "work", "value": f"{user_name}@example.com", "primary": True}]
    made = await client.new_user(user_name, displayName=name, emails=emails, **more)
    return str(made["id"])


@both_storages
async def test_the_list_of_users_shows_who_has_access_and_costs_five_requests(
    browser: Browser, client: ScimClient, one: str
) -> None:
    anna = await new_person(client, "anna", "Anna Adams", active=True)
    bob = await new_person(client, "bob", "Bob Brown", active=False)
    for name in ("Admins", "Staff"):
        await client.new_group(name, [anna, *([bob] if name == "Staff" else [])])

    shown = await browser.get(f"{one}/users")

    assert "1 user has access of 2 in all" in shown.text
    assert "Anna Adams anna anna@example.com Has access 2 " in shown.text
    assert "Bob Brown bob bob@example.com No access 1 " in shown.text
    assert f"/portal{one}/users/{anna}" in shown.parsed.links
    assert (shown.status, shown.storage_requests) == (200, 5)


async def test_empty_lists_say_the_next_step_and_cost_three_requests(browser: Browser, one: str) -> None:
    users, groups = await browser.get(f"{one}/users"), await browser.get(f"{one}/groups")

    assert "No users yet" in users.text
    assert "Provision on demand" in users.text
    assert "No groups yet" in groups.text
    assert (users.storage_requests, groups.storage_requests) == (3, 3)


async def test_a_name_that_is_longer_than_a_list_shows_is_cut_and_one_that_is_missing_is_made_of_others(
    browser: Browser, client: ScimClient, one: str
) -> None:
    long = await client.new_user("long", displayName="x" * 300)
    await client.new_user("parts", name={"givenName": "Given", "familyName": "Family"})
    await client.new_user("bare")
    listed = (await browser.get(f"{one}/users")).text

    assert f"{'x' * 200} long" in listed
    assert "Given Family parts" in listed
    assert "bare bare" in listed
    assert "x" * 300 in (await browser.get(f"{one}/users/{long['id']}")).text


@pytest.mark.parametrize("relayed", [True, False])
async def test_lists_are_paged_by_number_with_every_user_once(
    browser: Browser, client: ScimClient, one: str, *, relayed: bool
) -> None:
    ids = await client.new_users(2 * PAGE_SIZE + 3)
    if relayed:
        await client.relay()

    pages = [await browser.get(f"{one}/users?page={number}") for number in (1, 2, 3)]

    listed = [link.rpartition("/")[2] for page in pages for link in page.parsed.links if "/users/usr_" in link]
    assert listed == ids
    assert "Page 2 of 3" in pages[1].text
    assert {f"/portal{one}/users?page=1", f"/portal{one}/users?page=3"} <= set(pages[1].parsed.links)
    assert {page.storage_requests for page in pages} == {5}
    for beyond in ("99", "0", "-1", "x", "1e9"):
        assert (await browser.get(f"{one}/users?page={beyond}")).status == 200
    assert "Page 3 of 3" in (await browser.get(f"{one}/users?page=99")).text


async def test_a_user_is_shown_with_all_attributes_where_each_came_from_and_groups(
    browser: Browser, client: ScimClient, one: str
) -> None:
    mappings = (
        AttributeMapping("cost_code", f"{EXTENSION_URN}:costCode"),
        AttributeMapping("floor", f"{EXTENSION_URN}:floor", "integer"),
        AttributeMapping("desk", f"{EXTENSION_URN}:desk"),
    )
    await browser.application.directories.update_directory(client.directory.id, mappings=mappings)
    boss = await new_person(client, "boss", "The Boss")
    enterprise = {"department": "Sales", "manager": {"value": boss}}
    anna = await new_person(
        client,
        "anna",
        "Anna Adams",
        externalId="e-1",
        **{
            EXTENSION_URN: {"costCode": "C-17", "floor": "third", "shoeSize": "42"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": enterprise,
        },
    )
    group = await client.new_group("Admins", [anna])

    shown = await browser.get(f"{one}/users/{anna}")

    for part in (
        "username comes from userName anna",
        "email comes from emails anna@example.com",
        "active comes from active yes",
        "department comes from urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department Sales",
        f"cost_code mapped from {EXTENSION_URN}:costCode C-17",
        f"floor mapped from {EXTENSION_URN}:floor arrived, but is no integer",
        f"desk mapped from {EXTENSION_URN}:desk not sent",
        f"{EXTENSION_URN}:shoeSize 42 ",
    ):
        assert part in shown.text
    assert {f"/portal{one}/groups/{group['id']}", f"/portal{one}/users/{boss}"} <= set(shown.parsed.links)
    assert (shown.status, shown.storage_requests) == (200, 6)


async def test_groups_far_apart_are_named_and_those_beyond_twenty_are_counted(
    browser: Browser, client: ScimClient, one: str
) -> None:
    anna = await new_person(client, "anna", "Anna")
    first = await client.new_group("First", [anna])
    for number in range(520):
        await client.new_group(f"Between {number}")
    last = await client.new_group("Last", [anna])

    shown = await browser.get(f"{one}/users/{anna}")
    for number in range(25):
        await client.new_group(f"More {number}", [anna])
    many = await browser.get(f"{one}/users/{anna}")

    assert {f"/portal{one}/groups/{group['id']}" for group in (first, last)} <= set(shown.parsed.links)
    assert shown.storage_requests == 7
    assert "and 7 more." in many.text


@both_storages
async def test_groups_are_shown_with_members_and_the_members_page_by_page(
    browser: Browser, client: ScimClient, one: str
) -> None:
    ids = await client.new_users(PAGE_SIZE + 2)
    admins = (await client.new_group("Admins", ids))["id"]
    outer = (await client.new_group("Outer", [admins]))["id"]
    assert "Counted in a few seconds" in (await browser.get(f"{one}/groups")).html
    await client.relay()

    groups = await browser.get(f"{one}/groups")
    first = await browser.get(f"{one}/groups/{admins}")
    (following,) = [link for link in first.parsed.links if "after=" in link]
    second = await browser.get(following.removeprefix("/portal"))
    nested = await browser.get(f"{one}/groups/{outer}")

    assert f"Admins {len(ids)} " in groups.text
    assert "Outer 1 " in groups.text
    shown = [link.rpartition("/")[2] for page in (first, second) for link in page.parsed.links if "/users/usr_" in link]
    assert shown == ids
    assert f"/portal{one}/groups/{admins}" in nested.parsed.links
    costs = [page.storage_requests for page in (groups, first, second, nested)]
    assert costs == [5, 6, 6, 6]


async def test_memberships_of_users_are_counted_as_far_as_a_thousand_rows_tell(
    browser: Browser, client: ScimClient, one: str
) -> None:
    first, many, last = [await new_person(client, name, name) for name in ("first", "many", "last")]
    partition = client.partition
    for start in range(0, 1_100, 100):
        rows = [insert(keys.membership_of(many, new_resource_id("Group")), {}) for _ in range(start, start + 100)]
        await partition.commit(rows)

    shown = (await browser.get(f"{one}/users")).html.split("<tr>")

    row = {user_id: next(text for text in shown if user_id in text) for user_id in (first, many, last)}
    assert 'data-label="Groups">0<' in row[first]
    assert 'data-label="Groups">20+<' in row[many]
    assert "Not counted here" in row[last]


@pytest.mark.parametrize("text", ["ADAMS", "anna@EXAM", "e-17", "ann"])
async def test_users_are_found_by_a_part_of_what_lists_show_in_any_letter_case(
    browser: Browser, client: ScimClient, one: str, text: str
) -> None:
    anna = await new_person(client, "anna", "Anna Adams", externalId="e-17")
    await new_person(client, "bob", "Bob Brown", externalId="e-18")

    shown = await browser.get(f"{one}/users?q={text}")

    found = [link for link in shown.parsed.links if "/users/usr_" in link]
    assert found == [f"/portal{one}/users/{anna}"]
    assert shown.storage_requests == 4
    assert shown.value("q") == text
    assert "Nobody found" in (await browser.get(f"{one}/users?q=nobody")).text


async def test_a_changed_name_is_found_and_the_former_one_is_not(
    browser: Browser, client: ScimClient, one: str
) -> None:
    group = await client.new_group("Sales")
    await client.patch(f"/Groups/{group['id']}", {"op": "Replace", "path": "displayName", "value": "Marketing"})
    anna = await new_person(client, "anna", "Anna Adams")
    await client.patch(f"/Users/{anna}", {"op": "Remove", "path": "displayName"})

    assert "Nobody found" in (await browser.get(f"{one}/users?q=adams")).text
    assert f"/portal{one}/users/{anna}" in (await browser.get(f"{one}/users?q=anna")).parsed.links
    assert "No group found" in (await browser.get(f"{one}/groups?q=sales")).text
    assert "Marketing" in (await browser.get(f"{one}/groups?q=market")).text


async def test_up_to_5000_users_are_searched_by_part_and_more_by_the_whole_value_with_8_requests_at_most(
    browser: Browser, client: ScimClient, one: str
) -> None:
    await new_person(client, "anna", "Anna Adams", externalId="e-17")
    await seed(browser.application, client.directory.id, 4_999, [], Progress(io.StringIO()))
    await client.relay()
    by_part = await browser.get(f"{one}/users?q=adams")
    assert (by_part.storage_requests, "1 user found" in by_part.text) == (8, True)

    await client.new_user("one-more")
    listed = await browser.get(f"{one}/users")
    assert "more than 5000 users" in listed.text
    assert listed.storage_requests == 5
    for text, found in (("ANNA", 1), ("anna@example.com", 1), ("e-17", 1), ("E-17", 0), ("adams", 0), ('"\\', 0)):
        shown = await browser.send("GET", f"{one}/users?q={text}")
        assert len([link for link in shown.parsed.links if "/users/usr_" in link]) == found
        assert shown.storage_requests <= 7


async def test_users_and_groups_of_another_directory_do_not_exist(browser: Browser, client: ScimClient) -> None:
    anna = await new_person(client, "anna", "Anna")
    group = (await client.new_group("Team"))["id"]
    other = (await browser.configure("Other")).value("endpoint").rpartition("/")[2]

    for path in (f"users/{anna}", f"groups/{group}", f"users/{group}", f"groups/{anna}", "users/x", "groups/x"):
        assert (await browser.get(f"/directories/{other}/{path}")).status == 404


async def test_the_health_stands_on_every_page_of_a_directory(browser: Browser, client: ScimClient, one: str) -> None:
    paths = ("", "/guide", "/users", "/groups", "/tokens")
    for path in paths:
        assert "Waiting No request has arrived yet." in (await browser.get(f"{one}{path}")).text
    await browser.application.directories.set_status(client.directory.id, "disabled")
    for path in paths:
        shown = await browser.get(f"{one}{path}")
        assert (
            "Disabled The directory is disabled: no request is let in until the application enables it." in shown.text
        )


async def test_full_lists_are_small_pages(browser: Browser, client: ScimClient, one: str) -> None:
    for number in range(60):
        await new_person(client, f"user{number:03d}", "N" * 200, externalId="e" * 150)
    await client.relay()
    parts = [await browser.get(f"/{static_path(name)}") for name in ("portal.css", "portal.js", "icon.svg")]
    shared = sum(len(part.html.encode()) for part in parts)

    for path in ("users", "users?q=user", "activity", "attributes"):
        shown = await browser.get(f"{one}/{path}")
        assert shown.status == 200
        assert len(shown.html.encode()) + shared < 100_000, path
