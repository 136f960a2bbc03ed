"""Fills a fresh local host with one of everything, then runs a command that finds the ids in its environment.

``python -m tests.openapi.furnish '<api_url>' '<api_key>' '<organization_id>' '<tenant_url>' '<token>' COMMAND …``
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from scim.resources.schema import GROUP_URN, USER_URN


@dataclass(frozen=True, slots=True)
class Caller:
    """Sends JSON below an address, with a key or token."""

    url: str
    bearer: str

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the body of an answer that succeeds."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.bearer}", "Content-Type": "application/json"}
        request = Request(f"{self.url}/{path}", data, headers, method=method)
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)


def furnished(api: Caller, scim: Caller, organization_id: str) -> dict[str, str]:
    """Return the ids of one of everything, and of what may be deleted, as environment variables."""
    directory = {"name": "Spare", "provider": "okta"}
    user = scim.send("POST", "Users", {"schemas": [USER_URN], "userName": "anna@example.com", "unmapped": "x"})["id"]
    members = [{"value": user}]
    group = scim.send("POST", "Groups", {"schemas": [GROUP_URN], "displayName": "Team", "members": members})["id"]
    spare = api.send("POST", f"organizations/{organization_id}/directories", directory)["id"]
    return {
        "USER_ID": user,
        "GROUP_ID": group,
        "KEY_ID": api.send("POST", "keys", {"name": "Spare", "scopes": ["read"]})["id"],
        "LINK_ID": api.send("POST", f"organizations/{organization_id}/portal-links", {})["id"],
        "SPARE_ORGANIZATION_ID": api.send("POST", "organizations", {"name": "Spare"})["id"],
        "SPARE_DIRECTORY_ID": spare,
        "TOKEN_VERSION": api.send("GET", f"directories/{scim.url.rpartition('/')[2]}/tokens")["data"][0]["version"],
    }


if __name__ == "__main__":
    api_url, api_key, organization, tenant_url, token, *command = sys.argv[1:]
    ids = furnished(Caller(api_url, api_key), Caller(tenant_url, token), organization)
    own = {"ORGANIZATION_ID": organization, "DIRECTORY_ID": tenant_url.rpartition("/")[2]}
    os.execvpe(command[0], command, {**os.environ, **ids, **own})
