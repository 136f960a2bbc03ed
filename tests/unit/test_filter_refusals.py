from __future__ import annotations

import re

import pytest
from scim2_models import InvalidFilterException

from scim.resources.filter import compile_filter, parse_filter
from scim.resources.schema import ENTERPRISE_URN, USER_URN, ResourceSchema
from tests.builders import group_schema, user_schema


def refusal(text: str, *schemas: ResourceSchema) -> str:
    with pytest.raises(InvalidFilterException) as raised:
        compile_filter(parse_filter(text), schemas or [user_schema()])
    return raised.value.detail


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nothing eq "x"', '"nothing" is not an attribute of User'),
        ("userName.value pr", '"userName.value" is not an attribute'),
        ('emails[nothing eq "x"]', '"emails.nothing" is not an attribute'),
        ('emails[type.x eq "x"]', '"emails.type.x" is not an attribute'),
        (f'emails[{USER_URN}:type eq "x"]', "is not an attribute"),
        (f"{ENTERPRISE_URN} pr", "is not an attribute"),
        ('members eq "x"', '"members" is not an attribute of User'),
        ("active gt true", '"active" is true or false'),
        ('active co "t"', 'in place of "co"'),
        ("emails[primary ge true]", '"emails.primary" is true or false'),
        ('x509Certificates gt "AAAA"', '"x509Certificates" holds binary data'),
        ('password co "x"', "eq or ne"),
        ("userName eq 5", '"userName" must be text, not a number'),
        ("userName eq true", '"userName" must be text, not true or false'),
        ('active eq "maybe"', '"active" must be true or false'),
        ('active eq ""', "give a value"),
        ('meta.created gt "yesterday"', "must be a date and time such as"),
        ("meta.created gt 5", "must be a date and time such as"),
        ('x509Certificates eq "?"', "must be base64 text"),
        ('name[givenName eq "x"]', '"name" holds a single value'),
        ('userName[value eq "x"]', '"userName" holds a single value'),
    ],
)
def test_what_an_attribute_cannot_take_is_refused_naming_it(text: str, said: str) -> None:
    assert said in refusal(text)


UNREADABLE = [
    "",
    " \n",
    "userName",
    "userName eq",
    'userName eq "a" and',
    'userName eq "a" extra',
    "userName eq 'a'",
    'userName regex ".*"',
    '"a" eq userName',
    "userName eq \"x' or PartitionKey ne '\" or",
    'userName eq "a',
    'userName eq "\\x"',
    'userName eq "\x01"',
    'userName eq "' + '\\"' * 3980,
    "userName eq 1e999",
    "userName eq " + "1" * 5000,
    "not userName pr",
    "(userName pr",
    "userName pr)",
    "[[",
    "emails[",
    'emails[type eq "work"].value',
    'emails[members[value eq "x"]]',
    'emails.value[type eq "work"]',
    'é eq "x"',
    "emails[" * 200,
    "(" * 3000 + 'userName eq "a"' + ")" * 3000,
    "(" * 5000 + 'userName eq "a"' + ")" * 5000,
    "not (" * 1000 + "userName pr" + ")" * 1000,
    "not (" * 2000 + "userName pr" + ")" * 2000,
    " or ".join(['userName eq "a"'] * 2000),
    " or ".join(["title pr"] * 201),
    f'userName eq "{"a" * 8000}"',
]


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: text[:20])
def test_what_is_no_filter_is_refused_with_what_to_change_and_no_library_text(text: str) -> None:
    said = refusal(text)

    assert said.startswith("The filter ")
    assert said.endswith(".")
    assert len(said) < 300
    assert not re.search(r"unexpected|token|column|syntax|expected one|limit \(|lark|VisitError", said, re.IGNORECASE)


def test_the_place_that_cannot_be_read_is_shown() -> None:
    assert "character 10, 'regex \".*\"'" in refusal('userName regex ".*"')
    assert "ends too early" in refusal("userName eq")


def test_a_tree_deeper_than_its_brackets_is_refused_too() -> None:
    nested = "title pr"
    for _ in range(20):
        nested = f"title pr or nickName pr and ({nested})"

    assert "nests more than" in refusal(nested)


def test_what_the_grammar_takes_but_no_schema_has_is_refused() -> None:
    assert '"PartitionKey" is not an attribute' in refusal("PartitionKey pr")


@pytest.mark.parametrize("text", ["nothing pr", "members.nothing pr", 'members[nothing eq "x"]', "userName pr or a pr"])
def test_an_attribute_no_type_declares_is_refused(text: str) -> None:
    assert "is not an attribute of User or Group" in refusal(text, user_schema(), group_schema())
