"""Random requests to a SCIM service: bodies, conditions, searches, pages; mostly ones that succeed."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.property.documents import Document
from tests.property.patches import OPS, REMOVES, entries, names, some
from tests.service import references

NOBODY = f"usr_{0:032x}"
NAMES = ["anna", "ANNA", "Anna B", "bert", "Straße", "STRASSE", "ﬁn", 'q"\\uote']


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 7).flatmap(lambda number: rare if number == 7 else usual)


some_name = st.sampled_from(NAMES)
user_bodies = st.fixed_dictionaries(
    {"schemas": st.just([USER_URN]), "userName": some_name},
    optional={
        "externalId": some_name,
        "displayName": some_name,
        "active": st.booleans(),
        "name": names,
        "emails": st.lists(entries.filter(bool), max_size=1),
        ENTERPRISE_URN: some(department=some_name, employeeNumber=some_name),
        "title": st.none() | some_name,
    },
)
group_bodies = st.fixed_dictionaries(
    {"schemas": st.just([GROUP_URN]), "displayName": some_name}, optional={"externalId": some_name}
)
broken_bodies = st.sampled_from(
    [[], {}, {"schemas": [USER_URN]}, {"schemas": [GROUP_URN]}, {"schemas": [USER_URN], "userName": 5}]
)
conditions = mostly(
    st.none(), st.sampled_from(["current", "current", "stale", "any", "foreign", "not current", "not stale"])
)
projections = st.sampled_from(
    [{}] * 3
    + [{"attributes": text} for text in ("id", "userName", "displayName", "members", "emails.value", "meta")]
    + [{"excludedAttributes": text} for text in ("members", "displayName,emails", "meta", "emails.type", "id")]
)
OF_BOTH = ["displayName", "externalId", "id"]
COMPARED = {
    "/Users": [*OF_BOTH, "userName", 'emails[type eq "work"].value', "title", "emails.value", "name.familyName"],
    "/Groups": OF_BOTH,
    "": [*OF_BOTH, "userName"],
}
OTHERS = {
    "/Users": ["active eq true", "displayName pr", "not (title pr)", 'emails[type eq "work"]', "nothing eq 1"],
    "/Groups": ["displayName pr", "not (externalId pr)", "userName"],
    "": ["userName pr", 'meta.resourceType eq "Group"', "not (userName"],
}


def filters_of(endpoint: str) -> st.SearchStrategy[str]:
    compared = st.builds(
        "{} {} {}".format,
        st.sampled_from(COMPARED[endpoint]),
        st.sampled_from(["eq", "eq", "eq", "ne", "sw", "co", "gt"]),
        st.sampled_from(['"anna"', '"BERT"', '"strasse"', '"q\\"\\\\uote"', '"a"', '"work"', '"fin"']),
    )
    leaves = mostly(compared, st.sampled_from(OTHERS[endpoint]))
    joined = st.builds("{} {} ({})".format, leaves, st.sampled_from(["and", "or"]), compared)
    return mostly(leaves, joined)


def asked_with(filtered: bool) -> st.SearchStrategy[tuple[str, str | None]]:
    """Return an endpoint and a filter for it."""
    endpoints = st.sampled_from(["/Users", "/Groups", ""])
    return endpoints.flatmap(lambda one: st.tuples(st.just(one), filters_of(one) if filtered else st.none()))


searches = asked_with(filtered=True) | asked_with(filtered=True) | asked_with(filtered=False)
pages = some(
    startIndex=st.sampled_from(["-1", "0", "1", "2", "4", "99"]),
    count=st.sampled_from(["-1", "0", "1", "2", "50"]),
)
orders = st.sampled_from([{}, {}, {"sortBy": "userName"}, {"sortBy": "displayName", "sortOrder": "descending"}])


def group_operations(user_ids: list[str]) -> st.SearchStrategy[Document]:
    """Return operations on a group; ``user_ids`` are those of the users there are."""
    known = st.sampled_from(user_ids) if user_ids else st.nothing()
    some_ids = st.lists(known, max_size=3, unique=True) if user_ids else st.just([])
    named = some_ids.map(lambda ids: references(*ids))
    selected = (known | st.just(NOBODY)).map('members[value eq "{}"]'.format)
    own = st.sampled_from(["displayName", "externalId"])
    return st.one_of(
        st.fixed_dictionaries({"op": OPS, "path": st.sampled_from(["members", "Members"]), "value": named}),
        st.fixed_dictionaries({"op": REMOVES, "path": st.just("members"), "value": named}),
        st.fixed_dictionaries({"op": REMOVES, "path": selected}),
        st.fixed_dictionaries({"op": REMOVES, "path": st.just("members") | own}),
        st.fixed_dictionaries({"op": OPS, "path": own, "value": some_name}),
        st.fixed_dictionaries({"op": OPS, "value": some(displayName=some_name, externalId=some_name, members=named)}),
    )
