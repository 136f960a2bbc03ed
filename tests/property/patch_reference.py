"""One PATCH applied twice: by the service's own code to JSON, and by scim2-models to its model."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from scim2_models import Context, PatchOp, SCIMException, ScimPolicy

from scim.provisioning.document_patch import DocumentPatch
from scim.provisioning.document_reader import require_complete
from scim.provisioning.documents import attributes_of, complete_document, same_document
from scim.provisioning.membership_patch import split_members
from scim.provisioning.patch_request import PATCH_URN, read_patch
from tests.builders import group_schema, user_schema
from tests.property.documents import Document
from tests.property.reference import GROUP_MODEL, POLICY, USER_MODEL

TOLERANT = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
    comparison_key=POLICY.comparison_key,
)
USER, GROUP = user_schema(), group_schema()
_COMPUTED = frozenset({"schemas", "id", "meta"})


@dataclass(frozen=True, slots=True)
class Patched:
    """What a PATCH made of a resource: its attributes, and whether that is another state than before."""

    attributes: Document
    changed: bool


Outcome = Patched | None
"""None stands for a refusal with 400."""


def message(operations: Sequence[Document]) -> Document:
    return {"schemas": [PATCH_URN], "Operations": deepcopy(list(operations))}


def our_outcome(document: Document, operations: Sequence[Document]) -> Outcome:
    before = _attributes(document)
    after = deepcopy(before)
    try:
        patch = DocumentPatch(after)
        for operation in read_patch(message(operations), USER):
            patch.apply(operation)
        patch.finish()
        after = patch.document
        require_complete(after, USER, before.get("userName"))
    except SCIMException as error:
        _require_refusal(error)
        return None
    return Patched(_attributes(complete_document(after, "usr_1", USER)), not same_document(before, after))


def reference_outcome(document: Document, operations: Sequence[Document]) -> Outcome:
    with TOLERANT:
        try:
            user = USER_MODEL.model_validate(attributes_of(document) | {"schemas": document["schemas"]})
            before = _attributes(user.model_dump(scim_ctx=Context.DEFAULT))
            _read(USER_MODEL, operations).patch(user)
        except (SCIMException, ValidationError):
            return None
        after = _attributes(user.model_dump(scim_ctx=Context.DEFAULT))
        return Patched(after, not same_document(before, after))


def as_reference_writes(outcome: Outcome) -> Outcome:
    """Return an outcome with every value spelled as the reference writes it."""
    if outcome is None:
        return None
    with TOLERANT:
        user = USER_MODEL.model_validate({"schemas": [USER.urn], **outcome.attributes})
        return Patched(_attributes(user.model_dump(scim_ctx=Context.DEFAULT)), outcome.changed)


def _require_refusal(error: SCIMException) -> None:
    assert error.status == 400


def our_members(members: Sequence[str], operations: Sequence[Document]) -> set[str] | None:
    """Return the members of a group after a PATCH, or None when it is refused."""
    try:
        change, _ = split_members(read_patch(message(operations), GROUP))
    except SCIMException as error:
        _require_refusal(error)
        return None
    kept = set() if change.replace_all else set(members) - set(change.removed)
    return kept | {member.id for member in change.added}


def reference_members(members: Sequence[str], operations: Sequence[Document]) -> set[str] | None:
    with TOLERANT:
        group = GROUP_MODEL.model_validate(
            {"schemas": [GROUP.urn], "displayName": "Team", "members": [{"value": member} for member in members]}
        )
        try:
            _read(GROUP_MODEL, operations).patch(group)
        except (SCIMException, ValidationError):
            return None
    return {member.value for member in group.members or ()}


def _read(model: Any, operations: Sequence[Document]) -> Any:
    return PatchOp[model].model_validate(message(operations), scim_ctx=Context.RESOURCE_PATCH_REQUEST)


def _attributes(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in _COMPUTED}
