"""Where new directories are placed."""

from __future__ import annotations

from collections import Counter

from scim.directories.placement import DEFAULT_DATA_ACCOUNT, place
from scim.resources.identifiers import uuid7_hex

ACCOUNTS = (DEFAULT_DATA_ACCOUNT, "d2", "d3")


def test_an_id_has_the_same_place_whenever_it_is_asked() -> None:
    assert place("dir_0192f0c10192f0c10192f0c10192f0c1", ACCOUNTS) == DEFAULT_DATA_ACCOUNT
    assert place("dir_0192f0c10192f0c10192f0c10192f0c1", ("d2",)) == "d2"


def test_ids_that_follow_each_other_are_spread_evenly() -> None:
    placed = Counter(place(f"dir_{uuid7_hex()}", ACCOUNTS) for _ in range(3000))

    assert set(placed) == set(ACCOUNTS)
    assert min(placed.values()) > 850
