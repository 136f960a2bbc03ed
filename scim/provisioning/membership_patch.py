"""The member changes of a group PATCH, apart from its other operations. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scim2_models import InvalidFilterException, InvalidValueException, MutabilityException
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from scim.provisioning.document_patch import PatchOperation
from scim.resources.membership import Member, MembershipChange


def split_members(operations: Iterable[PatchOperation]) -> tuple[MembershipChange, list[PatchOperation]]:
    """Return what the operations do to the members, taken together in their order, and the other operations.

    Understands both of Entra's forms: ``Remove members`` with a list of values and ``remove members[value eq "id"]``.

    :raises InvalidValueException: When a member has no id.
    """
    change, others = MembershipChange(), []
    for operation in operations:
        if operation.path.urn is None and operation.path.key == "members":
            change = _after(change, operation)
        else:
            others.append(operation)
    return change, others


def _after(change: MembershipChange, operation: PatchOperation) -> MembershipChange:
    path, value = operation.path, operation.value
    if path.sub is not None:
        raise MutabilityException(detail=f"{path.text} cannot be changed; remove the member and add it again.")
    if path.value_filter is not None:
        selected = _selected_ids(path.value_filter)
        made = {member_id: None if operation.op == "remove" else Member(member_id) for member_id in selected}
        return MembershipChange({**change.members, **made}, change.replace_all)
    if operation.op == "remove":
        if value in (None, ""):
            return MembershipChange({}, replace_all=True)
        removed = {member.id: None for member in read_members(value)}
        return MembershipChange({**change.members, **removed}, change.replace_all)
    added = {member.id: member for member in read_members(value)}
    if operation.op == "replace":
        return MembershipChange(added, replace_all=True)
    return MembershipChange({**change.members, **added}, change.replace_all)


def read_members(value: Any) -> list[Member]:
    """Return the members a value names: a list of ``{"value": id}`` objects, one object, or plain ids.

    :raises InvalidValueException: When one has no id.
    """
    if value in (None, ""):
        return []
    return [_read_member(item) for item in (value if isinstance(value, list) else [value])]


def _read_member(item: Any) -> Member:
    named = {str(name).lower(): part for name, part in item.items()} if isinstance(item, Mapping) else {"value": item}
    member_id, display = named.get("value"), named.get("display")
    if not isinstance(member_id, str) or not member_id:
        raise InvalidValueException(detail='Each member needs the id of a user or group as its "value".')
    return Member(member_id, display if isinstance(display, str) and display else None)


def _selected_ids(node: FilterNode) -> list[str]:
    """Return the ids of ``value eq "a" or value eq "b"``; other selections would have to read every member."""
    terms = node.terms if isinstance(node, LogicalExpr) and node.op is LogicalOperator.or_ else (node,)
    ids = []
    for term in terms:
        if (
            not isinstance(term, Comparison)
            or term.op is not CompareOperator.eq
            or term.attr_path.attr.lower() != "value"
        ):
            raise InvalidFilterException(detail='Members are selected by id: members[value eq "id"].')
        ids.append(str(term.value))
    return ids
