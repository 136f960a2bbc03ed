"""Ending an API key with what it made: keys, and links to the portal with their sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from scim.directories.api_key import ApiKey
from scim.directories.api_key_service import ApiKeyService
from scim.directories.errors import LinkNotFoundError
from scim.directories.interfaces import DirectoryStore
from scim.directories.portal_access_service import PortalAccessService

_ORGANIZATIONS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Revoked:
    """The ids of what was ended."""

    keys: Sequence[str]
    links: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class KeyRevocation:
    """Ends keys. An order that breaks off is completed by the same order."""

    keys: ApiKeyService
    access: PortalAccessService
    directories: DirectoryStore
    now: Callable[[], datetime]

    async def revoke(self, key_id: str, *, ended_by: ApiKey | None = None, cascade: bool = False) -> Revoked:
        """End a key and, where it is wanted, the keys that it made, those that they made, and the links of all of them.

        A process that still knows a key may let it make a link for 30 s: whoever was robbed orders it again then.
        Links cost one storage request for each organization that a key opens, which may be all of them, and two for
        each link.

        :param ended_by: The key that orders it.
        :raises KeyNotFoundError: When there is no such key, or it is not that key's to see.
        :raises BeyondKeyError: When the key may do more than the one that orders it.
        """
        ended = await self.keys.revoke(key_id, ended_by=ended_by, cascade=cascade)
        if not cascade:
            return Revoked(ended)
        makers = await self.keys.with_descendants(key_id)
        return Revoked(ended, await self._end_links({key.id for key in makers}, await self._organizations(makers)))

    async def _organizations(self, keys: Sequence[ApiKey]) -> Sequence[str]:
        """Return the organizations in which keys may have made links."""
        limited = {key.organization_id for key in keys if key.organization_id is not None}
        if all(key.organization_id is not None for key in keys):
            return sorted(limited)
        found, after, has_more = list[str](), "", True
        while has_more:
            page = await self.directories.list_organizations(after, 1000)
            found += [each.id for each in page.organizations]
            after, has_more = found[-1] if found else "", page.has_more
        return found

    async def _end_links(self, key_ids: Collection[str], organizations: Sequence[str]) -> Sequence[str]:
        links = list[str]()
        for start in range(0, len(organizations), _ORGANIZATIONS_AT_ONCE):
            part = organizations[start : start + _ORGANIZATIONS_AT_ONCE]
            for ended in await asyncio.gather(*(self._end_links_in(each, key_ids) for each in part)):
                links += ended
        return links

    async def _end_links_in(self, organization_id: str, key_ids: Collection[str]) -> Sequence[str]:
        now = self.now()
        links = [use.link for use in await self.access.link_uses(organization_id)]
        ended = [link.id for link in links if link.created_by in key_ids and link.is_valid(now)]
        for link_id in ended:
            with suppress(LinkNotFoundError):  # it was forgotten meanwhile
                await self.access.revoke_link(organization_id, link_id)
        return ended
