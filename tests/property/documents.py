"""Random users and groups, as published. Made from a seed, since building them piece by piece takes 40 ms each."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from hypothesis import strategies as st

from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.property.reference import as_written

Document = dict[str, Any]
Maker = Callable[[Random], Any]

WORDS = ["a", "A", "ab", "aBc", "b", "work", "WORK", "straße", "STRASSE", "é", "e\u0301", "ﬁ", "%_\\\"'", "Ω😀"]
URLS = ["https://example.com/a", "https://example.com/A", "urn:x:a"]


def text(random: Random) -> str:
    if random.random() < 0.9:
        return random.choice(WORDS)
    return "".join(chr(random.choice([random.randrange(1, 0x250), random.randrange(0x1E00, 0x2200)])) for _ in range(3))


def boolean(random: Random) -> bool:
    return random.random() < 0.5


def url(random: Random) -> str:
    return random.choice(URLS)


def octets(random: Random) -> str:
    return base64.b64encode(bytes([random.randrange(2), random.randrange(2)])).decode()


def date(random: Random) -> str:
    zone = random.choice([UTC, timezone(timedelta(minutes=random.randrange(-14 * 60, 14 * 60)))])
    moment = datetime(2020, 1, 1, tzinfo=zone) + timedelta(hours=random.randrange(48), milliseconds=random.randrange(2))
    return moment.isoformat()


def some(**makers: Maker) -> Maker:
    """Return a maker of objects that lack some members; ``ref`` stands for ``$ref``."""
    named = {"$ref" if name == "ref" else name: maker for name, maker in makers.items()}
    return lambda random: {name: maker(random) for name, maker in named.items() if random.random() < 0.7}


def entries(**makers: Maker) -> Maker:
    """Return a maker of lists of objects, of which at most one is primary."""
    entry = some(**makers)

    def make(random: Random) -> list[Document]:
        made = [entry(random) for _ in range(random.randrange(4))]
        for later in [entry for entry in made if entry.get("primary")][1:]:
            later["primary"] = False
        return made

    return make


def _meta(resource_type: str) -> Maker:
    optional = some(lastModified=date, version=text, location=url)
    return lambda random: {"resourceType": resource_type, "created": date(random), **optional(random)}


_typed = entries(value=text, type=text, display=text, primary=boolean)
_enterprise = some(department=text, employeeNumber=text, manager=some(value=text, ref=url, displayName=text))
_user = some(
    externalId=text,
    name=some(familyName=text, givenName=text, formatted=text),
    displayName=text,
    title=text,
    profileUrl=url,
    active=boolean,
    emails=_typed,
    phoneNumbers=_typed,
    roles=_typed,
    addresses=entries(locality=text, type=text, primary=boolean),
    x509Certificates=entries(value=octets, type=text),
    groups=entries(value=text, ref=url, display=text),
)
_group = some(externalId=text, members=entries(value=text, ref=url, type=text, display=text))


def make_user(seed: int) -> Document:
    random = Random(seed)
    document = {"schemas": [USER_URN], "id": text(random), "userName": text(random), "meta": _meta("User")(random)}
    return as_written(document | _user(random) | {ENTERPRISE_URN: _enterprise(random)})


def make_group(seed: int) -> Document:
    random = Random(seed)
    document = {"schemas": [GROUP_URN], "id": text(random), "displayName": text(random), "meta": _meta("Group")(random)}
    return as_written(document | _group(random))


_seeds = st.integers(0, 2**32)
users = _seeds.map(make_user)
groups = _seeds.map(make_group)
