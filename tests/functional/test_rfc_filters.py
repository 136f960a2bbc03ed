"""Filters (RFC 7644 §3.4.2.2), asked through the SCIM endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.service import EXTENSION_URN, ScimClient, Service

PEOPLE: Mapping[str, dict[str, Any]] = {
    "anna": {
        "title": "Boss",
        "active": True,
        "name": {"givenName": "Anna", "familyName": "Adams"},
        "emails": [
            {"type": "work", "value": "anna@work.example", "primary": True},
            {"type": "home", "value": "anna@home.example"},
        ],
        ENTERPRISE_URN: {"department": "Sales", "employeeNumber": "0042"},
        EXTENSION_URN: {"tag": "Red"},
    },
    "bob": {
        "title": "50% off",
        "active": False,
        "name": {"familyName": "Brown"},
        "emails": [{"type": "home", "value": "bob@work.example"}],
    },
    "carol": {"title": "", "active": True, "emails": [{"value": "carol@home.example"}]},
    "Straße": {},
}

FILTERS = {
    # ne and ew
    'userName ne "ANNA"': "bob carol Straße",
    'title ne "boss"': "bob carol Straße",
    'userName ew "OB"': "bob",
    'emails.value ew "HOME.example"': "anna carol",
    'userName ew "SSE"': "Straße",
    # and binds more tightly than or; parentheses and not
    'userName eq "bob" or userName eq "anna" and active eq false': "bob",
    '(userName eq "bob" or userName eq "anna") and active eq true': "anna",
    'active eq false and userName eq "bob" or userName eq "carol"': "bob carol",
    'not (userName eq "bob" or userName eq "carol")': "anna Straße",
    'not (not (userName eq "bob"))': "bob",
    'not (active eq true and not (title eq "Boss"))': "anna bob Straße",
    'userName pr and not (emails pr and not (emails.type eq "home"))': "anna bob Straße",
    # pr and null: an empty text, like a missing value, is not present
    "title pr": "anna bob",
    "not (title pr)": "carol Straße",
    "name.givenName eq null": "bob carol Straße",
    "name.givenName ne null": "anna",
    "emails pr": "anna bob carol",
    "emails.type pr": "anna bob",
    "name pr": "anna bob",
    "active pr": "anna bob carol",
    "title gt null": "",
    # a value path holds within one element; separate comparisons may hold in different ones
    'emails[type eq "work" and value co "work.example"]': "anna",
    'emails[type eq "home" and value co "work.example"]': "bob",
    'emails.type eq "home" and emails.value co "work.example"': "anna bob",
    'emails[type eq "home" and not (value co "work")]': "anna",
    'emails[type eq "work"].value eq "anna@home.example"': "",
    'emails[type eq "home"].value eq "ANNA@home.example"': "anna",
    "emails[primary eq true]": "anna",
    # paths qualified by a URN, whose version has a dot of its own
    f'{USER_URN}:userName eq "ANNA"': "anna",
    f'{USER_URN}:name.familyName eq "brown"': "bob",
    f'{USER_URN.upper()}:emails[type eq "work"]': "anna",
    f'{ENTERPRISE_URN}:department eq "sales"': "anna",
    f"not ({ENTERPRISE_URN}:department pr)": "bob carol Straße",
    f'{EXTENSION_URN}:tag eq "red"': "anna",
    f'{EXTENSION_URN}:tag ne "red"': "bob carol Straße",
    # operators, attributes and literals in another letter case; typed operands
    'USERNAME EQ "anna"': "anna",
    'userName SW "a" AND Active Eq True': "anna",
    'active eq "False"': "bob",
    # LIKE wildcards are ordinary characters
    'title co "%"': "bob",
    'title co "_"': "",
    # order is by the comparison form
    'userName ge "BOB" and userName lt "carol"': "bob",
    'userName gt "carol"': "Straße",
    # folding beyond ASCII
    'userName eq "STRASSE"': "Straße",
    'userName co "ASS"': "Straße",
}


@pytest.fixture
async def names(scim: ScimClient) -> dict[str, str]:
    """The names of stored people by id."""
    return {(await scim.new_user(name, **attributes))["id"]: name for name, attributes in PEOPLE.items()}


async def found(scim: ScimClient, names: Mapping[str, str], text: str) -> set[str]:
    return {names[resource_id] for resource_id in await scim.find(text)}


async def test_filters_find_what_the_rfc_says(scim: ScimClient, names: Mapping[str, str]) -> None:
    results = {text: await found(scim, names, text) for text in FILTERS}

    assert results == {text: set(expected.split()) for text, expected in FILTERS.items()}


@pytest.mark.parametrize("sent", ['say "hi"', "back\\slash", "tab\tand\nline", "é😀", "slash/", "line\u2028separator"])
async def test_text_in_a_filter_is_a_json_literal(scim: ScimClient, sent: str) -> None:
    user_id = (await scim.new_user(sent.replace("\t", " ").replace("\n", " "), title=sent, nickName=sent))["id"]
    escaped = "".join(f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else letter for letter in sent)
    plain = sent.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")

    for literal in (escaped, plain, plain.replace("/", "\\/")):
        assert await scim.find(f'nickName eq "{literal}"') == [user_id]
        assert await scim.find(f'title eq "{literal}"') == [user_id]


async def test_instants_are_compared_whatever_their_offset(service: Service) -> None:
    scim = await service.new_directory([AttributeMapping("start", f"{EXTENSION_URN}:start", "dateTime")])
    user_id = (await scim.new_user("anna", **{EXTENSION_URN: {"start": "2026-01-31T10:00:00+02:00"}}))["id"]
    path = f"{EXTENSION_URN}:start"

    for same in ("2026-01-31T08:00:00Z", "2026-01-31T03:00:00.000-05:00", "2026-01-31T13:30:00+05:30"):
        assert await scim.find(f'{path} eq "{same}"') == [user_id]
        assert await scim.find(f'{path} gt "{same}" or {path} lt "{same}"') == []
    assert await scim.find(f'{path} gt "2026-01-31T09:59:59+02:00"') == [user_id]
    assert await scim.find(f'{path} lt "2026-01-31T08:00:00Z"') == []


async def test_meta_can_be_filtered(scim: ScimClient) -> None:
    user = await scim.new_user("anna")
    created = datetime.fromisoformat(user["meta"]["created"])
    elsewhere = created.astimezone(timezone(timedelta(hours=9))).isoformat()
    later = (created.astimezone(UTC) + timedelta(seconds=1)).isoformat()

    assert await scim.find(f'meta.created eq "{elsewhere}"') == [user["id"]]
    assert await scim.find(f'meta.lastModified ge "{later}"') == []
    assert await scim.find('meta.resourceType eq "User"') == [user["id"]]


async def test_letter_case_counts_where_the_schema_says_so(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna", externalId="Abc"))["id"]

    assert await scim.find('externalId eq "Abc"') == [user_id]
    assert await scim.find('externalId eq "abc"') == []
    assert await scim.find('externalId sw "ab"') == []
    assert await scim.find(f'id eq "{user_id.upper()}"') == []


async def test_at_the_root_an_attribute_that_a_type_lacks_matches_none_of_it(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna", displayName="Team"))["id"]
    group_id = (await scim.new_group("Team"))["id"]

    assert sorted(await scim.find('displayName eq "team"', "")) == sorted([user_id, group_id])
    assert await scim.find("userName pr", "") == [user_id]
    assert await scim.find(f'{GROUP_URN}:displayName eq "team"', "") == [group_id]
    assert await scim.find('displayName eq "team" and meta.resourceType eq "Group"', "") == [group_id]


async def test_members_and_groups_are_filtered_by_id(scim: ScimClient) -> None:
    user_id, other = await scim.new_users(2)
    inner = (await scim.new_group("Inner", [user_id]))["id"]
    outer = (await scim.new_group("Outer", [inner]))["id"]

    assert await scim.find(f'members eq "{user_id}"', "/Groups") == [inner]
    assert await scim.find(f'members.value eq "{inner}"', "/Groups") == [outer]
    assert await scim.find(f'members[value eq "{user_id}"]', "/Groups") == [inner]
    assert await scim.find(f'displayName sw "o" and members eq "{inner}"', "/Groups") == [outer]
    assert await scim.find(f'not (members eq "{user_id}")', "/Groups") == [outer]
    assert await scim.find(f'groups eq "{inner}"') == [user_id]
    assert await scim.find(f'not (groups.value eq "{inner}")') == [other]
    assert await scim.find('members eq "x|y"', "/Groups") == []


@pytest.mark.parametrize(
    "text",
    [
        "userName",
        'userName eq "a" and',
        'userName xx "a"',
        "userName eq 'a'",
        "userName eq a",
        '"a" eq userName',
        'nothing eq "a"',
        'userName[value eq "a"]',
        "active gt true",
        'active eq "maybe"',
        'meta.created gt "yesterday"',
        'members[display eq "Anna"]',
        " ",
        "(" * 40 + 'userName eq "a"' + ")" * 40,
        " or ".join(['userName eq "a"'] * 300),
        f'userName eq "{"a" * 9000}"',
    ],
)
async def test_a_filter_that_cannot_be_answered_is_refused_with_what_to_change(scim: ScimClient, text: str) -> None:
    endpoint = "/Groups" if text.startswith("members") else "/Users"
    answer = await scim.get(endpoint, {"filter": text})

    assert (answer.status, answer.json["scimType"]) == (400, "invalidFilter")
    assert answer.json["detail"].endswith(".")
