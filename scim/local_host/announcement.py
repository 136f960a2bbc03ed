"""What a local run prints when it is ready."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scim.local_host.api_access import ApiAccess
from scim.local_host.directories import DirectoryAccess


@dataclass(frozen=True, slots=True)
class Announcement:
    """A run that is ready."""

    base_url: str
    directories: Sequence[DirectoryAccess]
    api: ApiAccess
    storage: str
    app_pids: Sequence[int]
    azurite_pids: Sequence[int]
    host_name: str
    data: str
    """Where the data is kept, for a person."""
    portal_url: str
    """A link that opens the portal of the organization of the first directory."""

    def print_json(self, *, all_directories: bool) -> None:
        """Write one line for a program."""
        line: dict[str, Any] = {
            **self.directories[0].to_json(),
            **self.api.to_json(),
            "base_url": self.base_url,
            "portal_url": self.portal_url,
            "storage": self.storage,
            "pids": {"app": list(self.app_pids), "azurite": list(self.azurite_pids)},
        }
        if all_directories:
            line["directories"] = [each.to_json() for each in self.directories]
        _write(json.dumps(line))

    def print_text(self) -> None:
        """Write what a person needs."""
        first = self.directories[0]
        _write(
            f"""
Directory sync is running at {self.base_url} under {self.host_name}.
Its data is {self.data}.

  Tenant URL     {first.tenant_url}
  Secret Token   {first.token}
  API            {self.api.api_url}
  API key        {self.api.api_key}
  Portal         {self.portal_url}

Try it:
  curl -H 'Authorization: Bearer {first.token}' '{first.tenant_url}/Users'
  curl -H 'Authorization: Bearer {self.api.api_key}' '{self.api.api_url}/directories/{first.directory_id}'

Ctrl-C stops everything.
"""
        )


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
