"""Which SCIM attribute becomes which named attribute of the application."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from scim.directories.errors import InvalidValueError
from scim.directories.organization import check_text

MappingType = Literal["string", "boolean", "integer", "decimal", "dateTime", "reference"]
MappedResource = Literal["User", "Group"]

MAX_NAME_LENGTH = 100
MAX_PATH_LENGTH = 500
MAX_DESCRIPTION_LENGTH = 500

_ATTRIBUTE = r"[A-Za-z][0-9A-Za-z_-]*"
_PATH = re.compile(
    r"(?:(?P<urn>urn:ietf:params:scim:schemas:(?P<kind>core|extension:[0-9A-Za-z_-]+):2\.0:(?P<resource>User|Group)):)?"
    rf"(?P<attribute>{_ATTRIBUTE}(?:\[[^\[\]]+\])?(?:\.(?:{_ATTRIBUTE}|\$ref))?)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """One attribute of the application: its name there, where SCIM carries it, and its type.

    :raises InvalidValueError: When a field is malformed. Whether a core path exists is not looked at here.
    """

    name: str
    path: str
    """A core path such as ``emails[type eq "work"].value``, or a URN and a path such as
    ``urn:ietf:params:scim:schemas:extension:Acme:2.0:User:costCenter``."""
    type: MappingType = "string"
    multi_valued: bool = False
    required: bool = False
    """Whether its absence is reported; never enforced."""
    matching: bool = False
    """Whether filters on it are answered by a lookup row."""
    description: str = ""
    resource: MappedResource = "User"

    def __post_init__(self) -> None:
        """Refuse what is malformed."""
        check_text("name", self.name, MAX_NAME_LENGTH)
        _check_choice("type", self.type, get_args(MappingType))
        _check_choice("resource", self.resource, get_args(MappedResource))
        if len(self.description) > MAX_DESCRIPTION_LENGTH:
            raise InvalidValueError("description", f"give at most {MAX_DESCRIPTION_LENGTH} characters")
        if _parse(self.path, self.resource) is None:
            raise InvalidValueError("path", _PATH_RULE.format(resource=self.resource))

    @property
    def extension_urn(self) -> str | None:
        """Return the URN of the extension that holds the attribute, as written, or None for a core attribute."""
        match = _PATH.fullmatch(self.path)
        return match["urn"] if match and match["urn"] and match["kind"].lower() != "core" else None

    @property
    def attribute(self) -> str:
        """Return the path within the core schema or the extension: ``costCenter``, ``name.givenName``."""
        match = _PATH.fullmatch(self.path)
        return match["attribute"] if match else self.path

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> AttributeMapping:
        """Return the mapping of a JSON form, as :meth:`to_json` gives it or a caller writes it.

        :raises InvalidValueError: When a field is absent, unknown or malformed.
        """
        for field, value in form.items():
            _check_type(field, value)
        for field in ("name", "path"):
            if field not in form:
                raise InvalidValueError(field, "is required")
        return cls(**form)

    @classmethod
    def stored(cls, form: Mapping[str, Any]) -> AttributeMapping:
        """Return the mapping of the JSON form that a row holds, whichever version wrote it.

        Fields of a newer version are passed over, and a type that only that one knows is read as text.
        """
        known = {name: value for name, value in form.items() if name in _FIELD_TYPES}
        if known.get("type", "string") not in get_args(MappingType):
            known["type"] = "string"
        return cls(**known)


_PATH_RULE = (
    'give a core attribute such as userName, name.givenName or emails[type eq "work"].value, or '
    "urn:ietf:params:scim:schemas:extension:{{Name}}:2.0:{resource}:{{attribute}}"
)
_FIELD_TYPES: Mapping[str, type] = {
    "name": str,
    "path": str,
    "type": str,
    "multi_valued": bool,
    "required": bool,
    "matching": bool,
    "description": str,
    "resource": str,
}


def _parse(path: str, resource: str) -> re.Match[str] | None:
    if len(path) > MAX_PATH_LENGTH:
        return None
    match = _PATH.fullmatch(path)
    if match is not None and match["resource"] is not None and match["resource"].lower() != resource.lower():
        return None
    return match


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidValueError(field, f"give one of {', '.join(choices)}")


def _check_type(field: str, value: Any) -> None:
    expected = _FIELD_TYPES.get(field)
    if expected is None:
        raise InvalidValueError(field, f"is not a field of a mapping, which has {', '.join(_FIELD_TYPES)}")
    if not isinstance(value, expected):
        raise InvalidValueError(field, f"give a {'text' if expected is str else 'boolean'}")
