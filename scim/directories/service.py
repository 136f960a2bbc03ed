"""Opens directories for organizations, and keeps them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scim.directories.actor import current_actor
from scim.directories.announcement import announce
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.bearer_token import FINGERPRINT_TAG, TokenRecord, new_token, record_of
from scim.directories.directory import Directory, DirectoryReference, Provider, Status
from scim.directories.directory_changes import DirectoryChange, MappingChange, created_event
from scim.directories.errors import (
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    SecretStoreError,
)
from scim.directories.interfaces import DirectoriesPage, DirectoryPage, DirectoryStore, SecretStore
from scim.directories.mapping_job import matching_paths
from scim.directories.organization_events import OrganizationEvents
from scim.directories.organization_service import OrganizationService
from scim.directories.placement import DEFAULT_DATA_ACCOUNT, place
from scim.directories.token_changes import activate, check_expiry

ABANDONED_AFTER = timedelta(minutes=15)
"""A creation under way for longer is taken for one that a crash ended: a request is given up long before."""


@dataclass(frozen=True, slots=True)
class NewDirectory:
    """A directory just created, and its token, which is shown this once."""

    directory: Directory
    token: str

    def __repr__(self) -> str:
        return f"NewDirectory({self.directory.id!r}, token not shown)"


class DirectoryService(OrganizationService):
    """Creates and changes directories, beside their organizations.

    Two stores take part in a creation and no transaction spans them, so its steps have an order in which a crash
    between any two leaves nothing that authenticates and everything findable: the list entry, the row with a token
    ``creating``, the secret, the row with the token ``active``, the list entry confirmed. What is left behind is
    settled by :meth:`complete_creation`.
    """

    def __init__(
        self,
        store: DirectoryStore,
        secret_store: SecretStore,
        events: OrganizationEvents,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        ask: Callable[[str], None] = lambda _directory_id: None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        data_accounts: Sequence[str] = (DEFAULT_DATA_ACCOUNT,),
    ) -> None:
        """Use these stores, and tell this of what happens.

        :param now: The time, in UTC.
        :param new_id: A fresh UUIDv7 as 32 hex digits.
        :param ask: Asks for what a change of mappings leaves to do, and does not wait; the sweep follows in any case.
        :param data_accounts: The data accounts that new directories are placed in.
        """
        super().__init__(store, now=now, new_id=new_id)
        self._secrets = secret_store
        self._events = events
        self._ask = ask
        self._random_bytes = random_bytes
        self._data_accounts = data_accounts

    async def create_directory(
        self,
        organization_id: str,
        *,
        name: str,
        provider: Provider,
        mappings: Sequence[AttributeMapping] = (),
        expires_at: datetime | None = None,
        creation_id: str | None = None,
    ) -> NewDirectory:
        """Return a new directory with its token; when the secret store takes no value, nothing is left of it.

        :param expires_at: When its first token expires; None for never.
        :param creation_id: 32 hex digits for its id, where they are known beforehand.
        :raises InvalidValueError: When a value is malformed.
        :raises OrganizationNotFoundError: When there is no such organization.
        :raises IdUsedError: When another organization has a directory of this id, or one was deleted.
        :raises TokenEndedError: When a directory of this id was being made by another call.
        :raises SecretStoreError: When the secret store takes no value.
        """
        check_expiry(expires_at, self._now(), "token_expires_at")
        directory_id = f"dir_{self._new_id() if creation_id is None else creation_id}"
        token, directory = self._plan(directory_id, organization_id, name, provider, tuple(mappings))
        (made,) = directory.tokens
        record = replace(made, expires_at=expires_at)
        directory = replace(directory, tokens=(record,))
        reference = await self._store.create_directory(directory)
        tags = {FINGERPRINT_TAG: record.fingerprint}
        try:
            version = await self._secrets.set(directory.secret_name, token, tags, expires=expires_at)
        except SecretStoreError:
            with suppress(DirectoryStoreUnavailableError):  # the sweep settles what stays
                await self._store.withdraw_creation(directory)
            raise
        active = await self._store.update_directory(directory.id, lambda old: activate(old, record, version))
        await self._store.confirm_creation(reference)
        return NewDirectory(await self.announce(active), token)

    async def get_directory(self, directory_id: str) -> Directory:
        """Return a directory.

        :raises DirectoryNotFoundError: When there is none of this id.
        """
        directory = await self._store.directory(directory_id)
        if directory is None:
            raise DirectoryNotFoundError(directory_id)
        return directory

    async def directories_of(self, organization_id: str) -> Sequence[Directory]:
        """Return the directories of an organization, oldest first."""
        return await self._store.directories_of(organization_id)

    async def directory_page(self, organization_id: str, after: str, limit: int) -> DirectoriesPage:
        """Return directories of an organization behind an id, or from the first on when it is empty."""
        return await self._store.directory_page(organization_id, after, limit)

    async def list_directories(self, continuation: Mapping[str, str] | None = None) -> DirectoryPage:
        """Return a page of the list of all directories, for sweeps. One storage request for up to 1,000."""
        return await self._store.list_directories(continuation)

    async def set_status(self, directory_id: str, status: Status) -> Directory:
        """Return the directory enabled or disabled; every process acts on it within 30 seconds.

        :raises DirectoryNotFoundError: When there is none of this id.
        """
        return await self.update_directory(directory_id, status=status)

    async def update_directory(
        self,
        directory_id: str,
        *,
        name: str | None = None,
        status: Status | None = None,
        mappings: Sequence[AttributeMapping] | MappingChange | None = None,
    ) -> Directory:
        """Return the directory with what is given changed; other mappings raise their revision.

        Two storage requests, and when something differs two more, and two for each event.

        :param mappings: All of them, or what makes them of those that there are, whoever else changes them.
        :raises InvalidValueError: When a value is malformed.
        :raises DirectoryNotFoundError: When there is none of this id.
        :raises DirectoryDeletingError: When it is being deleted.
        """
        change = DirectoryChange(current_actor(), name, status, mappings)
        changed = await self._store.update_directory(
            directory_id, lambda old: change.apply(old, self._now(), self._new_id)
        )
        if changed.mapping_job is not None:
            self._ask(changed.id)
        return await self.announce(changed)

    async def announce(self, directory: Directory) -> Directory:
        """Return the directory with everything told that its row has to tell; what cannot be told now, the sweep will.

        Costs nothing when nothing is to tell; else two storage requests, and two more for each event.
        """
        return await announce(directory, self._store, self._events)

    async def current_token(self, directory: Directory) -> str | None:
        """Return the value of the newest valid token, read from the secret store; None when there is none.

        :raises SecretDisabledError, SecretNotFoundError: When the version was ended behind the row's back.
        """
        valid = directory.valid_tokens(self._now())
        return await self._secrets.get(directory.secret_name, valid[-1].version) if valid else None

    async def complete_creation(self, reference: DirectoryReference, now: datetime | None = None) -> None:
        """Settle a creation that a crash left; one that has ended, or may still be under way, is left alone.

        A token that never became active was never shown: its secret is disabled and its record ended. The directory
        stays, to be given a token by rotation or to be deleted.

        :param now: The time by storage's clock, by which a creation under way is not taken for an old one.
        """
        begun = reference.created if now is None else reference.written_at or reference.created
        if not reference.creating or (now or self._now()) - begun < ABANDONED_AFTER:
            return
        directory = await self._store.directory(reference.directory_id)
        if directory is None:
            await self._store.discard_reference(reference)
            return
        if directory.deletion is not None:
            return
        await self._store.link_to_organization(directory)
        await self._end_unconfirmed_tokens(directory)
        await self._store.confirm_creation(reference)

    async def _end_unconfirmed_tokens(self, directory: Directory) -> None:
        unconfirmed = {token.fingerprint for token in directory.tokens if not token.version}
        if not unconfirmed:
            return
        now = self._now()
        await self._store.update_directory(directory.id, lambda old: old.change_tokens(_ending(now), now))
        for version in await self._secrets.list_versions(directory.secret_name):
            if version.enabled and version.tags.get(FINGERPRINT_TAG) in unconfirmed:
                await self._secrets.disable(directory.secret_name, version.version)

    def _plan(
        self,
        directory_id: str,
        organization_id: str,
        name: str,
        provider: Provider,
        mappings: tuple[AttributeMapping, ...],
    ) -> tuple[str, Directory]:
        now, actor = self._now(), current_actor()
        token = new_token(directory_id, self._random_bytes)
        directory = Directory(
            id=directory_id,
            organization_id=organization_id,
            provider=provider,
            name=name.strip(),
            status="active",
            created=now,
            changed=now,
            cursor_secret=self._random_bytes(16).hex(),
            tokens=(replace(record_of(token, now), made_by=actor),),
            attribute_mappings=mappings,
            data_account=place(directory_id, self._data_accounts),
            matching_ready=tuple(sorted(matching_paths(mappings))),
        )
        return token, replace(directory, untold=(created_event(directory, self._new_id(), actor),))


def _ending(now: datetime) -> Callable[[TokenRecord], TokenRecord]:
    return lambda token: replace(token, state="ended", ends_at=now) if token.state == "creating" else token
