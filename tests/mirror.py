"""A copy of a directory as a consumer of its events has it, who reads nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.api import ApiClient


@dataclass(slots=True)
class Mirror:
    """Users and groups by id, and who is in which group."""

    resources: dict[str, Any] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)

    def take(self, event: dict[str, Any]) -> None:
        """Change the copy as an event tells."""
        data, action = event["data"], event["type"].rpartition(".")[2]
        member = data.get("user_id") or data.get("member_group_id")
        if member and action.endswith("removed"):
            self.members.discard((data["group_id"], member))
        elif member:
            self.members.add((data["group_id"], member))
        elif action == "deleted":
            resource = data.get("user") or data["group"]
            del self.resources[resource["id"]]
            self.members = {pair for pair in self.members if pair[0] != resource["id"]}
        else:
            resource = data.get("user") or data["group"]
            self.resources[resource["id"]] = resource


async def mirrored(api: ApiClient, directory_id: str) -> Mirror:
    """Return what the events of a directory tell, from the first to the last."""
    mirror, cursor, has_more = Mirror(), "", True
    while has_more:
        page = await api.get(f"directories/{directory_id}/events", {"after": cursor, "limit": "100"})
        assert page.status == 200, page.json
        for event in page.json["data"]:
            mirror.take(event)
        cursor, has_more = page.json["cursor"], page.json["has_more"]
    return mirror


async def assert_events_tell_all(api: ApiClient, directory_id: str) -> None:
    """Check that a consumer of the events has what the lists show."""
    mirror, one = await mirrored(api, directory_id), f"directories/{directory_id}"
    groups = await api.all_pages(f"{one}/groups", 100)
    listed = {each["id"]: each for each in [*await api.all_pages(f"{one}/users", 100), *groups]}
    assert mirror.resources.keys() == listed.keys()
    for resource_id, told in mirror.resources.items():
        assert told == {name: listed[resource_id][name] for name in told}
    assert mirror.members == {
        (group["id"], member["id"])
        for group in groups
        for member in await api.all_pages(f"{one}/groups/{group['id']}/members", 100)
    }
