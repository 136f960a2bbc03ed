"""The rows of the table ``directories``, as organizations, directories and entries of lists. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from scim.adapters.tables.service_time import written_at
from scim.adapters.tables.table import MAX_TEXT_UNITS, Row, Value
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.bearer_token import TokenRecord
from scim.directories.directory import (
    Deletion,
    Directory,
    DirectoryReference,
    Provider,
    Status,
    is_directory_id,
)
from scim.directories.directory_events import DirectoryEvent
from scim.directories.errors import (
    DirectoryBusyError,
    DirectoryNotFoundError,
    InvalidValueError,
    NewerRowsError,
    UnreadableDirectoryError,
)
from scim.directories.mapping_job import MappingJob
from scim.directories.organization import MappingsBy, Organization
from scim.directories.placement import DEFAULT_DATA_ACCOUNT
from scim.directories.row_format import READABLE_FORMATS, FormatUpgrade
from scim.resources.comparison_key import comparison_hash

LIST_PARTITION = "organizations"
MAX_MAPPINGS_UNITS = 8 * MAX_TEXT_UNITS
"""How much of the 1 MiB of a row its mappings may take: half."""
MAX_UNTOLD_UNITS = 4 * MAX_TEXT_UNITS
"""As much waits to be told only while the organization's feed cannot be written; then changes must wait, too."""


HELD = "restoring"
"""The column of a directory's row that says that it is disabled only until all of it is put back from a copy."""
DELETED = "deleted"
"""The status of the row that stays of a deleted directory, which has nothing beside it, and which readers skip."""


def entry_key(directory_id: str) -> str:
    """Return the key of a directory's entry, in the list of all and in that of its organization.

    :raises DirectoryNotFoundError: For what has not the exact form of an id.
    """
    if not is_directory_id(directory_id):
        raise DirectoryNotFoundError(directory_id)
    return f"d|{directory_id}"


def is_there(row: Row | None) -> bool:
    """Tell whether a row is that of a directory, and not what stays of a deleted one."""
    return row is not None and row.values["status"] != DELETED


def is_staying(row: Row | None) -> bool:
    """Tell whether a row is that of a directory that nobody has begun to delete."""
    return row is not None and row.values["status"] not in (DELETED, "deleting")


def external_id_key(external_id: str) -> str:
    """Return the key that claims an external id for one organization."""
    return f"x|{comparison_hash(external_id, case_exact=True)}"


def organization_values(organization: Organization) -> dict[str, Value]:
    """Return the properties of an organization."""
    values: dict[str, Value] = {
        "name": organization.name,
        "created": organization.created.isoformat(),
        "mappings_by": organization.mappings_by,
    }
    if organization.external_id is not None:
        values["external_id"] = organization.external_id
    return values


def organization_of(organization_id: str, values: Mapping[str, Any]) -> Organization:
    """Return the organization of its properties."""
    created = datetime.fromisoformat(values["created"])
    mappings_by = values.get("mappings_by", "administrators")
    if mappings_by not in get_args(MappingsBy):  # of a newer version: the one that permits less
        mappings_by = "application"
    return Organization(organization_id, values["name"], values.get("external_id"), created, mappings_by)


def directory_values(directory: Directory) -> dict[str, Value]:
    """Return the properties of a directory.

    :raises InvalidValueError: When the mappings do not fit.
    :raises DirectoryBusyError: When too much is to be told already.
    """
    untold = _json(event.to_json() for event in directory.untold)
    if len(untold) > MAX_UNTOLD_UNITS:
        raise DirectoryBusyError(directory.id)
    return {
        "organization": directory.organization_id,
        "provider": directory.provider,
        "name": directory.name,
        "status": directory.status,
        "created": directory.created.isoformat(),
        "changed": directory.changed.isoformat(),
        "tokens": _json(token.to_json() for token in directory.tokens),
        **mappings_values(directory.attribute_mappings),
        "mapping_revision": directory.mapping_revision,
        "data_account": directory.data_account,
        "cursor_secret": directory.cursor_secret,
        **_parts("untold", untold),
        "deletion": json.dumps(directory.deletion and directory.deletion.to_json()),
        "mapping_job": json.dumps(directory.mapping_job and directory.mapping_job.to_json()),
        "matching_ready": json.dumps(directory.matching_ready),
        "format": directory.row_format,
        "upgrade": json.dumps(directory.upgrade and directory.upgrade.to_json()),
    }


def changed_values(old: Directory, new: Directory) -> dict[str, Value]:
    """Return the properties in which a directory differs from what it was read as.

    What this version reads as something else, such as a provider that it does not know, stays as it is stored.
    """
    if new.row_format != old.row_format:
        return directory_values(new)
    before = directory_values(old)
    return {name: value for name, value in directory_values(new).items() if before.get(name) != value}


def mappings_values(mappings: Sequence[AttributeMapping]) -> dict[str, Value]:
    """Return the properties that hold mappings. Their JSON is split, since a property holds 32,768 units.

    :raises InvalidValueError: When they do not fit.
    """
    text = _json(mapping.to_json() for mapping in mappings)
    if len(text) > MAX_MAPPINGS_UNITS:
        raise InvalidValueError("attribute_mappings", "are too long together: shorten descriptions, or give fewer")
    return _parts("mappings", text)


def mappings_of(values: Mapping[str, Any]) -> tuple[AttributeMapping, ...]:
    """Return the mappings of their properties; format 0 named the number of their parts otherwise."""
    parts = values.get("mappings_parts", values.get("mapping_parts", 0))
    forms = json.loads(_joined("mappings", {**values, "mappings_parts": parts}))
    return tuple(map(AttributeMapping.stored, forms))


def directory_of(directory_id: str, values: Mapping[str, Any]) -> Directory:
    """Return the directory of its properties; those that came later have a default.

    :raises NewerRowsError: When a newer version wrote it, in a form that this one does not know.
    :raises UnreadableDirectoryError: When it holds what no version writes.
    """
    try:
        _require_readable(directory_id, values)
        return _directory(directory_id, values)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidValueError) as error:
        raise UnreadableDirectoryError(directory_id, error) from error


def _directory(directory_id: str, values: Mapping[str, Any]) -> Directory:
    organization_id = values["organization"]
    deletion, job, upgrade = (json.loads(values.get(name, "null")) for name in ("deletion", "mapping_job", "upgrade"))
    return Directory(
        id=directory_id,
        organization_id=organization_id,
        provider=values["provider"] if values["provider"] in get_args(Provider) else "generic_scim",
        name=values["name"],
        status=values["status"],
        created=datetime.fromisoformat(values["created"]),
        changed=datetime.fromisoformat(values.get("changed", values["created"])),
        tokens=tuple(map(TokenRecord.from_json, json.loads(values.get("tokens", "[]")))),
        attribute_mappings=mappings_of(values),
        mapping_revision=values.get("mapping_revision", 0),
        data_account=values.get("data_account", DEFAULT_DATA_ACCOUNT),
        cursor_secret=values.get("cursor_secret", ""),
        untold=tuple(
            DirectoryEvent.from_json(form, organization_id, directory_id)
            for form in json.loads(_joined("untold", values))
        ),
        deletion=Deletion.from_json(deletion) if deletion else None,
        mapping_job=MappingJob.from_json(job) if job else None,
        matching_ready=tuple(json.loads(values.get("matching_ready", "[]"))),
        row_format=values.get("format", 0),
        upgrade=FormatUpgrade.from_json(upgrade) if upgrade else None,
    )


def _require_readable(directory_id: str, values: Mapping[str, Any]) -> None:
    row_format, status = values.get("format", 0), values["status"]
    if row_format not in READABLE_FORMATS:
        raise NewerRowsError(directory_id, f"format {row_format}", f"formats up to {READABLE_FORMATS[-1]}")
    if status not in get_args(Status):  # whether anybody may act for it cannot be guessed
        raise NewerRowsError(directory_id, f"status {status!r:.40}", "/".join(get_args(Status)))


def reference_values(reference: DirectoryReference) -> dict[str, Value]:
    """Return the properties of an entry in the list of directories."""
    return {
        "organization": reference.organization_id,
        "data_account": reference.data_account,
        "created": reference.created.isoformat(),
        "creating": reference.creating,
    }


def reference_of(row: Row) -> DirectoryReference:
    """Return the entry of its row."""
    values: Mapping[str, Any] = row.values
    return DirectoryReference(
        directory_id=row.key.removeprefix("d|"),
        organization_id=values["organization"],
        data_account=values.get("data_account", DEFAULT_DATA_ACCOUNT),
        created=datetime.fromisoformat(values["created"]),
        creating=values.get("creating", False),
        watched=values.get("watched", False),
        revision=row.etag,
        written_at=written_at(row),
    )


def _parts(name: str, text: str) -> dict[str, Value]:
    """Return ASCII text as properties name0, name1, … and their number, since one holds 32,768 units."""
    parts = [text[start : start + MAX_TEXT_UNITS] for start in range(0, len(text), MAX_TEXT_UNITS)]
    return {f"{name}_parts": len(parts), **{f"{name}{number}": part for number, part in enumerate(parts)}}


def _joined(name: str, values: Mapping[str, Any]) -> str:
    """Return the JSON text of a list; an empty one where there are no such properties."""
    return "".join(values[f"{name}{number}"] for number in range(values.get(f"{name}_parts", 0))) or "[]"


def _json(forms: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps(list(forms), separators=(",", ":"))
