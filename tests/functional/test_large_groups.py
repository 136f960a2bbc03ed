"""Changes too large for one transaction: what they leave, row by row and event by event."""

from __future__ import annotations

from collections import Counter

import pytest

from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.counts import no_progress
from scim.adapters.tables.consistency.recount import recount
from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.seeding import seed_users
from scim.events.feed import FeedCursor
from scim.maintenance.sample_documents import sample_user
from scim.resources.directory_schemas import directory_schemas
from tests.service import ScimClient, group

MEMBERS = 5_000
GROUPS = 500


async def seeded_users(scim: ScimClient, number: int) -> list[str]:
    """Store users without events, as fast as the table takes them; return their ids."""
    schemas = directory_schemas(scim.directory.attribute_mappings)
    documents = [sample_user(schemas, "large", index, None) for index in range(number)]
    await seed_users(scim.partition, documents, lambda _: None)
    assert await recount(scim.partition, no_progress)
    return sorted(document["id"] for document in documents)


async def new_events(scim: ScimClient, after: FeedCursor) -> tuple[Counter[str], FeedCursor]:
    """Return how many events of each type came behind a cursor, and the cursor behind them."""
    types: Counter[str] = Counter()
    while True:
        page = await read_feed(scim.partition, after, 1000)
        types.update(event["type"] for _, event in page.events)
        after = page.events[-1][0] if page.events else after
        if not page.has_more:
            return types, after


@pytest.mark.timeout(300)
async def test_a_group_of_five_thousand_is_made_replaced_emptied_deleted_and_named_again(scim: ScimClient) -> None:
    users, after = await seeded_users(scim, MEMBERS), FeedCursor()
    team = await scim.new_group("Everyone", users)
    assert len(team["members"]) == MEMBERS
    types, after = await new_events(scim, after)
    assert types == {"group.created": 1, "group.user_added": MEMBERS}

    half = users[: MEMBERS // 2]
    replaced = await scim.put(f"/Groups/{team['id']}", group("Everyone", half))
    assert [member["value"] for member in replaced.json["members"]] == half
    types, after = await new_events(scim, after)
    assert types == {"group.user_removed": MEMBERS - len(half)}

    emptied = await scim.patch(f"/Groups/{team['id']}", {"op": "remove", "path": "members"})
    assert emptied.status == 204
    types, after = await new_events(scim, after)
    assert types == {"group.user_removed": len(half)}
    assert "members" not in (await scim.get(f"/Groups/{team['id']}")).json

    assert (await scim.put(f"/Groups/{team['id']}", group("Everyone", users))).status == 200
    assert (await scim.delete(f"/Groups/{team['id']}")).status == 204
    again = await scim.new_group("Everyone")
    types, after = await new_events(scim, after)
    assert types == {"group.user_added": MEMBERS, "group.deleted": 1, "group.created": 1}

    await scim.relay()
    assert await scim.find(f'members eq "{users[0]}"', "/Groups") == []
    assert await scim.find('displayName eq "everyone"', "/Groups") == [again["id"]]
    assert await check_directory(scim.partition) == []


@pytest.mark.timeout(300)
async def test_a_user_in_five_hundred_groups_is_deleted_from_all_of_them(scim: ScimClient) -> None:
    leaver = await scim.new_user("leaver@large.example")
    stayer = await scim.new_user("stayer@large.example")
    groups = [await scim.new_group(f"Group {number}", [leaver["id"], stayer["id"]]) for number in range(GROUPS)]
    _, after = await new_events(scim, FeedCursor())
    assert (await scim.delete(f"/Users/{leaver['id']}")).status == 204
    types, _ = await new_events(scim, after)
    assert types == {"group.user_removed": GROUPS, "user.deleted": 1}
    for one in (groups[0], groups[-1]):
        members = (await scim.get(f"/Groups/{one['id']}")).json["members"]
        assert [member["value"] for member in members] == [stayer["id"]]
    assert await check_directory(scim.partition) == []
