"""Which lookup rows answer a filter. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scim2_models.path import AttrPath, CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator, ValuePath

from scim.adapters.tables.mapped_attributes import attribute_name
from scim.resources.document_values import resolve_attribute
from scim.resources.schema import ResourceSchema

LookupKind = Literal[
    "id", "user_name", "group_name", "external_id", "work_email", "leading_email", "matching", "member", "group"
]
_CHEAPEST_FIRST: tuple[LookupKind, ...] = (
    "id",
    "user_name",
    "group_name",
    "external_id",
    "work_email",
    "leading_email",
    "matching",
    "member",
    "group",
)
_USER_LOOKUPS: dict[str, LookupKind] = {
    "id": "id",
    "username": "user_name",
    "externalid": "external_id",
    "groups": "group",
    "groups.value": "group",
}
_GROUP_LOOKUPS: dict[str, LookupKind] = {
    "id": "id",
    "displayname": "group_name",
    "externalid": "external_id",
    "members": "member",
    "members.value": "member",
}


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup: resources with this value."""

    kind: LookupKind
    value: str
    attribute: str = ""
    """Of a matching attribute: its name."""


def plan_lookups(
    node: FilterNode, schema: ResourceSchema, searchable: frozenset[str] = frozenset()
) -> tuple[Lookup, ...] | None:
    """Return lookups whose results together hold every match of a filter, or None when only a scan does.

    A lookup ``and`` anything is a lookup; lookups joined by ``or`` are their union. Entra's matching queries
    (userName, externalId, work e-mail, displayName) and reference checks (id and members) all have one.

    :param searchable: The attributes with lookup rows of the directory's own, by name.
    """
    if isinstance(node, LogicalExpr):
        plans = [plan_lookups(term, schema, searchable) for term in node.terms]
        return _cheapest(plans) if node.op is LogicalOperator.and_ else _union(plans)
    if isinstance(node, Comparison):
        return _of_comparison(node, schema, searchable)
    return _of_value_path(node) if isinstance(node, ValuePath) else None


def _cheapest(plans: list[tuple[Lookup, ...] | None]) -> tuple[Lookup, ...] | None:
    known = [plan for plan in plans if plan is not None]
    return min(known, key=_cost, default=None)


def _cost(plan: tuple[Lookup, ...]) -> tuple[int, int]:
    return max((_CHEAPEST_FIRST.index(lookup.kind) for lookup in plan), default=0), len(plan)


def _union(plans: list[tuple[Lookup, ...] | None]) -> tuple[Lookup, ...] | None:
    union: dict[Lookup, None] = {}
    for plan in plans:
        if plan is None:
            return None
        union |= dict.fromkeys(plan)
    return tuple(union)


def _of_comparison(node: Comparison, schema: ResourceSchema, searchable: frozenset[str]) -> tuple[Lookup, ...] | None:
    if node.op is not CompareOperator.eq or not isinstance(node.value, str):
        return None
    kinds = _USER_LOOKUPS if schema.name == "User" else _GROUP_LOOKUPS
    kind = kinds.get(_name(node.attr_path)) if _is_core(node.attr_path, schema) else None
    if kind is not None:
        return (Lookup(kind, node.value),)
    resolved = resolve_attribute(schema, node.attr_path) if searchable and schema.name == "User" else None
    name = attribute_name(resolved) if resolved else ""
    return (Lookup("matching", node.value, name),) if name in searchable else None


def _is_core(path: AttrPath, schema: ResourceSchema) -> bool:
    return path.uri is None or path.uri.lower() == schema.urn.lower()


def _name(path: AttrPath) -> str:
    return f"{path.attr}.{path.sub_attr}".lower() if path.sub_attr else path.attr.lower()


def _of_value_path(node: ValuePath) -> tuple[Lookup, ...] | None:
    """Return the lookup of ``emails[type eq "work" and value eq "x"]`` or ``members[value eq "id"]``."""
    inner = node.val_filter
    terms = inner.terms if isinstance(inner, LogicalExpr) and inner.op is LogicalOperator.and_ else (inner,)
    equal = {
        _name(term.attr_path): term.value
        for term in terms
        if isinstance(term, Comparison) and term.op is CompareOperator.eq and isinstance(term.value, str)
    }
    attribute, value = _name(node.attr_path), equal.get("value")
    if value is None:
        return None
    if attribute == "emails" and equal.get("type", "").lower() == "work":
        return (Lookup("work_email", value),)
    if attribute in ("members", "groups"):
        return (Lookup("member" if attribute == "members" else "group", value),)
    return None


def compared_references(node: FilterNode, attribute: Literal["members", "groups"]) -> frozenset[str] | None:
    """Return the ids that a filter compares members (or a user's groups) with; None when it asks for more than that.

    Memberships are rows of their own: a filter can ask whether an id is among them, not search through them.
    """
    if isinstance(node, LogicalExpr):
        parts = [compared_references(term, attribute) for term in node.terms]
        return None if None in parts else frozenset[str]().union(*(part for part in parts if part))
    inner = getattr(node, "expr", None)
    if inner is not None:
        return compared_references(inner, attribute)
    path = getattr(node, "attr_path", None)
    if path is None or path.attr.lower() != attribute:
        return frozenset()
    if isinstance(node, ValuePath):
        return _compared_values(node.val_filter)
    return _compared_value(node) if path.sub_attr is None or path.sub_attr.lower() == "value" else None


def _compared_values(node: FilterNode) -> frozenset[str] | None:
    terms = node.terms if isinstance(node, LogicalExpr) else (node,)
    values = [
        _compared_value(term) if isinstance(term, Comparison) and _name(term.attr_path) == "value" else None
        for term in terms
    ]
    return None if None in values else frozenset[str]().union(*(value for value in values if value))


def _compared_value(node: FilterNode) -> frozenset[str] | None:
    equality = (CompareOperator.eq, CompareOperator.ne)
    if isinstance(node, Comparison) and node.op in equality and isinstance(node.value, str):
        return frozenset([node.value])
    return None
