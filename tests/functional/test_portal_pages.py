"""Connecting a provider without script: what is shown, what is shown once, and what each page costs."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.errors import SecretStoreUnavailableError
from scim.portal.branding import Branding
from scim.portal.endpoint import PortalEndpoint
from scim.portal.guide import guide
from scim.portal.static_files import static_path
from tests.fakes.memory_secrets import MemorySecretStore
from tests.portal import Browser
from tests.service import EXTENSION_URN, ORIGIN, ScimClient, Service

both_storages = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


@both_storages
async def test_configure_shows_an_endpoint_and_a_token_that_a_provider_can_use(browser: Browser) -> None:
    empty = await browser.get("")
    assert "Nothing is connected yet" in empty.text
    assert (empty.status, empty.storage_requests) == (200, 2)

    shown = await browser.configure("Contoso's Entra")
    client = await browser.client_of(shown)

    assert shown.status == 201
    assert shown.value("endpoint") == f"{ORIGIN}/scim/v2/{client.directory.id}"
    assert ("“Tenant URL”" in shown.text, "“Secret token”" in shown.text) == (True, True)
    assert (await client.get("/Users")).status == 200
    home = await browser.get("")
    assert "Contoso's Entra" in home.text
    assert home.storage_requests == 3


async def test_many_connections_are_listed_in_pages_of_six_storage_requests(browser: Browser) -> None:
    for number in range(1, 6):
        await browser.configure(f"Number {number}")
    first = await browser.get("")
    (more,) = [link for link in first.parsed.links if "after=" in link]
    second = await browser.get(more.removeprefix("/portal"))

    assert re.findall(r"Number \d", first.text) == [f"Number {number}" for number in (1, 2, 3, 4)]
    assert re.findall(r"Number \d", second.text) == ["Number 5"]
    assert (first.storage_requests, second.storage_requests) == (6, 3)
    assert not [link for link in second.parsed.links if "after=" in link]
    assert "Number 1" in (await browser.get("?after=org_x")).text


@pytest.mark.parametrize("provider", ["entra_id", "okta", "generic_scim"])
async def test_each_provider_can_be_configured_and_has_its_own_words(browser: Browser, provider: Any) -> None:
    shown = await browser.configure("Mine", provider)
    client = await browser.client_of(shown)

    assert client.directory.provider == provider
    assert f"“{guide().of(provider).endpoint_label}”" in shown.text
    page = await browser.get(f"/directories/{client.directory.id}/guide")
    assert all(step.title in page.text for step in guide().of(provider).steps)
    assert shown.value("endpoint") in page.text
    assert shown.value("token") not in page.html
    assert (await browser.get("/providers/google")).status == 404


async def test_sending_the_form_again_makes_nothing_twice_and_shows_no_token_again(browser: Browser) -> None:
    form = (await browser.get("/providers/entra_id")).form("/directories")
    first = await browser.submit(form)
    again = await browser.submit(form)

    assert (first.status, again.status) == (201, 200)
    assert again.value("endpoint") == first.value("endpoint")
    assert "already shown" in again.text
    assert first.value("token") not in again.html
    assert len(await browser.application.directories.directories_of(browser.organization_id)) == 1


async def test_a_form_sent_twice_at_once_makes_one_directory_with_one_token(browser: Browser) -> None:
    form = (await browser.get("/providers/entra_id")).form("/directories")

    answers = await asyncio.gather(*(browser.submit(form) for _ in range(3)))

    (directory,) = await browser.application.directories.directories_of(browser.organization_id)
    tokens = {shown.value("token") for shown in answers if "token" in shown.parsed.values}
    assert {await browser.application.directories.current_token(directory)} == tokens
    assert {shown.value("endpoint").rpartition("/")[2] for shown in answers} == {directory.id}


async def test_when_the_secret_store_is_down_nothing_is_half_made_and_the_form_works_later(browser: Browser) -> None:
    secrets: Any = browser.application.secret_store
    assert isinstance(secrets, MemorySecretStore)
    form = (await browser.get("/providers/entra_id")).form("/directories")
    secrets.failure = SecretStoreUnavailableError("throttled by vault-7", retry_after=30)

    refused = await browser.submit(form)

    assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
    assert "Nothing was changed" in refused.text
    assert "vault-7" not in refused.html
    assert "Nothing is connected yet" in (await browser.get("")).text
    secrets.failure = None
    assert (await browser.submit(form)).status == 201


async def test_a_name_that_is_not_accepted_is_asked_for_again(browser: Browser) -> None:
    shown = await browser.configure("   ")

    assert shown.status == 422
    assert "without control characters" in shown.text
    assert (await browser.submit(shown.form("/directories"), name="Entra")).status == 201


@both_storages
async def test_pages_of_a_directory_cost_five_storage_requests_at_most(browser: Browser) -> None:
    shown = await browser.configure()
    client = await browser.client_of(shown)
    await client.new_user("anna")
    await client.new_user("bob", active=False)
    await client.new_group("Admins")
    one = f"/directories/{client.directory.id}"

    overview, steps, tokens = [await browser.get(f"{one}{path}") for path in ("", "/guide", "/tokens")]
    access = await browser.get("/access")

    assert "Users 2 with access 1 Groups 1" in overview.text
    assert [page.storage_requests for page in (overview, steps, tokens, access)] == [3, 4, 3, 2]
    assert [page.status for page in (overview, steps, tokens, access)] == [200] * 4


async def test_a_page_with_its_style_and_script_is_small(browser: Browser) -> None:
    directory = (await browser.configure()).value("endpoint").rpartition("/")[2]
    parts = [await browser.get(f"/{static_path(name)}") for name in ("portal.css", "portal.js", "icon.svg")]
    shared = sum(len(part.html.encode()) for part in parts)
    script = parts[1].html

    for path in ("", "/access", "/open", f"/directories/{directory}", f"/directories/{directory}/guide"):
        assert len((await browser.get(path)).html.encode()) + shared < 100_000
    assert len(script.splitlines()) <= 200
    assert {part.headers["Cache-Control"] for part in parts} == {"public, max-age=31536000, immutable"}


async def test_a_file_under_an_older_address_is_served_and_not_kept(browser: Browser) -> None:
    older = await browser.get("/static/0000000000000000/portal.css")

    assert (older.status, older.headers["Cache-Control"], older.storage_requests) == (200, "no-store", 0)
    for name in ("portal.py", "..", "../endpoint.py", "logo.png"):
        assert (await browser.get(f"/static/0/{name}")).status == 404


async def test_name_logo_and_support_of_the_application_are_on_every_page(service: Service, browser: Browser) -> None:
    logo = b"\x89PNG\r\n\x1a\n" + b"0" * 40
    branding = Branding("Hero & Sons", "help@hero.example", logo)
    endpoint = service.application.portal
    services = replace(endpoint.services, branding=branding)
    service.application.__dict__["portal"] = PortalEndpoint(services, endpoint.public_base_url)

    for path in ("", "/open", "/access", "/nowhere"):
        shown = await browser.get(path)
        assert "Hero & Sons" in shown.text
        assert "mailto:help@hero.example" in shown.parsed.links
        (address,) = re.findall(r'<img src="/portal([^"]+)"', shown.html)
    served = await browser.get(address)

    assert (served.status, served.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert static_path("logo.png", logo) == address.removeprefix("/")


async def test_a_token_is_rotated_beside_the_old_one_and_shown_once(browser: Browser) -> None:
    first = await browser.client_of(await browser.configure())
    page = await browser.get(f"/directories/{first.directory.id}/tokens")
    form = page.form("/tokens")

    made, again = await browser.submit(form), await browser.submit(form)
    second = ScimClient(browser.application, first.directory, made.value("token"), browser.meter)

    assert (made.status, again.status) == (201, 200)
    assert "stays valid until" in made.text
    assert made.value("token") not in again.html
    assert [(await client.get("/Users")).status for client in (first, second)] == [200, 200]
    third = await browser.submit((await browser.get(f"/directories/{first.directory.id}/tokens")).form("/tokens"))
    assert third.status == 409
    assert "two valid tokens already" in third.text


async def test_revoking_asks_for_a_token_in_use_and_for_the_last_one_and_not_otherwise(browser: Browser) -> None:
    client = await browser.client_of(await browser.configure())
    tokens = f"/directories/{client.directory.id}/tokens"
    (only,) = (await browser.application.directories.get_directory(client.directory.id)).tokens
    asked = await browser.submit((await browser.get(tokens)).form(f"{only.version}/revoke"))
    assert "the only valid token" in asked.text
    await browser.submit((await browser.get(tokens)).form("/tokens"))
    page = await browser.get(tokens)
    (newer,) = [
        form for form in page.parsed.forms if form.action.endswith("/revoke") and only.version not in form.action
    ]

    assert (await browser.submit(newer)).status == 303
    confirmed = await browser.submit(asked.form("/revoke"))

    assert confirmed.status == 303
    assert (await client.get("/Users")).status == 401
    assert (await browser.submit(asked.form("/revoke"))).status == 404
    assert "Make one" in (await browser.get(f"/directories/{client.directory.id}")).text


async def test_without_a_valid_token_the_health_says_so_and_a_new_one_needs_no_overlap(browser: Browser) -> None:
    one = f"/directories/{(await browser.configure()).value('endpoint').rpartition('/')[2]}"
    asked = await browser.submit((await browser.get(f"{one}/tokens")).form("/revoke"))
    assert (await browser.submit(asked.form("/revoke"))).status == 303

    shown = await browser.get(f"{one}/tokens")
    assert "Failing No token is valid" in shown.text
    assert "stays valid" not in shown.text
    made = await browser.submit(shown.form("/tokens"))
    assert (made.status, "stays valid" in made.text) == (201, False)
    assert "Waiting No request has arrived yet." in (await browser.get(f"{one}/tokens")).text


async def test_revoking_a_token_in_use_says_when_it_was_last_used(service: Service, browser: Browser) -> None:
    from scim.adapters.tables.token_rows import TableTokenUses
    from scim.composed_stores import DIRECTORIES_TABLE

    client = await browser.client_of(await browser.configure())
    tokens = f"/directories/{client.directory.id}/tokens"
    await browser.submit((await browser.get(tokens)).form("/tokens"))
    first = client.directory.tokens[0]
    uses = TableTokenUses(service.application.account.table(DIRECTORIES_TABLE))
    await uses.record_use(client.directory.id, first.version, browser.application.portal.services.now())

    asked = await browser.submit((await browser.get(tokens)).form(f"{first.version}/revoke"))

    assert (asked.status, "It was last used just now" in asked.text) == (200, True)
    assert (await client.get("/Users")).status == 200


async def test_the_guide_names_the_custom_attributes_that_are_mapped(browser: Browser) -> None:
    client = await browser.client_of(await browser.configure())
    one = f"/directories/{client.directory.id}/guide"
    assert "(an example)" in (await browser.get(one)).text
    mappings = [AttributeMapping("tag", f"{EXTENSION_URN}:tag"), AttributeMapping("title", "title")]
    await browser.application.directories.update_directory(client.directory.id, mappings=mappings)

    page = await browser.get(one)

    assert page.value("urn-1") == f"{EXTENSION_URN}:tag"
    assert "urn-2" not in page.parsed.values


async def test_older_screens_are_one_click_away_and_a_source_attribute_is_checked(browser: Browser) -> None:
    client = await browser.client_of(await browser.configure())
    one = f"/directories/{client.directory.id}/guide"
    today = await browser.get(one)
    assert f"/portal{one}?flow=older" in today.parsed.links
    older = await browser.get(f"{one}?flow=older")
    assert "Provisioning Mode" in older.text
    assert "New configuration" not in older.text

    checked = await browser.submit(
        older.form("/guide"), source="extension_0123ABCD-0000-0000-0000-000000000000_costCode"
    )

    assert "Write the id without hyphens. extension_0123abcd000000000000000000000000_costCode" in checked.text
    assert "Provisioning Mode" in checked.text
