"""An organization with at least two of everything that an organization can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scim.directories.api_key import KEY_SCOPES
from scim.directories.attribute_mapping import AttributeMapping
from tests.api import ApiClient
from tests.service import ScimClient, user


@dataclass(frozen=True, slots=True)
class FurnishedOrganization:
    """One organization, and an id or value of everything that it has."""

    values: Mapping[str, str]
    """By the name of the parameter, field or filter that takes it."""
    scim: ScimClient
    key: str


async def furnish(api: ApiClient, name: str, *mappings: AttributeMapping) -> FurnishedOrganization:
    """Return an organization with at least two of everything."""
    application = api.application
    body = {"name": name, "external_id": f"{name}-organization"}
    organization = (await api.post("organizations", body)).json["id"]
    made = [
        await application.directories.create_directory(
            organization, name=name, provider="entra_id", mappings=list(mappings)
        )
        for _ in range(2)
    ]
    scim = ScimClient(application, made[0].directory, made[0].token, api.meter)
    emails = [{"value": f"{name}@example.com", "type": "work"}]
    users = [
        await scim.new_user(f"{name}-{number}", externalId=f"{name}-{number}", emails=emails if number == 0 else [])
        for number in range(2)
    ]
    ids = [each["id"] for each in users]
    groups = [await scim.new_group(f"{name}-{number}", ids, externalId=f"{name}-g{number}") for number in range(2)]
    await scim.relay()
    assert (await scim.post("/Users", user(f"{name}-0"))).status == 409
    await application.provisioning_log.close()
    keys = [await application.api_keys.create(name, KEY_SCOPES, organization_id=organization) for _ in range(2)]
    links = [await api.post(f"organizations/{organization}/portal-links", {}) for _ in range(2)]
    code = links[0].json["url"].partition("#")[2]
    session = await application.portal_access.redeem(code)
    assert session is not None
    (token,) = made[0].directory.tokens
    values = {
        "organization_id": organization,
        "directory_id": made[0].directory.id,
        "user_id": ids[0],
        "group_id": groups[0]["id"],
        "version": token.version,
        "key_id": keys[0].key.id,
        "link_id": links[0].json["id"],
        "external_id": f"{name}-organization",
        "username": f"{name}-0",
        "email": f"{name}@example.com",
        "display_name": f"{name}-0",
        "resource": ids[0],
        "group": groups[0]["id"],
        "actor_id": session.session_id,
        "object_id": links[0].json["id"],
    }
    return FurnishedOrganization(values, scim, keys[1].value)
