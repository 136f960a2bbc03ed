"""Steps that tick themselves: what the provider's requests show on the open page, and what each refresh costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from scim.provisioning.activity_recorder import ActivityRecorder
from scim.provisioning.provisioning_log import ProvisioningLog
from tests.portal import Browser, Shown, open_browser
from tests.service import ScimClient, Service, add_members, user

both_storages = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def stored(client: ScimClient, at: datetime | None = None) -> None:
    """Store what was told of requests, as the process does behind its answers."""
    application: Any = client.application
    recorder = ActivityRecorder(application.activity_store, now=lambda: at or datetime.now(UTC))
    log = ProvisioningLog(application.provisioning_log_store, application.directory_store)
    for outcome in application.activity.told:
        recorder.observe(outcome)
        log.observe(outcome)
    application.activity.told.clear()
    await recorder.close()
    await log.close()


def fragments(shown: Shown) -> dict[str, str]:
    """Return the addresses of a page's fragments by their last part."""
    addresses = re.findall(r'data-refresh="/portal([^"]+)"', shown.html)
    return {address.partition("?")[0].rpartition("/")[2]: address.replace("&amp;", "&") for address in addresses}


def done(shown: Shown) -> list[str]:
    """Return which steps a fragment shows as seen."""
    return re.findall(r'<li class="done">\s*<strong>([^<]+)', shown.html)


@both_storages
async def test_each_step_is_ticked_by_the_request_that_shows_it(browser: Browser) -> None:
    client = await browser.connect()
    page = await browser.get(f"/directories/{client.directory.id}/guide")
    progress = fragments(page)["progress"]
    assert done(page) == []
    assert "Nothing has come with the token" in page.text

    seen = []
    await client.get("/Users", {"filter": f'userName eq "{uuid4()}"'})
    await stored(client)
    seen.append(await browser.get(progress))
    anna = (await client.new_user("anna"))["id"]
    await stored(client)
    seen.append(await browser.get(progress))
    await client.patch(f"/Users/{anna}", {"op": "Replace", "path": "active", "value": "False"})
    group = (await client.new_group("Admins"))["id"]
    await client.patch(f"/Groups/{group}", add_members(anna))
    await stored(client)
    seen.append(await browser.get(progress))

    assert done(seen[0]) == ["Token used", "Connection tested"]
    assert "The credentials were accepted just now, and no user has come yet." in seen[0].text
    assert done(seen[1]) == ["Token used", "Connection tested", "First user"]
    assert f"/portal/directories/{client.directory.id}/users/{anna}" in seen[1].parsed.links
    assert (await browser.get(f"/directories/{client.directory.id}/users/{anna}")).status == 200
    assert done(seen[2])[3:] == ["Change of a user", "First group", "Members of a group"]
    assert 'data-done="connection credentials on_demand"' in seen[2].html
    assert "Choose Start provisioning" in seen[2].text
    assert {shown.storage_requests for shown in seen} == {2}, "the session, and the directory with its activity"


@both_storages
async def test_a_wrong_token_is_explained_with_what_to_do(browser: Browser) -> None:
    client = await browser.connect()
    page = await browser.get(f"/directories/{client.directory.id}/guide")
    refused = await client.get("/Users", authorization=f"Bearer Bearer {client.token}")
    await stored(client)

    shown = await browser.get(fragments(page)["problems"])

    assert refused.status == 401
    assert (shown.status, shown.storage_requests) == (200, 3)
    assert "Remove the word Bearer from Secret Token" in shown.text
    assert "Remove the word Bearer" in (await browser.get(f"/directories/{client.directory.id}/guide")).text
    assert client.token not in shown.html


@both_storages
async def test_users_without_an_email_are_told_of_until_one_has_one(browser: Browser) -> None:
    client = await browser.connect()
    progress = fragments(await browser.get(f"/directories/{client.directory.id}/guide"))["progress"]
    anna = (await client.new_user("anna"))["id"]
    await stored(client)
    without = await browser.get(progress)
    work = {"op": "Add", "path": 'emails[type eq "work"].value', "value": "anna@contoso.example"}
    await client.patch(f"/Users/{anna}", work)
    await stored(client)
    with_one = await browser.get(progress)

    assert "E-mail of a user" not in done(without)
    assert "Users arrive without an e-mail: this mapping is missing" in without.text
    assert "E-mail of a user" in done(with_one)
    assert "without an e-mail" not in with_one.text
    assert (without.storage_requests, with_one.storage_requests) == (2, 2)


async def test_a_wrong_token_is_settled_by_a_later_success_and_by_no_earlier_one(browser: Browser) -> None:
    client = await browser.connect()
    guide_page, now = f"/directories/{client.directory.id}/guide", datetime.now(UTC)
    await client.get("/Users")
    await client.get("/Users", authorization=f"Bearer Bearer {client.token}")
    await stored(client)
    before = await browser.get(guide_page)
    await client.get("/Users")
    await stored(client, at=now + timedelta(minutes=2))
    after, progress = await browser.get(guide_page), await browser.get(fragments(before)["progress"])

    assert 'class="trouble"' in before.html
    assert 'class="trouble settled"' in after.html
    (success,) = re.findall(r'data-success="([^"]+)"', progress.html)
    (last,) = re.findall(r'data-last="([^"]+)"', (await browser.get(fragments(before)["problems"])).html)
    assert last < success


async def test_a_fragment_is_shown_to_whom_its_directory_is_shown(service: Service) -> None:
    browser, foreign = await open_browser(service), await open_browser(service, "Fabrikam")
    client = await browser.connect()
    theirs = await foreign.connect()
    addresses = fragments(await browser.get(f"/directories/{client.directory.id}/guide"))
    assert set(addresses) == {"progress", "problems"}
    for address in addresses.values():
        assert (await browser.get(address)).status == 200
        assert (await foreign.get(address)).status == 404
        assert (await browser.get(address.replace(client.directory.id, theirs.directory.id))).status == 404


async def test_a_fragment_of_a_deleted_directory_does_not_exist(browser: Browser) -> None:
    client = await browser.connect()
    addresses = fragments(await browser.get(f"/directories/{client.directory.id}/guide"))

    await browser.application.directory_store.forget_directory(client.directory)

    assert {(await browser.get(address)).status for address in addresses.values()} == {404}


async def test_the_overview_says_how_the_directory_stands_in_the_words_of_the_api(browser: Browser) -> None:
    client = await browser.connect()
    one = f"/directories/{client.directory.id}"
    assert "Waiting No request has arrived yet." in (await browser.get(one)).text
    await client.post("/Users", user("anna"))
    await stored(client)

    assert "Healthy Requests arrive and succeed." in (await browser.get(one)).text
