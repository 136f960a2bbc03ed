"""Bringing the rows of directories to the newest format, while the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from scim.composition import Application
from scim.directories.directory import Directory
from scim.directories.errors import DirectoryNotFoundError, NewerRowsError
from scim.maintenance.progress import Progress
from scim.maintenance.results import UpgradeResult

_LONGEST_PAUSE: Final = timedelta(seconds=5)


async def upgrade(
    application: Application,
    directory_ids: Sequence[str],
    progress: Progress,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> UpgradeResult:
    """Bring the rows of some directories, or of all, to the newest format; run again, it goes on where it stopped.

    :raises DirectoryNotFoundError: When one that is named does not exist.
    """
    begun, unchanged, refused = list[Directory](), 0, dict[str, str]()
    for directory_id in directory_ids or await _all_directories(application):
        try:
            directory = await application.format_upgrades.begin(
                await application.directories.get_directory(directory_id)
            )
        except NewerRowsError as error:
            refused[directory_id] = str(error)
            continue
        except DirectoryNotFoundError:
            if directory_ids:
                raise
            continue  # it was deleted meanwhile
        unchanged += directory.upgrade is None
        begun += [directory] if directory.upgrade else []
        progress("directories begun", len(begun))
    done = [await _finished(application, directory, progress, pause) for directory in begun]
    return UpgradeResult([each.id for each in begun], unchanged, sum(done), refused)


async def _all_directories(application: Application) -> Iterable[str]:
    found, continuation, is_first = list[str](), None, True
    while is_first or continuation is not None:
        page = await application.directories.list_directories(continuation)
        found += [reference.directory_id for reference in page.references]
        continuation, is_first = page.continuation, False
    return found


async def _finished(
    application: Application, directory: Directory, progress: Progress, pause: Callable[[float], Awaitable[None]]
) -> int:
    """Upgrade a directory to the end, and return how many of its rows were rewritten."""
    rewritten = directory.upgrade.rewritten if directory.upgrade else 0

    def note(rows: int) -> None:
        nonlocal rewritten
        rewritten = max(rewritten, rows)
        progress("rows rewritten", rows)

    while directory.upgrade is not None:
        wait = (directory.upgrade.not_before or datetime.min.replace(tzinfo=UTC)) - await application.service_time()
        if wait > timedelta():
            progress("seconds until every process knows of it", int(wait.total_seconds()))
            await pause(min(wait, _LONGEST_PAUSE).total_seconds())
            continue
        try:
            current = await application.directories.get_directory(directory.id)
            directory = await application.format_upgrades.proceed(current, note)
        except DirectoryNotFoundError:
            break  # it is being deleted
    return rewritten
