"""Choosing what an answer shows of a document: ``attributes`` and ``excludedAttributes`` (RFC 7644 §3.9)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scim2_models import InvalidPathException, InvalidValueException

from scim.resources.document_values import Document, parse_attribute_path, quoted
from scim.resources.request_limits import MAX_NAME_LENGTH
from scim.resources.schema import Attribute, ResourceSchema

MAX_NAMES = 200
_LONGEST_LIST = MAX_NAMES * (MAX_NAME_LENGTH + 2)
_ALWAYS: Final = frozenset({"id", "schemas"})


class _Names:
    """The names a client sent, for matching attributes by URN or short name, in any letter case."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(name.lower() for name in names)
        self._sorted = sorted(self.names)
        self._lengths = sorted({len(name) for name in self.names})
        self._dotted = frozenset(name.rpartition(".")[0] for name in self.names)

    def __bool__(self) -> bool:
        return bool(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def name(self, urn: str) -> bool:
        """Whether the very attribute is named."""
        return any(form in self.names for form in _forms(urn))

    def name_or_descend(self, urn: str) -> bool:
        """Whether the attribute or a sub-attribute of it is named."""
        return any(form in self.names or form in self._dotted for form in _forms(urn))

    def reach_into(self, prefix: str) -> bool:
        """Whether a name may be that of a member of an object, declared or not; in an extension any short name may."""
        return bool(self) and (prefix.endswith(":") or any(self._is_above_one(form) for form in _forms(prefix[:-1])))

    def touch(self, urn: str) -> bool:
        """Whether the attribute is named, or something above or below it."""
        return any(form in self.names or self._is_above_one(form) or self._is_below_one(form) for form in _forms(urn))

    def _is_above_one(self, form: str) -> bool:
        """Whether something below an attribute, a schema, or a namespace of URNs is named."""
        return self._is_beginning(f"{form}.") or (":" in form and self._is_beginning(f"{form}:"))

    def _is_beginning(self, text: str) -> bool:
        place = bisect_left(self._sorted, text)
        return place < len(self._sorted) and self._sorted[place].startswith(text)

    def _is_below_one(self, form: str) -> bool:
        """Whether what holds an attribute is named: its complex attribute, its schema, or a namespace of its URN."""
        for length in self._lengths:
            if length >= len(form):
                return False
            if form[length] in ".:" and (part := form[:length]) in self.names and (":" in part or ":" not in form):
                return True
        return False


def _forms(urn: str) -> tuple[str, str]:
    lower = urn.lower()
    return lower, lower.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class _Level:
    """The decisions for the members of one JSON object: of the resource, an extension, or a complex value."""

    prefix: str
    """What makes a member's name its URN."""
    members: Mapping[str, bool | _Level]
    """Whether a declared member is kept, or what is kept of it, by its name."""

    def keeps_any(self, name: str) -> bool:
        decision = self.members.get(name, False)
        return (
            decision if isinstance(decision, bool) else any(decision.keeps_any(member) for member in decision.members)
        )


class Projection:
    """What an answer shows; made by :func:`read_projection`."""

    __slots__ = ("_excluded", "_included", "_levels")

    def __init__(self, included: Iterable[str], excluded: Iterable[str], schemas: Sequence[ResourceSchema]) -> None:
        self._included = _Names(included)
        self._excluded = _Names(excluded)
        self._levels = {schema: self._of_schema(schema) for schema in schemas}

    @property
    def is_default(self) -> bool:
        """Whether the client asked for nothing in particular."""
        return not self._included and not self._excluded

    @property
    def names(self) -> int:
        """How many attributes the client named."""
        return len(self._included) + len(self._excluded)

    @property
    def only_id(self) -> bool:
        """Whether an answer can hold nothing but ``id`` and ``schemas``, as in Entra ID's reference checks."""
        asked = {form for name in self._included.names for form in _forms(name)[1:]}
        return bool(asked) and asked <= _ALWAYS

    @property
    def needs_members(self) -> bool:
        """Whether an answer would hold any of a group's ``members``."""
        return any(level.keeps_any("members") for schema, level in self._levels.items() if schema.name == "Group")

    @property
    def needs_groups(self) -> bool:
        """Whether an answer would hold any of a user's ``groups``."""
        return any(level.keeps_any("groups") for schema, level in self._levels.items() if schema.name == "User")

    def apply(self, schema: ResourceSchema, document: Document) -> dict[str, Any]:
        """Return what an answer shows of a published document; parts are shared with it, not copied.

        ``schemas`` lists the extensions shown. Undeclared attributes are returned by default.
        """
        shown = self._object(self._levels[schema], document)
        if "schemas" in document:
            shown["schemas"] = [
                urn
                for urn in document["schemas"]
                if urn in shown or (urn not in document and schema.extension(urn) is None)
            ]
        return shown

    # -- Decisions ------------------------------------------------------

    def _keeps(self, returned: str, urn: str) -> bool:
        if returned == "always":
            return True
        if returned == "request":
            return self._included.name_or_descend(urn)
        if returned == "never" or self._excluded.name(urn):
            return False
        return not self._included or self._included.touch(urn)

    def _of_schema(self, schema: ResourceSchema) -> _Level:
        members: dict[str, bool | _Level] = dict(self._decisions(f"{schema.urn}:", schema.attributes.values()))
        for extension in schema.extensions.values():
            prefix = f"{extension.urn}:"
            kept = self._keeps("default", extension.urn)
            members[extension.urn] = kept and self._whole(prefix, extension.attributes.values())
        return _Level(f"{schema.urn}:", members)

    def _decisions(self, prefix: str, attributes: Iterable[Attribute]) -> Iterator[tuple[str, bool | _Level]]:
        for attribute in attributes:
            urn = prefix + attribute.name
            kept = self._keeps(attribute.returned, urn)
            if kept and attribute.sub_attributes:
                yield attribute.name, self._whole(f"{urn}.", attribute.sub_attributes.values())
            else:
                yield attribute.name, kept

    def _whole(self, prefix: str, attributes: Iterable[Attribute]) -> bool | _Level:
        """Return True when all of an object is kept, undeclared members too, so that it need not be looked into."""
        members = dict(self._decisions(prefix, attributes))
        everything = all(decision is True for decision in members.values()) and self._keeps("default", f"{prefix}*")
        return True if everything and not self._excluded.reach_into(prefix) else _Level(prefix, members)

    # -- Application ----------------------------------------------------

    def _object(self, level: _Level, value: Mapping[str, Any]) -> dict[str, Any]:
        shown = {}
        for name, item in value.items():
            decision = level.members.get(name)
            if decision is None:
                decision = self._of_undeclared(level, name)
            if isinstance(decision, _Level):
                part = self._part(decision, item)
                if part not in ([], {}):
                    shown[name] = part
            elif decision:
                shown[name] = item
        return shown

    def _of_undeclared(self, level: _Level, name: str) -> bool | _Level:
        is_urn = name.lower().startswith("urn:")
        urn = name if is_urn else level.prefix + name
        return self._keeps("default", urn) and self._whole(f"{urn}:" if is_urn else f"{urn}.", ())

    def _part(self, level: _Level, value: Any) -> Any:
        if isinstance(value, dict):
            return self._object(level, value)
        if isinstance(value, list):
            return [item for item in (self._part(level, item) for item in value) if item != {}]
        return value


# -- Reading ------------------------------------------------------------


def read_projection(
    attributes: str | list[str] | None, excluded: str | list[str] | None, schemas: Sequence[ResourceSchema]
) -> Projection:
    """Return what ``attributes`` and ``excludedAttributes`` ask for; names that no schema declares are ignored.

    :raises InvalidPathException: When an entry is no attribute name; what brackets select cannot be asked for.
    :raises InvalidValueException: When both are given, or too many names.
    """
    included, left_out = _names("attributes", attributes), _names("excludedAttributes", excluded)
    if included and left_out:
        raise InvalidValueException(detail="Send either attributes or excludedAttributes, not both.")
    return Projection(included, left_out, schemas)


def _names(parameter: str, sent: str | list[str] | None) -> list[str]:
    texts = [sent] if isinstance(sent, str) else sent or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidValueException(detail=f'{parameter} must be a list of attribute names, such as ["userName"].')
    if sum(len(text) + 1 for text in texts) > _LONGEST_LIST:
        raise _too_many(parameter)
    names = list(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))
    if len(names) > MAX_NAMES:
        raise _too_many(parameter)
    for name in names:
        _require_name(parameter, name)
    return names


def _too_many(parameter: str) -> InvalidValueException:
    return InvalidValueException(detail=f"{parameter} names more than {MAX_NAMES} attributes; name fewer.")


def _require_name(parameter: str, name: str) -> None:
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidPathException(
            detail=f"{parameter} holds a name of more than {MAX_NAME_LENGTH:,} characters; shorten it."
        )
    if parse_attribute_path(name) is None:
        raise InvalidPathException(
            path=name,
            detail=f"{parameter} holds {quoted(name)}, which is no attribute name; "
            "use names such as userName, name.givenName or emails.",
        )
