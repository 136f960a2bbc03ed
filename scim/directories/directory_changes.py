"""How a directory changes, and what is to be told of it. Pure, but for the ids of events.

A change and the event that tells of it are one: the event waits in the directory's row until it has been told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from scim.directories.actor import UNKNOWN, Actor
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Deletion, Directory, Status
from scim.directories.directory_events import DirectoryEvent, DirectoryEventType
from scim.directories.mapping_job import MappingJob, matching_paths, next_job

MAX_NAMED = 20
"""How many mappings an event names of those that came, went or changed; all can be read through the API."""


MappingChange = Callable[[Sequence[AttributeMapping]], Sequence[AttributeMapping]]
"""Makes new mappings of those that there are. Pure, since it may be called again."""


@dataclass(frozen=True, slots=True)
class DirectoryChange:
    """What is to change of a directory; None leaves it as it is."""

    actor: Actor
    """Who changes it."""
    name: str | None = None
    status: Status | None = None
    mappings: Sequence[AttributeMapping] | MappingChange | None = None
    """All of them, or what makes them of those that there are."""

    def apply(self, old: Directory, now: datetime, new_id: Callable[[], str]) -> Directory:
        """Return the directory with the change and its events; the very same directory when nothing differs.

        :raises InvalidValueError: When a value is malformed.
        """
        listed = self._mappings(old.attribute_mappings)
        new = replace(
            old,
            name=old.name if self.name is None else self.name.strip(),
            status=self.status or old.status,
            attribute_mappings=listed,
            mapping_revision=old.mapping_revision + (listed != old.attribute_mappings),
        )
        if new == old:
            return old
        if new.mapping_revision != old.mapping_revision:
            new = _with_job(old, new, now, self.actor)
        events = (replace(event, actor=self.actor) for event in _events(old, new, now, new_id))
        return replace(new, changed=now, untold=(*old.untold, *events))

    def _mappings(self, old: tuple[AttributeMapping, ...]) -> tuple[AttributeMapping, ...]:
        if self.mappings is None:
            return old
        return tuple(self.mappings(old) if callable(self.mappings) else self.mappings)


def without_events(directory: Directory, told: Iterable[DirectoryEvent]) -> Directory:
    """Return the directory without what has been told."""
    ids = {event.id for event in told}
    kept = tuple(event for event in directory.untold if event.id not in ids)
    return directory if kept == directory.untold else replace(directory, untold=kept)


def created_event(directory: Directory, event_id: str, actor: Actor) -> DirectoryEvent:
    """Return the event of a new directory."""
    return _event(directory, "directory.created", directory.created, event_id, actor=actor)


def _with_job(old: Directory, new: Directory, now: datetime, actor: Actor) -> Directory:
    before, after = old.attribute_mappings, new.attribute_mappings
    ready = tuple(path for path in old.matching_ready if path in matching_paths(after))
    job = next_job(old.mapping_job, old.mapping_revision, before, after, now)
    if job is not None and job is not old.mapping_job:
        job = replace(job, actor=actor)
    return replace(new, mapping_job=job, matching_ready=ready)


def note_examined(directory: Directory, job: MappingJob) -> Directory:
    """Return the directory with a job as far as it has come, unless other mappings have taken its place."""
    current = directory.mapping_job
    if current is None or current.revision != job.revision or job.after <= current.after:
        return directory
    return replace(directory, mapping_job=job)


def end_job(directory: Directory, job: MappingJob) -> Directory:
    """Return the directory with a job at its end, unless other mappings have taken its place."""
    if directory.mapping_job is None or directory.mapping_job.revision != job.revision:
        return directory
    ready = tuple(sorted(matching_paths(directory.attribute_mappings)))
    return replace(directory, mapping_job=None, matching_ready=ready)


def begin_deletion(directory: Directory, now: datetime, actor: Actor) -> Directory:
    """Return the directory as one that is being deleted; doing it again changes nothing."""
    if directory.deletion is not None:
        return directory
    return replace(directory, status="deleting", changed=now, deletion=Deletion(now, actor=actor))


def note_removed(directory: Directory, rows: int) -> Directory:
    """Return the directory with so many more rows removed."""
    if directory.deletion is None:
        return directory
    return replace(directory, deletion=replace(directory.deletion, removed=directory.deletion.removed + rows))


def deleted_event(directory: Directory, now: datetime) -> DirectoryEvent:
    """Return the event of the end of a directory; its id depends on the directory alone."""
    event_id = sha256(f"{directory.id}|deleted".encode()).hexdigest()[:32]
    actor = directory.deletion.actor if directory.deletion else UNKNOWN
    return _event(directory, "directory.deleted", now, event_id, actor=actor)


def _events(old: Directory, new: Directory, now: datetime, new_id: Callable[[], str]) -> Iterable[DirectoryEvent]:
    if new.name != old.name:
        yield _event(new, "directory.updated", now, new_id(), previous_attributes={"name": old.name})
    if new.status != old.status:
        kind: DirectoryEventType = "directory.enabled" if new.status == "active" else "directory.disabled"
        yield _event(new, kind, now, new_id())
    if new.mapping_revision != old.mapping_revision:
        data = {"attribute_mappings": _difference(old.attribute_mappings, new.attribute_mappings)}
        data["attribute_mappings"]["revision"] = new.mapping_revision
        yield replace(_event(new, "directory.attribute_mappings_changed", now, new_id()), data=data)


def _event(directory: Directory, kind: DirectoryEventType, now: datetime, event_id: str, **more: Any) -> DirectoryEvent:
    told = {"id": directory.id, "name": directory.name, "provider": directory.provider, "status": directory.status}
    if kind == "directory.deleted":
        told["status"] = "deleted"
    return DirectoryEvent(event_id, kind, directory.organization_id, directory.id, now, {"directory": told}, **more)


def _difference(old: Sequence[AttributeMapping], new: Sequence[AttributeMapping]) -> dict[str, Any]:
    before, after = _by_name(old), _by_name(new)
    return {
        "added": sorted(name for name in after if name not in before)[:MAX_NAMED],
        "removed": sorted(name for name in before if name not in after)[:MAX_NAMED],
        "changed": sorted(name for name in after if name in before and after[name] != before[name])[:MAX_NAMED],
    }


def _by_name(mappings: Sequence[AttributeMapping]) -> Mapping[str, Sequence[AttributeMapping]]:
    """Return mappings by name; one of users and one of groups may share it."""
    named: dict[str, list[AttributeMapping]] = {}
    for mapping in mappings:
        named.setdefault(mapping.name, []).append(mapping)
    return named
