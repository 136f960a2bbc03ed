from __future__ import annotations

import json
from typing import Any

import pytest
from scim2_models import InvalidFilterException

from scim.resources.core_schemas import CustomAttribute
from scim.resources.filter import compile_entry_filter, compile_filter, parse_filter
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN, ResourceSchema
from tests.builders import CUSTOM_URN, group_schema, user_document, user_schema

CUSTOM = user_schema(
    CustomAttribute("badge", "string"),
    CustomAttribute("floor", "integer"),
    CustomAttribute("height", "decimal"),
    CustomAttribute("hired", "dateTime"),
    CustomAttribute("remote", "boolean"),
    CustomAttribute("tags", "string", multi_valued=True),
    CustomAttribute("device.serial", "string", multi_valued=True),
)
GROUP = {
    "schemas": [GROUP_URN],
    "id": "grp_1",
    "displayName": "Tour Guides",
    "members": [{"value": "usr_1", "type": "User"}, {"value": "usr_2"}],
    "meta": {"resourceType": "Group", "created": "2010-01-23T04:56:22Z"},
}


def keeps(text: str, document: dict[str, Any], schema: ResourceSchema | None = None) -> bool:
    schema = schema or user_schema()
    return compile_filter(parse_filter(text), [schema]).matches(schema, document)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('userName eq "bjensen@example.com"', True),
        ('userName Eq "BJENSEN@example.com"', True),
        ('name.familyName co "O\'Malley"', False),
        ('name.familyName co "ENS"', True),
        ('userName sw "J"', False),
        (f'{USER_URN}:userName sw "B"', True),
        ("title pr", True),
        ('meta.lastModified gt "2011-05-13T04:42:34Z"', False),
        ('meta.lastModified ge "2011-05-13T04:42:34Z"', True),
        ('meta.lastModified lt "2011-05-13T04:42:34Z"', False),
        ('meta.lastModified le "2011-05-13T04:42:34Z"', True),
        ('title pr and userType eq "Employee"', False),
        ('title pr or userType eq "Intern"', True),
        (f'schemas eq "{ENTERPRISE_URN}"', True),
        ('active eq true and (emails co "example.com" or emails.value co "example.org")', True),
        ('userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")', False),
        ('active eq true and (emails.type eq "work")', True),
        ('active eq true and emails[type eq "work" and value co "@example.com"]', True),
        ('emails[type eq "work" and value co "@nowhere"] or ims[type eq "xmpp" and value co "@foo.com"]', False),
    ],
)
def test_the_examples_of_rfc_7644_section_3_4_2_2_are_answered(text: str, kept: bool) -> None:
    assert keeps(text, user_document()) is kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('userName eq "x" and userName eq "x" or title pr', True),
        ('title pr or userName eq "x" and userName eq "x"', True),
        ('(title pr or userName eq "x") and userName eq "x"', False),
        ('not (userName eq "x") and title pr', True),
        ('not (not (not (userName eq "x")))', True),
        ("not(title pr)", False),
        ("not (title pr or active eq true) or externalId pr", True),
    ],
)
def test_not_binds_tighter_than_and_and_tighter_than_or(text: str, kept: bool) -> None:
    assert keeps(text, user_document()) is kept


@pytest.mark.parametrize(
    ("operand", "kept"),
    [
        ("2010-01-23T04:56:22Z", True),
        ("2010-01-23T04:56:22+00:00", True),
        ("2010-01-23T06:56:22+02:00", True),
        ("2010-01-22T18:56:22.000-10:00", True),
        ("2010-01-23T04:56:22", True),
        ("2010-01-23T04:56:22+02:00", False),
        ("2010-01-23T04:56:22.001Z", False),
    ],
)
def test_dates_are_compared_as_instants_and_are_utc_without_an_offset(operand: str, kept: bool) -> None:
    assert keeps(f'meta.created eq "{operand}"', user_document()) is kept


def test_extreme_dates_and_offsets_are_compared() -> None:
    assert keeps('meta.created gt "0001-01-01T00:00:00+14:00"', user_document())
    assert keeps('meta.created lt "9999-12-31T23:59:59-14:00"', user_document())


def test_a_fragment_of_a_date_matches_nothing() -> None:
    assert not keeps('meta.created co "20"', user_document())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('emails[type eq "work" and value ew "jensen.org"]', False),
        ('emails.type eq "work" and emails.value ew "jensen.org"', True),
        ('emails[type eq "home" and value ew "jensen.org"]', True),
        ('emails[primary eq "True"]', True),
        ('emails[type eq "home" and primary eq null]', True),
        ('emails[not (type eq "work")]', True),
        ('emails[type eq "work"].value eq "bjensen@example.com"', True),
        ('emails[type eq "work"].value eq "babs@jensen.org"', False),
        ('phoneNumbers[not (type eq "work")]', False),
        ('schemas[value ew "core:2.0:User"]', True),
        ("schemas[not (value pr)]", False),
    ],
)
def test_brackets_match_within_one_entry(text: str, kept: bool) -> None:
    assert keeps(text, user_document()) is kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("nickName pr", False),
        ("nickName eq null", True),
        ("nickName ne null", False),
        ('nickName ne "x"', True),
        ('nickName eq ""', False),
        ("nickName gt null", False),
        ("title eq null", False),
        ("title ne null", True),
        ("phoneNumbers eq null", True),
        ("emails ne null", True),
        ("emails.display eq null", True),
        ("emails.display pr", False),
        ("emails.primary eq null", True),
        ("emails.primary ne null", False),
        ("name pr", True),
        ("name eq null", False),
        ("name.middleName pr", False),
        ("meta pr", True),
    ],
)
def test_a_missing_value_is_null_and_not_present(text: str, kept: bool) -> None:
    assert keeps(text, user_document()) is kept


def test_an_inactive_user_has_a_present_active_and_a_user_without_it_has_none() -> None:
    assert keeps("active pr and active eq false", user_document(active=False))
    assert not keeps("active pr or active eq false or active eq true", user_document(active=None))
    assert keeps("active ne true", user_document(active=None))


def test_empty_lists_and_objects_and_texts_are_not_present() -> None:
    document = user_document(emails=[], name={}, title="")

    assert not keeps("emails pr or name pr or title pr", document)
    assert keeps('emails eq null and emails ne "x"', document)


def test_ne_keeps_a_user_none_of_whose_values_equals_the_operand() -> None:
    assert not keeps('emails ne "babs@jensen.org"', user_document())
    assert keeps('emails ne "x@jensen.org"', user_document())
    assert keeps('phoneNumbers ne "1"', user_document())


@pytest.mark.parametrize("operand", ["true", '"True"', '"true"', '"TRUE"'])
def test_booleans_are_also_read_from_text_as_entra_id_sends_them(operand: str) -> None:
    assert keeps(f"active eq {operand} and emails.primary eq {operand}", user_document())
    assert not keeps(f"active ne {operand}", user_document())


@pytest.mark.parametrize("path", ["manager", "MANAGER", "manager.value", f"{ENTERPRISE_URN}:manager"])
def test_manager_is_compared_by_its_id_on_the_short_and_the_full_path(path: str) -> None:
    assert keeps(f'id eq "usr_1" and {path} eq "usr_2"', user_document())
    assert not keeps(f'{path} eq "usr_3"', user_document())
    assert keeps(f'{path} ne "usr_3"', user_document())
    assert not keeps(f'{path} eq "usr_2"', {"id": "usr_1"})


def test_members_are_compared_by_their_id() -> None:
    assert keeps('id eq "grp_1" and members eq "usr_2"', GROUP, group_schema())
    assert not keeps('members eq "usr_3"', GROUP, group_schema())


def test_letter_case_counts_only_where_the_schema_says_so() -> None:
    assert keeps('userName eq "BJENSEN@EXAMPLE.COM" and displayName co "bABS"', user_document())
    assert not keeps('id eq "USR_1"', user_document())
    assert keeps('userName eq "STRASSE" and userName sw "strass"', user_document(userName="straße"))
    assert keeps('title eq "Zoe\u0308"', user_document(title="Zoë"))


@pytest.mark.parametrize("value", ['a"b', "a\\b", "tab\there", "new\nline", "é", "😀", "/", "nul\0", "' or 1 eq 1"])
def test_json_escapes_in_literals_stand_for_their_characters(value: str) -> None:
    assert keeps(f"title eq {json.dumps(value)}", user_document(title=value))
    assert not keeps(f"title eq {json.dumps(value + 'x')}", user_document(title=value))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('password eq "x"', False),
        ('password ne "x"', False),
        ("password eq null", False),
        ("password pr", False),
        ('not (password eq "x")', True),
    ],
)
def test_a_password_is_never_matched(text: str, kept: bool) -> None:
    assert keeps(text, user_document(password="x")) is kept


@pytest.mark.parametrize(
    ("values", "text", "kept"),
    [
        ({"floor": 3}, "@floor gt 2", True),
        ({"floor": 3}, '@floor eq "3"', True),
        ({"floor": "third"}, "@floor eq 3", False),
        ({"floor": "third"}, "@floor pr", False),
        ({"floor": True}, "@floor eq 1", False),
        ({"floor": 3.5}, "@floor pr", False),
        ({"height": 1}, "@height lt 1.5", True),
        ({"height": [1]}, "@height pr", False),
        ({"badge": 5}, '@badge ne "x" and @badge eq null', True),
        ({"badge": {"value": "x"}}, '@badge eq "x"', False),
        ({"remote": "yes"}, "@remote pr", False),
        ({"hired": "soon"}, '@hired gt "2000-01-01T00:00:00Z"', False),
        ({"hired": "2020-01-01T00:00:00Z"}, '@hired gt "2000-01-01T00:00:00Z"', True),
        ({"tags": [1, "blue", None]}, '@tags eq "BLUE" and @tags ne "1"', True),
        ({"tags": [1, "blue", None]}, "@tags eq null", False),
        ({"tags": "blue"}, "@tags pr", False),
        ({"tags": [1]}, "@tags eq null", True),
        ({"tags": ["blue", 1]}, '@tags[value eq "blue"]', True),
        ({"tags": [1]}, "@tags[value eq null]", False),
        ({"device": ["x", {"serial": "s1"}]}, '@device.serial eq "S1"', True),
        ({"device": "s1"}, "@device.serial pr", False),
        ("not an object", "@badge pr", False),
    ],
)
def test_a_custom_value_of_the_wrong_type_counts_as_absent(values: Any, text: str, kept: bool) -> None:
    assert keeps(text.replace("@", f"{CUSTOM_URN}:"), user_document(**{CUSTOM_URN: values}), CUSTOM) is kept


# -- Several resource types ---------------------------------------------


@pytest.mark.parametrize(
    ("text", "user_kept", "group_kept"),
    [
        ("userName pr", True, False),
        ("not (userName pr)", False, True),
        ('members[value eq "usr_1"]', False, True),
        ('displayName co "t"', False, True),
        ('meta.resourceType eq "Group"', False, True),
        (f'{GROUP_URN}:displayName co "tour"', False, True),
        ('manager eq "usr_2" or members eq "usr_2"', True, True),
    ],
)
def test_an_attribute_only_some_types_declare_is_false_on_the_others(
    text: str, user_kept: bool, group_kept: bool
) -> None:
    compiled = compile_filter(parse_filter(text), [user_schema(), group_schema()])

    assert compiled.matches(user_schema(), user_document()) is user_kept
    assert compiled.predicate(group_schema())(GROUP) is group_kept


def test_deep_and_long_filters_within_the_limits_are_answered() -> None:
    assert keeps("(" * 32 + "title pr" + ")" * 32, user_document())
    assert keeps("not (" * 32 + "title pr" + ")" * 32, user_document())
    assert keeps(" or ".join(["nickName pr"] * 199 + ["title pr"]), user_document())
    assert not keeps('title eq "((((((((((((((((((((((((((((((((((((((((("', user_document())
    assert not keeps(f'title eq "{" or " * 300}"', user_document())


# -- Entries ------------------------------------------------------------


def test_an_entry_filter_selects_entries_of_a_complex_and_of_a_plain_attribute() -> None:
    emails, schemas = user_schema().attribute("emails"), user_schema().attribute("schemas")
    assert emails is not None
    assert schemas is not None
    node = parse_filter('type eq "work" and primary eq "True"')
    is_core = compile_entry_filter(parse_filter(f'value eq "{USER_URN}"'), schemas, "schemas")

    selects = compile_entry_filter(node, emails, "emails")

    assert [selects(entry) for entry in user_document()["emails"]] == [True, False]
    assert [is_core(urn) for urn in user_document()["schemas"]] == [True, False]
    assert not selects("not an object")
    with pytest.raises(InvalidFilterException, match=r'"emails\.nothing" is not a sub-attribute of "emails"'):
        compile_entry_filter(parse_filter("nothing pr"), emails, "emails")
