"""The reference: scim2-models' own models of the schemas we announce, under our way of comparing text."""

from __future__ import annotations

from typing import Any

from scim2_models import AttributeBinding, Context, Extension, Resource, Schema, ScimPolicy

from scim.resources.comparison_key import comparison_key
from scim.resources.core_schemas import (
    enterprise_user_schema_document,
    group_schema_document,
    user_schema_document,
)


def _comparison_key(binding: AttributeBinding, text: str) -> str:
    return comparison_key(text, case_exact=binding.case_exact)


POLICY = ScimPolicy(comparison_key=_comparison_key)
GROUP_MODEL: Any = Resource.from_schema(Schema.model_validate(group_schema_document()))
_USER: Any = Resource.from_schema(Schema.model_validate(user_schema_document()))
USER_MODEL: Any = _USER[Extension.from_schema(Schema.model_validate(enterprise_user_schema_document()))]
BOTH_MODELS: Any = USER_MODEL | GROUP_MODEL


def load(document: dict[str, Any]) -> Any:
    """Return the reference's model of a document."""
    model = USER_MODEL if document["meta"]["resourceType"] == "User" else GROUP_MODEL
    return model.model_validate(document)


def as_written(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with every value spelled as the reference writes it."""
    written: dict[str, Any] = load(document).model_dump(scim_ctx=Context.DEFAULT)
    return written
