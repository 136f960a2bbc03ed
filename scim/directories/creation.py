"""Creations under an id that is known beforehand: trying one again makes nothing twice."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from scim.directories.actor import current_actor
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.bearer_token import FINGERPRINT_TAG, TokenRecord, new_token, record_of
from scim.directories.change_event import organization_event
from scim.directories.directory import Directory, DirectoryReference, Provider
from scim.directories.errors import IdUsedError
from scim.directories.interfaces import DirectoryStore, SecretStore
from scim.directories.organization import Organization
from scim.directories.service import DirectoryService
from scim.directories.token_changes import activate
from scim.directories.token_service import TokenService


@dataclass(frozen=True, slots=True)
class Creation:
    """One creation, however often it is tried."""

    id: str
    """A UUIDv7 as 32 hex digits; what is created has it in its id."""
    is_repeated: bool = False
    """Whether an earlier attempt, of which nobody was told, may have begun it."""


@dataclass(frozen=True, slots=True)
class CreatedDirectory:
    """A directory, and its first token when it may still be shown."""

    directory: Directory
    token: str | None

    def __repr__(self) -> str:
        return f"CreatedDirectory({self.directory.id!r}, token not shown)"


class CreationService:
    """Creates organizations and directories, and takes up what an earlier attempt began."""

    def __init__(
        self,
        directories: DirectoryService,
        tokens: TokenService,
        store: DirectoryStore,
        secret_store: SecretStore,
        *,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._directories = directories
        self._tokens = tokens
        self._store = store
        self._secrets = secret_store
        self._now = now
        self._random_bytes = random_bytes

    async def create_organization(self, creation: Creation, name: str, external_id: str | None) -> Organization:
        """Return the organization of a creation.

        :raises InvalidValueError: When the name or the external id is blank or too long.
        :raises OrganizationExistsError: When another organization has the external id.
        :raises IdUsedError: When an earlier attempt made it, and it was deleted since.
        """
        begun = await self._store.organization(f"org_{creation.id}") if creation.is_repeated else None
        if begun is None:
            return await self._directories.create_organization(name, external_id, creation_id=creation.id)
        event = organization_event("organization.created", begun, begun.created, current_actor())
        await self._store.create_organization(begun, event)
        return begun

    async def create_directory(
        self,
        creation: Creation,
        organization_id: str,
        *,
        name: str,
        provider: Provider,
        mappings: Sequence[AttributeMapping],
        expires_at: datetime | None = None,
    ) -> CreatedDirectory:
        """Return the directory of a creation, with its token, which expires then.

        :raises InvalidValueError: When a value is malformed.
        :raises OrganizationNotFoundError: When there is no such organization.
        :raises IdUsedError: When an earlier attempt made it, and it was deleted since.
        """
        begun = await self._store.directory(f"dir_{creation.id}") if creation.is_repeated else None
        if begun is not None:
            return await self._taken_up(begun, organization_id)
        made = await self._directories.create_directory(
            organization_id,
            name=name,
            provider=provider,
            mappings=mappings,
            expires_at=expires_at,
            creation_id=creation.id,
        )
        return CreatedDirectory(made.directory, made.token)

    async def token_again(self, directory_id: str) -> str | None:
        """Return the token that a directory was created with; None when it has ended or is older than ten minutes."""
        directory = await self._store.directory(directory_id)
        return await self._first_token(directory) if directory is not None else None

    async def _taken_up(self, begun: Directory, organization_id: str) -> CreatedDirectory:
        """Return a directory whose row is there, with what else belongs to its creation.

        A token that was not activated has a value that nobody knows any more: another takes its place.
        """
        if begun.organization_id != organization_id or begun.deletion is not None:
            raise IdUsedError(begun.id)
        await self._store.link_to_organization(begun)
        if any(record.version for record in begun.tokens):
            created = CreatedDirectory(begun, await self._first_token(begun))
        else:
            created = await self._with_new_token(begun)
        await self._store.confirm_creation(_reference(begun))
        return replace(created, directory=await self._directories.announce(created.directory))

    async def _with_new_token(self, begun: Directory) -> CreatedDirectory:
        now, token = self._now(), new_token(begun.id, self._random_bytes)
        expiry = begun.tokens[-1].expires_at if begun.tokens else None
        record = replace(record_of(token, now, expires_at=expiry), made_by=current_actor())
        await self._store.update_directory(begun.id, lambda old: _with_record(old, record, now))
        tags = {FINGERPRINT_TAG: record.fingerprint}
        version = await self._secrets.set(begun.secret_name, token, tags, expires=expiry)
        active = await self._store.update_directory(begun.id, lambda old: activate(old, record, version))
        return CreatedDirectory(active, token)

    async def _first_token(self, directory: Directory) -> str | None:
        first = next((record for record in directory.tokens if record.origin == "created" and record.version), None)
        return await self._tokens.token_again(directory, first.version) if first else None


def _with_record(old: Directory, record: TokenRecord, now: datetime) -> Directory:
    if any(token.fingerprint == record.fingerprint for token in old.tokens):
        return old
    ended = tuple(replace(token, state="ended", ends_at=now) for token in old.tokens)
    return replace(old, tokens=(*ended, record))


def _reference(directory: Directory) -> DirectoryReference:
    return DirectoryReference(
        directory.id, directory.organization_id, directory.data_account, directory.created, creating=True
    )
