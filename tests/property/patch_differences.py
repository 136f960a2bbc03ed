"""Where a PATCH deliberately does something else than scim2-models' PatchOp, and why; a test holds both sides to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scim.resources.schema import ENTERPRISE_URN, USER_URN
from tests.property.documents import Document

MANAGER = f"{ENTERPRISE_URN}:manager"
CUSTOM = "urn:ietf:params:scim:schemas:extension:Acme:2.0:User"
BOSS = {"value": "usr_boss", "$ref": "../Users/usr_boss"}
USER: Document = {
    "schemas": [USER_URN, ENTERPRISE_URN],
    "userName": "anna",
    "title": "Guide",
    "emails": [{"value": "a@x.example", "type": "work", "display": "Anna"}],
    ENTERPRISE_URN: {"manager": BOSS},
}
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Difference:
    """An operation on ``USER`` that we read differently, on purpose; outcomes are the attributes it changes."""

    name: str
    reason: str
    operations: list[Document]
    ours: Any
    reference: Any


ENTRA, RFC, KEPT = "Entra sends it", "RFC", "values come back as they were sent"


def write(path: str | None, value: Any, op: str = "replace") -> list[Document]:
    return [{"op": op, "value": value} if path is None else {"op": op, "path": path, "value": value}]


def managed_by(manager: Any) -> Document:
    return {ENTERPRISE_URN: {"manager": manager} if manager else None}


DIFFERENCES = [
    Difference(
        "a manager is set by a plain id",
        f"{ENTRA}: Add and replace of the manager carry an id as text",
        write(MANAGER, "usr_2"),
        ours=managed_by({"value": "usr_2"}),
        reference=REFUSED,
    ),
    Difference(
        "a manager is set on the short path",
        f"{ENTRA}: path manager, value a list of one",
        write("manager", [{"value": "usr_2"}]),
        ours=managed_by({"value": "usr_2"}),
        reference={},
    ),
    Difference(
        "a manager is removed by empty text",
        f"{ENTRA} to remove a manager",
        write(MANAGER, ""),
        ours=managed_by(None),
        reference=REFUSED,
    ),
    Difference(
        "a manager that loses its value is none any more",
        "Entra's validator clears every optional path; a reference to nobody says nothing",
        [{"op": "remove", "path": f"{MANAGER}.value"}],
        ours=managed_by(None),
        reference=REFUSED,
    ),
    Difference(
        "a $ref leaves with the value it was for",
        "Entra re-sends a manager that does not come back as it was set",
        write(MANAGER, {"value": "usr_2"}),
        ours=managed_by({"value": "usr_2"}),
        reference=managed_by({"value": "usr_2", "$ref": "../Users/usr_boss"}),
    ),
    Difference(
        "an enterprise attribute may go by its short name",
        f"{ENTRA}: department at the top level in Microsoft's guide",
        write(None, {"department": "Sales"}),
        ours={ENTERPRISE_URN: {"manager": BOSS, "department": "Sales"}},
        reference={},
    ),
    Difference(
        "the enterprise extension is known by its misspelt URN",
        f"{ENTRA}: 2.0User in Microsoft's guide",
        write(f"{ENTERPRISE_URN.replace(':User', 'User')}:department", "Sales"),
        ours={ENTERPRISE_URN: {"manager": BOSS, "department": "Sales"}},
        reference={},
    ),
    Difference(
        "a whole extension is removed by null",
        "Entra's validator clears every optional path with null",
        write(ENTERPRISE_URN, None),
        ours=managed_by(None),
        reference=REFUSED,
    ),
    Difference(
        "an undeclared attribute is kept",
        f"{KEPT}, also what no schema declares",
        write("shoeSize", 43),
        ours={"shoeSize": 43},
        reference={},
    ),
    Difference(
        "an undeclared extension is kept",
        f"{KEPT}: Entra does not even list the URN in schemas",
        write(f"{CUSTOM}:tag", "701"),
        ours={CUSTOM: {"tag": "701"}},
        reference={},
    ),
    Difference(
        "an entry of an undeclared list is created",
        f"{KEPT}; an error would lose the other operations of the request",
        write('badges[type eq "door"].value', "77"),
        ours={"badges": [{"type": "door", "value": "77"}]},
        reference={},
    ),
    Difference(
        "an undeclared sub-attribute is kept",
        f"{KEPT}, also what no schema declares",
        write("name.nickName", "Annie"),
        ours={"name": {"nickName": "Annie"}},
        reference={},
    ),
    Difference(
        "clearing what no entry has creates no entry",
        "Entra's validator: replace with null leaves the path empty",
        write('phoneNumbers[type eq "work"].value', None),
        ours={},
        reference={"phoneNumbers": [{"type": "work"}]},
    ),
    Difference(
        "a key of a pathless value may select an entry",
        "with aadOptscim062020 keys are paths; what is sent must not be lost",
        write(None, {'phoneNumbers[type eq "work"].value': "5"}),
        ours={"phoneNumbers": [{"type": "work", "value": "5"}]},
        reference={},
    ),
    Difference(
        "a sub-attribute of a list without entries creates one",
        f"{RFC} 7644 §3.5.2.1: what does not exist is added",
        write("phoneNumbers.value", "5", "add"),
        ours={"phoneNumbers": [{"value": "5"}]},
        reference={},
    ),
    Difference(
        "null adds nothing to a list",
        f"{RFC} 7643 §2.5: null and the empty list mean the same",
        write(None, {"emails": None}, "add"),
        ours={},
        reference={"emails": None},
    ),
    Difference(
        "a list of one is its only item",
        f"{ENTRA} for the manager; nothing else can be meant",
        write("title", ["Chief"]),
        ours={"title": "Chief"},
        reference=REFUSED,
    ),
    Difference(
        "roles given as JSON text are opened",
        f"{ENTRA} for AppRoleAssignmentsComplex",
        write("roles", [{"value": '{"id":"1","value":"Admin","displayName":"Administrator"}'}], "Add"),
        ours={"roles": [{"value": "Admin", "display": "Administrator"}]},
        reference={"roles": [{"value": '{"id":"1","value":"Admin","displayName":"Administrator"}'}]},
    ),
    Difference(
        "null in the value of a remove says nothing",
        f'{ENTRA}: {{"$ref": null, "value": id}}',
        write("emails", [{"display": None, "value": "A@x.example"}], "Remove"),
        ours={"emails": None},
        reference={},
    ),
    Difference(
        "a remove may name an entry by its plain value",
        "nothing else can be meant",
        write("emails", ["a@x.example"], "remove"),
        ours={"emails": None},
        reference=REFUSED,
    ),
    Difference(
        "an entry that loses all it held is gone",
        f"{RFC} 7643 §2.5: an empty value is none",
        [
            {"op": "add", "path": "emails", "value": [{"value": "b@x.example"}]},
            {"op": "remove", "path": "emails.value"},
            {"op": "replace", "path": "emails.display", "value": "Anna B"},
        ],
        ours={"emails": [{"type": "work", "display": "Anna B"}]},
        reference={"emails": [{"type": "work", "display": "Anna B"}, {"display": "Anna B"}]},
    ),
    Difference(
        "an empty list of operations changes nothing",
        f"{ENTRA}: Microsoft's SCIM validator expects success",
        [],
        ours={},
        reference=REFUSED,
    ),
    Difference(
        "an empty userName is refused",
        "a user without a name cannot be matched again",
        write("userName", ""),
        ours=REFUSED,
        reference={"userName": ""},
    ),
    Difference(
        "only true and false are booleans",
        "no provider sends others",
        write("active", "no"),
        ours=REFUSED,
        reference={"active": False},
    ),
    Difference(
        "a sub-attribute of plain text is refused",
        f"{RFC} 7644 §3.5.2: invalidPath; a mapping that goes nowhere should show in the provisioning log",
        write("title.value", "Chief"),
        ours=REFUSED,
        reference={},
    ),
    Difference(
        "a name given twice in different letter case is refused",
        f"{RFC} 7643 §2.1: names have no letter case, so one of the two values would be lost",
        write("name", {"givenName": "A", "GivenName": "B"}),
        ours=REFUSED,
        reference={"name": {"givenName": "B"}},
    ),
    Difference(
        "a password is accepted and not kept",
        "the service signs nobody in",
        write("password", "s3cret"),
        ours={},
        reference={"password": "s3cret"},
    ),
    Difference(
        "schemas is computed, whatever is written there",
        "schemas lists what is present; an error would lose the other operations of the request",
        [{"op": "remove", "path": "schemas"}],
        ours={},
        reference=REFUSED,
    ),
    Difference(
        "a name that is no path is kept as sent",
        f"{KEPT}, also what no schema declares",
        write(None, {"shoe size": 43}),
        ours={"shoe size": 43},
        reference={},
    ),
]
