from __future__ import annotations

import json
import re
from string import ascii_letters

from hypothesis import example, given, settings
from hypothesis import strategies as st
from scim2_models import InvalidFilterException, ScimFilter
from scim2_models.path import FilterNode

from scim.resources.filter import parse_filter

KEYWORDS = ["and", "or", "not", "true", "false", "null", "pr", "eq", "ne", "urn"]
NAMES = st.sampled_from(["userName", "externalId", "displayName", "active", "falsehood", "notnot", *KEYWORDS])
SPACES = st.sampled_from([" ", " ", "  ", "\t", "", "\n"])
TEXTS = st.text() | st.sampled_from(['"', "\\", "\u2028", "\ud800", "\x7f", "a" * 1001])
LITERALS = TEXTS.map(json.dumps) | TEXTS.map('"{}"'.format)


def by_grammar(text: str) -> FilterNode | None:
    """Return what the library reads, but for an escaped half of a surrogate pair, which ours refuses.

    One that is not escaped does not come so far: such a query is refused as it is received.
    """
    try:
        read = ScimFilter(text).ast
    except InvalidFilterException:
        return None
    is_escaped = re.search(r"\\u[dD][89a-fA-F]", text) is not None
    return None if is_escaped and re.search("[\ud800-\udfff]", str(getattr(read, "value", ""))) else read


def as_we_do(text: str) -> FilterNode | None:
    try:
        return parse_filter(text)
    except InvalidFilterException:
        return None


@given(
    NAMES | st.text(ascii_letters, min_size=1, max_size=12),
    st.sampled_from(["eq", "eq", "EQ", "ne"]),
    SPACES,
    SPACES,
    LITERALS,
)
@example("userName", "eq", " ", " ", '"anna@example.com"')
@example("userName", "eq", " ", " ", '""')
@example("userName", "eq", " ", " ", '"\\ud800"')
@example("userName", "eq", " ", " ", '"a" or userName eq "b"')
@settings(deadline=None, max_examples=400)
def test_a_matching_query_means_what_the_grammar_says(
    name: str, operator: str, before: str, after: str, literal: str
) -> None:
    text = f"{name}{before}{operator}{after}{literal}"

    assert as_we_do(text) == by_grammar(text)
