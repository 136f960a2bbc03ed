"""Attribute mappings in the portal: expected beside seen, mapped by a click, changed with what it does said first."""

from __future__ import annotations

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.portal.mappings import suggested_name
from tests.api import ApiClient
from tests.portal import SAME_ORIGIN, Browser, Shown, form_token_of
from tests.service import EXTENSION_URN, ScimClient

MAPPED = (
    AttributeMapping("cost_code", f"{EXTENSION_URN}:costCode", required=True),
    AttributeMapping("floor", f"{EXTENSION_URN}:floor", "integer"),
)


@pytest.fixture
async def client(browser: Browser) -> ScimClient:
    """The identity provider of a directory that the browser's session opens, which maps two attributes."""
    shown = await browser.configure()
    directory_id = shown.value("endpoint").rpartition("/")[2]
    directory = await browser.application.directories.update_directory(directory_id, mappings=MAPPED)
    return ScimClient(browser.application, directory, shown.value("token"), browser.meter)


@pytest.fixture
def page(client: ScimClient) -> str:
    """The address of the mappings."""
    return f"/directories/{client.directory.id}/attributes"


async def provision(client: ScimClient) -> None:
    for number in range(4):
        extension = {"shoeSize": f"4{number}", **({"costCode": f"C-1{number}"} if number else {})}
        await client.new_user(f"user{number}", **{EXTENSION_URN: extension}, name={"givenName": "Given"})
    await client.relay()


async def mappings_of(client: ScimClient) -> dict[str, AttributeMapping]:
    directory = await client.application.directories.get_directory(client.directory.id)
    return {mapping.name: mapping for mapping in directory.attribute_mappings}


def button(shown: Shown, path: str) -> dict[str, str]:
    """Return the fields of the button that maps a path."""
    (form,) = [form for form in shown.parsed.forms if form.fields.get("path") == path]
    return form.fields


async def test_what_is_expected_stands_beside_what_was_seen_for_five_requests(
    browser: Browser, client: ScimClient, page: str
) -> None:
    await provision(client)

    shown = await browser.get(page)

    for part in (
        f"cost_code required {EXTENSION_URN}:costCode extension_<app id>_costCode, or any other text 3 of 4 users C-",
        f"floor {EXTENSION_URN}:floor extension_<app id>_floor, or any other whole number 0 of 4 users",
        f"{EXTENSION_URN}:shoeSize 4 users 00 shoe_size , text",
        "username userName userPrincipalName 4 of 4 users",
        "title title jobTitle 0 of 4 users",
    ):
        assert part in shown.text
    assert "C-13" not in shown.html
    assert (shown.status, shown.storage_requests) == (200, 5)


async def test_before_the_first_user_the_page_says_what_to_do(browser: Browser, page: str) -> None:
    shown = await browser.get(page)

    assert "Nothing has arrived yet. Provision one user first" in shown.text
    assert "nothing yet" in shown.text


async def test_what_is_not_counted_yet_is_not_said_to_be_mapped(
    browser: Browser, client: ScimClient, page: str
) -> None:
    await client.new_user("anna", **{EXTENSION_URN: {"shoeSize": "44"}})
    before = await browser.get(page)
    await client.relay()

    assert "still being counted: 0 of 1 users so far" in before.text
    assert "Everything that arrives" not in before.text
    assert "still being counted" not in (await browser.get(page)).text


async def test_what_arrives_is_mapped_by_one_click_and_stands_in_the_api(
    browser: Browser, client: ScimClient, page: str, api: ApiClient
) -> None:
    await provision(client)
    shown = await browser.get(page)
    fields = button(shown, f"{EXTENSION_URN}:shoeSize")
    assert (fields["name"], fields["type"]) == ("shoe_size", "string")

    for _ in range(2):
        added = await browser.send("POST", page, fields, SAME_ORIGIN)
        assert added.status == 303
    after = await browser.follow(added)

    assert list(await mappings_of(client)) == ["cost_code", "floor", "shoe_size"]
    assert "Everything that arrives is mapped" in after.text
    users = (await api.get(f"directories/{client.directory.id}/users")).json["data"]
    assert [user["custom_attributes"]["shoe_size"] for user in users] == ["40", "41", "42", "43"]


async def test_a_mapping_is_added_before_its_attribute_arrives_and_mistakes_are_shown_beside_their_field(
    browser: Browser, client: ScimClient, page: str
) -> None:
    form = (await browser.get(f"{page}/new")).form("/attributes")
    mistakes = [
        ({"name": "email", "path": f"{EXTENSION_URN}:desk"}, "Every profile has an attribute of this name"),
        ({"name": "Cost_Code", "path": f"{EXTENSION_URN}:desk"}, "Two mappings have this name"),
        ({"name": "desk", "path": "urn:acme:desk"}, "Give a core attribute"),
        ({"name": "desk", "path": "nothing.there"}, "User has no attribute"),
        ({"name": "desk", "path": f"{EXTENSION_URN}:costCode", "type": "integer"}, "gives this path another type"),
        ({"name": "", "path": f"{EXTENSION_URN}:desk"}, "Give 1 to 100 characters"),
    ]
    for fields, sentence in mistakes:
        shown = await browser.submit(form, **{"type": "string", "resource": "User", **fields})
        assert (shown.status, sentence in shown.text) == (422, True), shown.text
        assert shown.value("path") == fields["path"]
        assert 'aria-invalid="true"' in shown.html

    added = await browser.submit(
        form, name="desk", path=f"{EXTENSION_URN}:desk", type="boolean", resource="User", required="yes"
    )

    assert added.status == 303
    assert (await mappings_of(client))["desk"] == AttributeMapping(
        "desk", f"{EXTENSION_URN}:desk", "boolean", required=True
    )


async def test_a_change_is_said_before_it_is_made(browser: Browser, client: ScimClient, page: str) -> None:
    await provision(client)
    form = (await browser.get(f"{page}/change?resource=User&name=cost_code")).form("/change")
    assert form.fields["path"] == f"{EXTENSION_URN}:costCode"

    asked = await browser.submit(form, name="cost_center_code", type="integer", description="Of the ERP")

    assert (asked.status, list(await mappings_of(client))) == (200, ["cost_code", "floor"])
    assert "The application finds the value as cost_center_code, and no longer as cost_code." in asked.text
    assert "Values that are no whole number are kept, but the application does not see them." in asked.text
    assert "3 users may change in the application" in asked.text
    changed = await browser.submit(asked.form("/change"))
    assert changed.status == 303
    mapping = (await mappings_of(client))["cost_center_code"]
    assert (mapping.type, mapping.description, mapping.path) == ("integer", "Of the ERP", f"{EXTENSION_URN}:costCode")


async def test_removing_says_whom_it_concerns_and_adding_again_brings_the_values_back(
    browser: Browser, client: ScimClient, page: str
) -> None:
    await provision(client)

    asked = await browser.get(f"{page}/remove?resource=User&name=cost_code")
    assert "3 users no longer have cost_code in the application" in asked.text
    assert (await browser.submit(asked.form("/remove"))).status == 303

    assert list(await mappings_of(client)) == ["floor"]
    assert button(await browser.get(page), f"{EXTENSION_URN}:costCode")["name"] == "cost_code"
    assert (await browser.submit(asked.form("/remove"))).status == 404
    assert (await browser.get(f"{page}/change?resource=User&name=cost_code")).status == 404


async def test_a_change_that_concerns_nobody_says_so(browser: Browser, page: str) -> None:
    form = (await browser.get(f"{page}/change?resource=User&name=cost_code")).form("/change")

    assert "Nothing changes." in (await browser.submit(form)).text
    assert "Only the description changes." in (await browser.submit(form, description="Of the ERP")).text
    for shown in (
        await browser.submit(form, name="code"),
        await browser.get(page + "/remove?resource=User&name=floor"),
    ):
        assert "No user has a value so far." in shown.text
        assert "0 users" not in shown.text


async def test_where_the_application_alone_changes_mappings_the_portal_shows_and_refuses(
    browser: Browser, client: ScimClient, page: str, api: ApiClient
) -> None:
    await provision(client)
    fields = button(await browser.get(page), f"{EXTENSION_URN}:shoeSize")
    organization = f"organizations/{browser.organization_id}"
    assert (await api.get(organization)).json["mappings_by"] == "administrators"

    changed = await api.patch(organization, {"mappings_by": "application"})

    assert (changed.json["mappings_by"], changed.json["name"]) == ("application", "Contoso")
    shown = await browser.get(page)
    assert "3 of 4 users" in shown.text
    assert [form for form in shown.parsed.forms if "attributes" in form.action] == []
    paths = [f"{page}/{path}?resource=User&name=cost_code" for path in ("new", "change", "remove")]
    for path in paths:
        assert (await browser.get(path)).status == 403
    form = {**fields, "form_token": form_token_of(browser), "before": "cost_code", "confirmed": "yes"}
    for path in (page, f"{page}/change", f"{page}/remove"):
        assert (await browser.send("POST", path, form, SAME_ORIGIN)).status == 403
    assert list(await mappings_of(client)) == ["cost_code", "floor"]
    assert (await api.patch(organization, {"mappings_by": "nobody"})).status == 422


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{EXTENSION_URN}:shoeSize", "shoe_size"),
        (f"{EXTENSION_URN}:costCode", "cost_code_2"),
        ('addresses[type eq "work"].postalCode', "work_addresses_postal_code"),
        ('phoneNumbers[type eq "mobile"].value', "mobile_phone_numbers"),
        (f"{EXTENSION_URN}:department", "department_2"),
        (f"{EXTENSION_URN}:floor", "floor_2"),
        (f"{EXTENSION_URN}:device.serialNumber", "device_serial_number"),
        ("nickNames", "nick_names"),
    ],
)
def test_a_name_is_suggested_that_is_not_taken(path: str, name: str) -> None:
    assert suggested_name(path, MAPPED) == name
