"""The activity of a directory: changes and problems in one list by time, every one once, with filters and as a file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from scim.portal.activity import PAGE_SIZE, ActivityQuery, Source, merged
from scim.portal.activity_words import ActivityEntry
from scim.portal.csv_file import csv_text
from scim.provisioning.provisioning_log import ProvisioningLog
from scim.resources.identifiers import new_resource_id
from scim.resources.provisioning_log import Finding, ProvisioningLogEntry
from tests.portal import Browser, Shown
from tests.service import ScimClient, add_members, user

both_storages = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])
NOW = datetime.now(UTC)
UNKNOWN = f"usr_{'0' * 32}"


@pytest.fixture
async def client(browser: Browser) -> ScimClient:
    """The identity provider of a directory that the browser's session opens."""
    return await browser.connect()


@pytest.fixture
def page(client: ScimClient) -> str:
    """The address of the activity."""
    return f"/directories/{client.directory.id}/activity"


async def log_requests(client: ScimClient) -> None:
    """Store what was told of requests."""
    application = client.application
    log = ProvisioningLog(application.provisioning_log_store, application.directory_store)
    recorded: Any = application.provisioning_log
    for outcome in recorded.told:
        log.observe(outcome)
    recorded.told.clear()
    await log.close()


def lines(shown: Shown) -> list[str]:
    """Return the title of each line."""
    return [part.partition("</strong>")[0].rpartition(">")[2] for part in shown.html.split('<div class="grow">')[1:]]


async def every_line(browser: Browser, page: str, **query: str) -> list[str]:
    """Return the titles of all pages of the list."""
    found, shown = list[str](), await browser.get(f"{page}?{urlencode(query)}")
    while True:
        found += lines(shown)
        older = [link for link in shown.parsed.links if "after=" in link and "/activity?" in link]
        if not older:
            return found
        shown = await browser.get(older[-1].removeprefix("/portal"))


@both_storages
async def test_changes_and_problems_stand_in_one_list_with_cause_and_remedy(
    browser: Browser, client: ScimClient, page: str
) -> None:
    anna = (await client.new_user("anna", displayName="Anna Adams", active=True))["id"]
    group = (await client.new_group("Admins", [anna]))["id"]
    await client.patch(f"/Users/{anna}", {"op": "Replace", "path": "title", "value": "Engineer"})
    await client.patch(f"/Users/{anna}", {"op": "Replace", "path": "active", "value": "False"})
    assert (await client.post("/Users", user("ANNA"))).status == 409
    assert (await client.patch(f"/Groups/{group}", add_members(UNKNOWN))).status == 400
    await log_requests(client)
    await client.relay()

    shown = await browser.get(page)

    assert set(lines(shown)) == {
        *("User created", "Group created", "Member added", "User changed", "Access taken away"),
        *("userName taken", "Unknown member"),
    }
    assert "User changed Anna Adams title" in shown.text
    assert "Member added Admins : Anna Adams" in shown.text
    assert "userName taken Failed concerning Anna Adams Another user has this userName" in shown.text.replace(": ", "")
    assert "What to do: Assign the user or group to the enterprise application" in shown.text
    one = f"/portal/directories/{client.directory.id}"
    assert {f"{one}/users/{anna}", f"{one}/groups/{group}"} <= set(shown.parsed.links)
    assert (shown.status, shown.storage_requests) == (200, 6)


async def test_before_the_first_request_the_page_says_what_to_do(browser: Browser, page: str) -> None:
    shown = await browser.get(page)

    assert "Nothing has happened yet" in shown.text
    assert shown.storage_requests <= 5


async def test_names_that_changes_do_not_carry_cost_one_request_for_users_and_one_for_groups(
    browser: Browser, client: ScimClient, page: str
) -> None:
    people = await client.new_users(2)
    groups = [(await client.new_group(name))["id"] for name in ("Admins", "Staff")]
    for number in range(PAGE_SIZE):
        await client.patch(
            f"/Groups/{groups[number % 2]}",
            {"op": "Add" if number % 4 < 2 else "Remove", "path": "members", "value": [{"value": people[number % 2]}]},
        )
    await client.relay()

    shown = await browser.get(page)

    assert "Admins : user00000" in shown.text
    assert shown.storage_requests == 7


async def test_what_was_not_relayed_yet_is_shown_too(browser: Browser, client: ScimClient, page: str) -> None:
    await client.new_user("anna")

    assert lines(await browser.get(page)) == ["User created"]


@both_storages
async def test_every_change_and_every_problem_is_on_one_page_once_and_in_order(
    browser: Browser, client: ScimClient, page: str
) -> None:
    store, directory = client.application.provisioning_log_store, client.directory
    for number in range(30):
        await client.new_user(f"user{number:03d}", displayName=f"U{number:03d}")
        at = datetime.now(UTC)
        finding = Finding("value_refused", "title", new_resource_id("User"), detail=f"P{number:03d}")
        await store.add(directory.id, [ProvisioningLogEntry(finding, "PATCH", "patch", "User", 400, "", at, at)])
    await client.relay()

    texts, shown = list[str](), await browser.get(page)
    while True:
        texts += [part.partition("</li>")[0] for part in shown.html.split("<li class=")[1:]]
        older = [link for link in shown.parsed.links if "after=" in link and "/activity?" in link]
        if not older:
            break
        shown = await browser.get(older[-1].removeprefix("/portal"))

    marks = [next(mark for n in range(30) for mark in (f"U{n:03d}", f"P{n:03d}") if mark in text) for text in texts]
    for kind in ("U", "P"):
        assert [mark for mark in marks if mark[0] == kind] == [f"{kind}{n:03d}" for n in reversed(range(30))]


async def test_problems_only_one_user_only_and_days_are_filters(
    browser: Browser, client: ScimClient, page: str
) -> None:
    anna = (await client.new_user("anna", displayName="Anna"))["id"]
    bob = (await client.new_user("bob", displayName="Bob"))["id"]
    await client.new_group("Admins", [anna, bob])
    await client.patch(f"/Users/{bob}", {"op": "Replace", "path": "userName", "value": "anna"})
    await client.patch(f"/Users/{anna}", {"op": "Replace", "path": "title", "value": "Engineer"})
    await log_requests(client)
    await client.relay()
    today, tomorrow, yesterday = (f"{NOW + timedelta(days=days):%Y-%m-%d}" for days in (0, 1, -1))
    late = f"{datetime.now(UTC):%Y-%m-%d}"

    assert await every_line(browser, page, show="problems") == ["userName taken"]
    assert await every_line(browser, page, resource=bob) == ["userName taken", "Added to a group", "User created"]
    assert await every_line(browser, page, resource=anna) == [
        *("userName taken", "User changed", "Added to a group", "User created")
    ]
    everything = await every_line(browser, page)
    assert len(everything) == 7
    assert await every_line(browser, page, since=today, until=late) == everything
    assert await every_line(browser, page, since=tomorrow) == []
    assert await every_line(browser, page, until=yesterday) == []
    assert await every_line(browser, page, since="0001-01-01", until="9999-12-31") == everything
    for nonsense in ({"after": "x~y"}, {"after": "1.1~l|x"}, {"resource": "../x"}, {"since": "never"}):
        assert await every_line(browser, page, **nonsense) == everything
    empty = await browser.get(f"{page}?until={yesterday}")
    assert "Nothing fits these filters" in empty.text


async def test_a_user_leads_to_its_history_and_a_deleted_one_is_named_without_a_link(
    browser: Browser, client: ScimClient, page: str
) -> None:
    anna = (await client.new_user("anna", displayName="Anna Adams"))["id"]
    shown = await browser.get(f"/directories/{client.directory.id}/users/{anna}")
    assert f"/portal{page}?resource={anna}" in shown.parsed.links

    await client.delete(f"/Users/{anna}")
    await client.relay()

    listed = await browser.get(page)
    assert "User deleted Anna Adams" in listed.text
    assert f"/users/{anna}" not in listed.html
    assert lines(await browser.get(f"{page}?resource={anna}")) == ["User deleted", "User created"]


async def test_a_history_that_is_not_written_yet_names_the_user_and_says_that_it_follows(
    browser: Browser, client: ScimClient, page: str
) -> None:
    anna = (await client.new_user("anna", displayName="Anna Adams"))["id"]

    before = await browser.get(f"{page}?resource={anna}")
    await client.relay()

    assert "What happened to Anna Adams" in before.text
    assert "a history follows changes by some seconds" in before.text
    assert lines(await browser.get(f"{page}?resource={anna}")) == ["User created"]


async def test_the_file_has_what_the_page_shows_and_no_cell_is_a_formula(
    browser: Browser, client: ScimClient, page: str
) -> None:
    for name in ("=cmd|' /C calc'!A0", "+1", "-1", "@x", 'with "quotes", and comma'):
        await client.new_user(f"n{name}", displayName=name)
    assert (await client.post("/Users", user("N+1"))).status == 409
    await log_requests(client)
    await client.relay()

    listed = await browser.get(page)
    (link,) = [link for link in listed.parsed.links if "activity.csv" in link]
    file = await browser.get(link.removeprefix("/portal"))

    assert file.headers["Content-Disposition"] == 'attachment; filename="activity.csv"'
    rows = list(csv.DictReader(io.StringIO(file.html.removeprefix("\ufeff"))))
    assert [row["What"] for row in rows] == lines(listed)
    assert {row["Whom"] for row in rows if row["Result"] == "done"} == {
        *("'=cmd|' /C calc'!A0", "'+1", "'-1", "'@x", 'with "quotes", and comma')
    }
    (problem,) = [row for row in rows if row["Result"] == "failed"]
    assert problem["Remedy"].startswith("Give one of the two another userName")
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


HARMLESS = {
    "=1": "'=1",
    "+1": "'+1",
    "-1": "'-1",
    "@a": "'@a",
    "\t=1": "'\t'=1",
    "a,\t=1": "a,'\t'=1",
    "a\x0b=1": "a\x0b'=1",
    "a\u2028=1": "a\u2028'=1",
    "a\uff1b=1": "a\uff1b'=1",
    "\u200b=1": "'\u200b=1",
    "\ufeff+1": "'\ufeff+1",
    "a;\u202e@a": "a;'\u202e@a",
    "\ufe66\ufe621": "'\ufe66\ufe621",
    "\ufe6ba": "'\ufe6ba",
    "\rx": "'\rx",
    " =1": "' =1",
    "\u00a0 @a": "'\u00a0 @a",
    '"=1': "'\"=1",
    "\uff1d1": "'\uff1d1",
    "\uff0b1": "'\uff0b1",
    "\uff0d1": "'\uff0d1",
    "\uff20a": "'\uff20a",
    "a,=1": "a,'=1",
    "a;=1;+2": "a;'=1;'+2",
    "a| \uff1d1": "a|' \uff1d1",
    "a\n=1": "a\n'=1",
    'a";"=1': 'a";\'"=1',
    "a=1": "a=1",
    "a, b - c": "a, b - c",
    "anna-maria@example.com": "anna-maria@example.com",
    "": "",
}


@pytest.mark.parametrize(("cell", "written"), HARMLESS.items(), ids=map(ascii, HARMLESS))
def test_what_could_begin_a_formula_has_an_apostrophe_before_it(cell: str, written: str) -> None:
    (_, row) = csv.reader(io.StringIO(csv_text(["A"], [[cell]]), newline=""))

    assert row == [written]


def test_every_cell_is_in_quotes() -> None:
    assert csv_text(["A", "B"], [["a", ""]]) == '\ufeff"A","B"\r\n"a",""\r\n'


def entry(minutes: int, title: str) -> ActivityEntry:
    return ActivityEntry(NOW - timedelta(minutes=minutes), title, "done")


def test_nothing_is_emitted_that_is_older_than_what_one_side_has_not_read() -> None:
    changes = Source([("9.1", entry(1, "a")), ("8.1", entry(2, "b"))], "8.1")
    problems = Source([("l|1", entry(3, "c")), ("l|2", entry(4, "d"))])

    page = merged(changes, problems, ActivityQuery())

    assert [each.title for each in page.entries] == ["a", "b"]
    assert page.after == "8.1~-"


def test_a_window_that_a_filter_emptied_is_not_read_again() -> None:
    page = merged(Source(), Source((), "l|5"), ActivityQuery(problem="l|4"))

    assert (page.entries, page.after) == ([], "-~l|5")
