"""When sessions of the portal were used last: known exactly where they are used, and stored behind the visits."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from scim.directories.portal_access import PortalSession

GRANULARITY: Final = timedelta(minutes=1)
"""How old the stored use of a session in use may be: another process may end it so much too early, never too late."""
_MAX_REMEMBERED = 4096
_log = logging.getLogger("scim.portal")


class SessionUseStore(Protocol):
    """Keeps when sessions were used last."""

    async def note_session_use(self, session: PortalSession, at: datetime) -> None:
        """Remember when a session was used last; one that has ended meanwhile stays so."""
        ...


class SessionUses:
    """Notes uses in the process, and stores each session's at most once a minute, as best effort."""

    def __init__(self, store: SessionUseStore) -> None:
        self._store = store
        self._last: dict[str, datetime] = {}
        self._storing: dict[str, asyncio.Task[None]] = {}

    def seen(self, session: PortalSession) -> PortalSession:
        """Return a session as it was stored, with the last use that this process knows of."""
        known = self._last.get(session.id)
        later = known is not None and (session.last_used is None or session.last_used < known)
        return replace(session, last_used=known) if later else session

    def note(self, session: PortalSession, now: datetime) -> PortalSession:
        """Return a session as it is with a use now; does not wait for what is stored of it.

        :param session: As it was stored: what it says decides whether to store, so that processes share the writes.
        """
        if len(self._last) >= _MAX_REMEMBERED:
            self._last.clear()
        self._last[session.id] = now
        is_due = session.last_used is None or now - session.last_used >= GRANULARITY
        if is_due and session.id not in self._storing:
            # A context of its own: what this stores is not the request's, nor is its deadline.
            task = asyncio.get_running_loop().create_task(self._keep(session, now), context=Context())
            self._storing[session.id] = task
        return replace(session, last_used=now)

    async def close(self) -> None:
        """Wait for what is being stored."""
        await asyncio.gather(*self._storing.values())

    async def _keep(self, session: PortalSession, now: datetime) -> None:
        try:
            await self._store.note_session_use(session, now)
        except Exception:  # noqa: BLE001 - the next use is stored
            _log.warning("the use of session %s was not stored", session.id, exc_info=True)
        finally:
            del self._storing[session.id]
