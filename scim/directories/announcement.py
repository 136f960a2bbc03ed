"""Tells the organization's feed what a directory's row has to tell."""

from __future__ import annotations

import logging

from scim.directories.directory import Directory
from scim.directories.directory_changes import without_events
from scim.directories.interfaces import DirectoryStore
from scim.directories.organization_events import OrganizationEvents, note_event

_log = logging.getLogger("scim.directories")


async def announce(directory: Directory, store: DirectoryStore, events: OrganizationEvents) -> Directory:
    """Return the directory with everything told that its row has to tell; what cannot be told now, the sweep will.

    Costs nothing when nothing is to tell; else two storage requests, and two more for each event.
    """
    told = directory.untold
    if not told:
        return directory
    for event in told:
        note_event(event)
    try:
        for event in told:
            await events.tell(event)
        return await store.update_directory(directory.id, lambda old: without_events(old, told))
    except Exception:  # noqa: BLE001 - the change itself has taken place, and the sweep tells what is left
        _log.exception("events of directory %s were not told; the sweep repeats it", directory.id)
        return directory
