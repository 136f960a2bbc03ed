"""Random PATCH operations, on which the service and the reference agree by design.

Where they differ is told in patch_differences.py; what is made here keeps clear of it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.property.documents import WORDS, Document

words = st.sampled_from(WORDS)
types = st.sampled_from(["work", "home", "Work", "other"])
MISFITS = st.sampled_from([5, 2.5, True, {}, {"value": "a"}])
NOTHING = st.sampled_from([None, ""])
texts = words | words | words | NOTHING | MISFITS
OPS = st.sampled_from(["add", "replace", "Add", "Replace", "REPLACE"])
REMOVES = st.sampled_from(["remove", "Remove", "REMOVE"])
LISTS = st.sampled_from(["emails", "phoneNumbers", "roles", "Emails", f"{USER_URN}:emails", "addresses"])
OF_LISTS = st.sampled_from(["emails", "phoneNumbers", "ROLES"])

SINGLE = ["title", "displayName", "TITLE", "externalId", "nickName", f"{USER_URN}:title", f"{USER_URN.upper()}:title"]
SINGLE += ["name.givenName", "name.FamilyName", f"{USER_URN}:name.formatted"]
SINGLE += [f"{ENTERPRISE_URN}:department", f"{ENTERPRISE_URN}:EmployeeNumber", f"{ENTERPRISE_URN.upper()}:department"]
READ_ONLY = ["id", "meta", "meta.created", "groups", "groups.value"]
MALFORMED = ["emails[type eq", "a b", "emails[type]", "emails[nothing eq 1].value", 'name[givenName eq "a"]']
FILTERS = ['type eq "work"', 'type eq "other"', 'TYPE eq "WORK"', "primary eq true", 'primary eq "True"', "value pr"]
FILTERS += ['type eq "work" and value eq "a"', 'type ne "work"', 'type eq "work" or type eq "home"']
FILTERS += ['not (type eq "work")', 'value eq "STRASSE"', 'type eq "fi" and primary eq true']


def some(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries({}, optional=members)


entries = some(value=words, type=types, display=words | st.none(), primary=st.booleans())
locations = some(locality=words, type=types, formatted=words, primary=st.booleans())
names = some(givenName=words | NOTHING, familyName=words, formatted=words | st.none())
managers = st.fixed_dictionaries({"value": words, "$ref": st.just("../Users/1")})
enterprise = some(department=words | NOTHING, employeeNumber=words, manager=managers | st.none())
selections = st.builds("{}[{}]".format, OF_LISTS, st.sampled_from(FILTERS))


def _write(path: st.SearchStrategy[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries({"op": OPS, "path": path, "value": value})


def _lists(entry: st.SearchStrategy[Document]) -> st.SearchStrategy[Any]:
    filled = entry.filter(bool)
    return st.lists(filled, max_size=3) | filled


writes = st.one_of(
    _write(st.sampled_from(SINGLE), texts),
    _write(st.sampled_from(SINGLE), words),
    _write(st.sampled_from(["active", f"{USER_URN}:active"]), st.booleans() | st.sampled_from(["True", "false"])),
    _write(st.sampled_from(["userName", "USERNAME"]), words | st.none()),
    _write(st.just("name"), names | st.none()),
    _write(st.sampled_from([ENTERPRISE_URN, ENTERPRISE_URN.upper()]), enterprise),
    _write(st.just(f"{ENTERPRISE_URN}:manager"), managers | st.none()),
    _write(LISTS.filter(lambda path: path != "addresses"), _lists(entries) | st.none()),
    _write(st.just("addresses"), _lists(locations)),
    _write(selections, entries | entries | st.none()),
    _write(selections.map("{}.value".format), words | MISFITS),
    _write(selections.map("{}.Type".format), types),
    _write(selections.map("{}.primary".format), st.booleans() | st.just("True")),
)
_keys: dict[str, st.SearchStrategy[Any]] = {
    "title": texts,
    "displayName": words,
    "active": st.booleans() | st.just("False"),
    "name": names,
    "name.familyName": words | NOTHING,
    "emails": st.lists(entries.filter(bool), max_size=2),
    f"{ENTERPRISE_URN}:department": words | NOTHING,
    ENTERPRISE_URN: enterprise | st.none(),
    f"{USER_URN}:nickName": words,
    USER_URN: some(preferredLanguage=words),
}
pathless = st.fixed_dictionaries({"op": OPS, "value": st.fixed_dictionaries({}, optional=_keys)})
removes = st.one_of(
    st.fixed_dictionaries(
        {"op": REMOVES, "path": st.sampled_from([*SINGLE, "active", "userName", "name", "nickName"])}
    ),
    st.fixed_dictionaries({"op": REMOVES, "path": LISTS | selections}),
    st.fixed_dictionaries({"op": REMOVES, "path": selections.map("{}.display".format)}),
    st.fixed_dictionaries({"op": REMOVES, "path": st.sampled_from([ENTERPRISE_URN, f"{ENTERPRISE_URN}:manager"])}),
    st.fixed_dictionaries({"op": REMOVES, "path": OF_LISTS, "value": _lists(some(value=words, type=types))}),
)
broken = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["move", "", 5]), "path": st.just("title"), "value": words}),
    st.fixed_dictionaries({"op": st.sampled_from(["add", "replace"]), "path": st.just("title")}),
    st.fixed_dictionaries({"op": REMOVES}),
    st.fixed_dictionaries({"op": OPS, "value": words}),
    _write(st.sampled_from(READ_ONLY), words),
    _write(st.sampled_from(MALFORMED), words),
    st.fixed_dictionaries({"op": REMOVES, "path": st.sampled_from([*READ_ONLY, *MALFORMED])}),
)
_kinds = [writes] * 8 + [pathless] * 4 + [removes] * 4 + [broken]
user_operations = st.integers(0, len(_kinds) - 1).flatmap(lambda number: _kinds[number])

MEMBER_IDS = ["usr_1", "usr_2", "usr_3", "grp_1"]
_member = st.sampled_from(MEMBER_IDS)
_references = st.lists(_member.map(lambda member: {"value": member}), max_size=3)
_selected = _member.map('members[value eq "{}"]'.format)
_members_path = st.sampled_from(["members", "Members", f"{GROUP_URN}:members"])
member_operations = st.one_of(
    st.fixed_dictionaries(
        {"op": OPS, "path": _members_path, "value": _references | _references.filter(bool).map(lambda r: r[0])}
    ),
    st.fixed_dictionaries({"op": REMOVES, "path": _members_path, "value": _references}),
    st.fixed_dictionaries({"op": REMOVES, "path": _members_path | _selected}),
    st.fixed_dictionaries({"op": OPS, "value": some(displayName=words, members=_references)}),
    st.fixed_dictionaries({"op": OPS, "value": st.fixed_dictionaries({f"{GROUP_URN}:members": _references})}),
)
