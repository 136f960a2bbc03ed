"""Names of custom attributes: the URN to paste, and what is wrong with the name of a source attribute. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scim.directories.attribute_mapping import AttributeMapping

ENTERPRISE_PREFIX = "urn:ietf:params:scim:schemas:extension:enterprise:"
_EXTENSION_PREFIX = "urn:ietf:params:scim:schemas:extension:"
_SOURCE = re.compile(r"extension_(?P<app>[0-9a-f-]+)_(?P<name>\w+)", re.IGNORECASE | re.ASCII)
_APP_ID_DIGITS = 32
LONGEST_SOURCE = 300


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What is to be said of a source attribute."""

    right: bool
    sentence: str
    suggestion: str = ""
    """What was probably meant."""


def custom_urns(mappings: Sequence[AttributeMapping], application: str) -> list[str]:
    """Return the full names of the custom attributes that are mapped, or one as an example where none is."""
    mapped = [
        each.path
        for each in mappings
        if each.path.startswith(_EXTENSION_PREFIX) and not each.path.startswith(ENTERPRISE_PREFIX)
    ]
    return mapped or [f"{_EXTENSION_PREFIX}{_identifier(application)}:2.0:User:costCode"]


def _identifier(text: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word[0].upper() + word[1:] for word in words) or "Application"


def check_source(text: str) -> SourceCheck:
    """Return what is wrong with the name of a directory extension's attribute in Entra ID, or that nothing is."""
    text = text.strip()
    match = _SOURCE.fullmatch(text)
    if match is None:
        return SourceCheck(
            right=False,
            sentence="This is no name of an extension attribute. It has three parts with _ between them: "
            "extension, the id of the app that owns it, the attribute's name.",
        )
    digits = match["app"].replace("-", "").lower()
    suggestion = f"extension_{digits}_{match['name']}"
    if len(digits) != _APP_ID_DIGITS:
        return SourceCheck(
            right=False, sentence=f"The id of an app has 32 digits, and this one has {len(digits)}: copy it again."
        )
    if "-" in match["app"]:
        return SourceCheck(right=False, sentence="Write the id without hyphens.", suggestion=suggestion)
    if not text.startswith(f"extension_{digits}"):
        return SourceCheck(
            right=False, sentence="Entra ID tells letter case apart: write it in small letters.", suggestion=suggestion
        )
    return SourceCheck(right=True, sentence="This is the form that Entra ID uses.")
