"""The examples of docs/events.md are what the service writes, ids and times apart."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.feed import read_feed
from scim.composition import Application
from scim.directories.actor import VAULT_OPERATOR, Actor, acting
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.deletion import QUIET
from scim.events.feed import FeedCursor
from scim.resources.schema import ENTERPRISE_URN
from tests.documents import document
from tests.service import EXTENSION_URN, ScimClient, add_members, pass_in_storage, remove_members

REFERENCE = document("docs/events.md")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

Event = dict[str, Any]


@pytest.fixture
async def written(scim: ScimClient) -> dict[str, Event]:
    """What the feed holds after the changes that the reference tells of: of each type the last event."""
    manager = (await scim.new_user("manager@contoso.com"))["id"]
    anna = (await scim.new_user("anna@contoso.com", externalId="anna", displayName="Anna Berg", active=True))["id"]
    user, nested = f"/Users/{anna}", (await scim.new_group("Oslo"))["id"]
    group = f"/Groups/{(await scim.new_group('Norway', externalId='norway'))['id']}"
    await scim.patch(
        user,
        {"op": "Replace", "path": "displayName", "value": "Anna Holm"},
        {"op": "Add", "path": f"{ENTERPRISE_URN}:manager", "value": manager},
    )
    await scim.patch(user, {"op": "Replace", "path": "active", "value": "False"})
    await scim.patch(user, {"op": "Replace", "path": "active", "value": "True"})
    await scim.patch(group, {"op": "Replace", "path": "displayName", "value": "Norge"})
    for member in (anna, nested):
        await scim.patch(group, add_members(member))
        await scim.patch(group, remove_members(member))
    await scim.delete(user)
    await scim.delete(group)
    page = await read_feed(scim.partition, FeedCursor(), 100)
    return {event["type"]: event for _, event in page.events}


@pytest.fixture
async def told(scim: ScimClient) -> dict[str, Event]:
    """What the organization's feed holds at the end of a directory: of each type the last event."""
    application, one = scim.application, scim.directory
    with acting(Actor("api_key", "key_0c3a91e7d2b84f65", "Backend")):
        await application.directories.create_directory(one.organization_id, name="Entra", provider="entra_id")
        await change_directory(application, one.id)
        await change_organization(application, one.organization_id)
    adopted = await application.secret_store.set(one.secret_name, "x" * 40, {})
    with acting(VAULT_OPERATOR):
        await application.tokens.adopt(one.id)
    await application.tokens.end_versions(one.id, {adopted: "disabled"})
    with acting(Actor("api_key", "key_0c3a91e7d2b84f65", "Backend")):
        await application.deletion.begin(one.id)
    pass_in_storage(application, QUIET)
    await application.deletion.proceed(await application.directories.get_directory(one.id))
    page = await application.organization_feed.read(one.organization_id, FeedCursor(), 100)
    return {event["type"]: event for _, event in page.events}


async def change_organization(application: Application, organization_id: str) -> None:
    directories, access, keys = application.directories, application.portal_access, application.api_keys
    await directories.update_organization(await directories.get_organization(organization_id), name="Contoso Ltd.")
    made = await access.create_link(organization_id, label="for anna@contoso.com")
    with acting():
        await access.redeem(made.code)
    await access.revoke_link(organization_id, made.link.id)
    expiry = datetime.now(UTC) + timedelta(days=90)
    key = await keys.create("Reporting", ["read"], organization_id=organization_id, expires_at=expiry)
    await keys.revoke(key.key.id)


async def change_directory(application: Application, directory_id: str) -> None:
    directories, tokens = application.directories, application.tokens
    tag, level = AttributeMapping("tag", f"{EXTENSION_URN}:tag"), AttributeMapping("level", f"{EXTENSION_URN}:level")
    await directories.update_directory(directory_id, name="Entra ID")
    await directories.update_directory(directory_id, mappings=[replace(tag, description="Colour"), level])
    await directories.set_status(directory_id, "disabled")
    await directories.set_status(directory_id, "active")
    rotated = await tokens.rotate(directory_id, expires_at=datetime.now(UTC) + timedelta(days=20))
    await tokens.revoke(directory_id, rotated.record.version)


async def test_every_example_is_what_the_service_writes(written: dict[str, Event], told: dict[str, Event]) -> None:
    events = written | told
    examples = [json.loads(block) for block in REFERENCE.blocks("json")]

    assert [plain(example) for example in examples] == [plain(events[example["type"]]) for example in examples]


async def test_every_type_has_an_example_under_its_name(written: dict[str, Event], told: dict[str, Event]) -> None:
    titles = [title.strip("`") for title in REFERENCE.headings if title.startswith("`")]

    assert titles == [json.loads(block)["type"] for block in REFERENCE.blocks("json")]
    assert set(titles) == set(written | told)


def plain(event: Event) -> Event:
    """Return an event with ids numbered in the order they are met, and with one time."""
    numbers: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        return f"{match[1]}_{numbers.setdefault(match[0], len(numbers))}"

    text = re.sub(r'"(version|last_four)": "[^"]+"', r'"\1": ""', json.dumps(event))
    text = re.sub(r'"expires_at": "[^"]+"', '"expires_at": ""', text)
    text = re.sub(r"(evt|org|dir|usr|grp)_[0-9a-f]{32}", numbered, text)
    text = re.sub(r"(lnk|ses|key)_[0-9a-f]{16}", numbered, text)
    plain_event: Event = json.loads(TIME.sub("now", text))
    return plain_event
