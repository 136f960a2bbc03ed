"""Runs a command against a directory whose extension was registered by the API, or on the operators' command line.

``python -m tests.exchanges.registered api|admin API_URL API_KEY ORGANIZATION STORAGE COMMAND …``: the command is given
the new directory's Tenant URL and token as its last arguments, and its exit code is handed on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from typing import Any

from scim.settings import DATA_STORAGE, SECRET_STORE
from tests.service import EXTENSION_URN

MAPPING = {"name": "tag", "path": f"{EXTENSION_URN}:tag"}


def main(arguments: Sequence[str]) -> int:
    by, api_url, api_key, organization, storage, *command = arguments
    directory = sent(api_url, api_key, "POST", f"organizations/{organization}/directories", NEW_DIRECTORY)
    if by == "api":
        path = f"directories/{directory['id']}/attribute-mappings"
        sent(api_url, api_key, "PUT", path, {"attribute_mappings": [MAPPING]})
    else:
        add_mapping(directory["id"], storage)
    return subprocess.run([*command, directory["tenant_url"], directory["token"]], check=False).returncode


NEW_DIRECTORY = {"name": "Entra", "provider": "entra_id"}


def sent(api_url: str, api_key: str, method: str, path: str, body: Any) -> Any:
    """Return what the API answers to a request."""
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{api_url}/{path}", json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def add_mapping(directory_id: str, storage: str) -> None:
    """Add the mapping on the command line, which needs the storage alone."""
    command = [sys.executable, "-m", "scim.admin", "mappings", "add", directory_id, MAPPING["name"], MAPPING["path"]]
    settings = {DATA_STORAGE: storage, SECRET_STORE: "file:unused"}
    subprocess.run(command, check=True, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
