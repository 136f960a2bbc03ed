"""The member changes of a group PATCH, apart from its other operations. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
    change, others = _GrowingChange(), []
    for operation in operations:
        if operation.path.urn is None and operation.path.key == "members":
            change.follow(operation)
        else:
            others.append(operation)
    return MembershipChange(change.members, change.replace_all), others


@dataclass(slots=True)
class _GrowingChange:
    """What the operations so far do; each adds to it in place, so that many of them cost no copies."""

    members: dict[str, Member | None] = field(default_factory=dict)
    replace_all: bool = False

    def follow(self, operation: PatchOperation) -> None:
        path, value = operation.path, operation.value
        if path.sub is not None:
            raise MutabilityException(detail=f"{path.text} cannot be changed; remove the member and add it again.")
        if path.value_filter is not None:
            for member_id in _selected_ids(path.value_filter):
                self.members[member_id] = None if operation.op == "remove" else Member(member_id)
        elif operation.op == "remove" and value in (None, ""):
            self.members, self.replace_all = {}, True
        elif operation.op == "remove":
            self.members.update(dict.fromkeys(member.id for member in read_members(value)))
        else:
            self._add(read_members(value), others_leave=operation.op == "replace")

    def _add(self, members: Iterable[Member], *, others_leave: bool) -> None:
        if others_leave:
            self.members, self.replace_all = {}, True
        self.members.update({member.id: member for member in members})


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
