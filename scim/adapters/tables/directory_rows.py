"""The rows of the table ``directories``, as organizations, directories and entries of lists. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from scim.adapters.tables.service_time import written_at
from scim.adapters.tables.table import MAX_TEXT_UNITS, Row, Value
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.bearer_token import TokenRecord
from scim.directories.directory import Deletion, Directory, DirectoryReference, is_directory_id
from scim.directories.directory_events import DirectoryEvent
from scim.directories.errors import DirectoryBusyError, DirectoryNotFoundError, InvalidValueError
from scim.directories.mapping_job import MappingJob
from scim.directories.organization import Organization
from scim.resources.comparison_key import comparison_hash

LIST_PARTITION = "organizations"
MAX_MAPPINGS_UNITS = 8 * MAX_TEXT_UNITS
"""How much of the 1 MiB of a row its mappings may take: half."""
MAX_UNTOLD_UNITS = 4 * MAX_TEXT_UNITS
"""As much waits to be told only while the organization's feed cannot be written; then changes must wait, too."""


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
    }


def mappings_values(mappings: Sequence[AttributeMapping]) -> dict[str, Value]:
    """Return the properties that hold mappings. Their JSON is split, since a property holds 32,768 units.

    :raises InvalidValueError: When they do not fit.
    """
    text = _json(mapping.to_json() for mapping in mappings)
    if len(text) > MAX_MAPPINGS_UNITS:
        raise InvalidValueError("attribute_mappings", "are too long together: shorten descriptions, or give fewer")
    return _parts("mappings", text)


def mappings_of(values: Mapping[str, Any]) -> tuple[AttributeMapping, ...]:
    """Return the mappings of their properties."""
    return tuple(map(AttributeMapping.from_json, json.loads(_joined("mappings", values))))


def directory_of(directory_id: str, values: Mapping[str, Any]) -> Directory:
    """Return the directory of its properties."""
    organization_id = values["organization"]
    deletion, job = json.loads(values["deletion"]), json.loads(values["mapping_job"])
    return Directory(
        id=directory_id,
        organization_id=organization_id,
        provider=values["provider"],
        name=values["name"],
        status=values["status"],
        created=datetime.fromisoformat(values["created"]),
        changed=datetime.fromisoformat(values["changed"]),
        tokens=tuple(map(TokenRecord.from_json, json.loads(values["tokens"]))),
        attribute_mappings=mappings_of(values),
        mapping_revision=values["mapping_revision"],
        data_account=values["data_account"],
        cursor_secret=values["cursor_secret"],
        untold=tuple(
            DirectoryEvent.from_json(form, organization_id, directory_id)
            for form in json.loads(_joined("untold", values))
        ),
        deletion=Deletion.from_json(deletion) if deletion else None,
        mapping_job=MappingJob.from_json(job) if job else None,
        matching_ready=tuple(json.loads(values["matching_ready"])),
    )


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
        data_account=values["data_account"],
        created=datetime.fromisoformat(values["created"]),
        creating=values["creating"],
        watched=values.get("watched", False),
        revision=row.etag,
        written_at=written_at(row),
    )


def _parts(name: str, text: str) -> dict[str, Value]:
    """Return ASCII text as properties name0, name1, … and their number, since one holds 32,768 units."""
    parts = [text[start : start + MAX_TEXT_UNITS] for start in range(0, len(text), MAX_TEXT_UNITS)]
    return {f"{name}_parts": len(parts), **{f"{name}{number}": part for number, part in enumerate(parts)}}


def _joined(name: str, values: Mapping[str, Any]) -> str:
    return "".join(values[f"{name}{number}"] for number in range(values[f"{name}_parts"]))


def _json(forms: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps(list(forms), separators=(",", ":"))
