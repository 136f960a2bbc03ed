"""What the directory service needs of the outside world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from scim.directories.directory import Directory, DirectoryReference
from scim.directories.organization import Organization
from scim.directories.organization_events import OrganizationEvent


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """What a secret store tells of a version without giving its value."""

    version: str
    created: datetime
    """To the second, by the store's clock."""
    enabled: bool
    tags: Mapping[str, str]
    expires: datetime | None = None
    """For information: the store gives an expired version's value all the same."""


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """What a list of secrets tells of one: when its newest version was made or changed, by the store's clock."""

    name: str
    updated: datetime


class SecretStore(Protocol):
    """Holds secret values in versions that never change.

    Every method raises :class:`~scim.directories.errors.SecretStoreUnavailableError` when the store is throttled,
    unreachable, or refuses us; no other error of the store's own client escapes.
    """

    async def set(self, name: str, value: str, tags: Mapping[str, str], *, expires: datetime | None = None) -> str:
        """Store a value as the newest version of a secret, and return the version's id.

        After a lost answer there may be two versions of the value.

        :raises SecretDeletedError: When the name is that of a deleted secret; :meth:`recover` makes it usable.
        """
        ...

    async def get(self, name: str, version: str) -> str:
        """Return the value of a version.

        :raises SecretNotFoundError: When there is no such version, or it was deleted.
        :raises SecretDisabledError: When the version is disabled.
        """
        ...

    async def disable(self, name: str, version: str) -> None:
        """Make a version unreadable for everybody; doing it again changes nothing.

        :raises SecretNotFoundError: When there is no such version.
        """
        ...

    async def list_versions(self, name: str) -> Sequence[SecretVersion]:
        """Return all versions of a secret, oldest first; none when there is no such secret."""
        ...

    async def list_secrets(self, prefix: str) -> Sequence[ListedSecret]:
        """Return the secrets whose name begins with a prefix, in any order. A change of an older version shows not."""
        ...

    async def delete(self, name: str) -> None:
        """Delete a secret with all its versions, as far as the store forgets; doing it again changes nothing."""
        ...

    async def recover(self, name: str) -> None:
        """Make the name of a deleted secret usable again; none of its old versions gives its value afterwards.

        :raises SecretDeletedError: When the store does not allow it; the text says what an operator can do.
        """
        ...

    async def close(self) -> None:
        """Close connections; the store may be used again."""
        ...


class TokenUseStore(Protocol):
    """Keeps when each token was last used, to the minute. Every method raises ``DirectoryStoreUnavailableError``."""

    async def record_use(self, directory_id: str, version: str, moment: datetime) -> None:
        """Keep a time of use, unless the directory is gone."""
        ...

    async def uses(self, directory_id: str) -> Mapping[str, datetime]:
        """Return the last known use of each version. One storage request."""
        ...


class WatchList(Protocol):
    """Keeps what of the secret store is to be looked at. Every method raises ``DirectoryStoreUnavailableError``."""

    async def watch(self, directory_id: str) -> None:
        """Let the versions of a directory's secret be looked at every minute, until nothing of them is unsettled.

        Called before a change of tokens, so that a crash behind it leaves nothing that nobody looks at.

        :raises DirectoryNotFoundError: When no such directory is listed.
        """
        ...

    async def unwatch(self, reference: DirectoryReference) -> None:
        """End that, unless the entry has changed since it was listed."""
        ...

    async def last_change(self) -> datetime | None:
        """Return the time of the last change in the secret store that was looked at, by the store's clock."""
        ...

    async def remember_change(self, moment: datetime) -> None:
        """Keep that time."""
        ...


@dataclass(frozen=True, slots=True)
class DirectoryPage:
    """Some entries of the list of directories, and where to continue, or None at its end. It may be empty before."""

    references: Sequence[DirectoryReference]
    continuation: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class OrganizationPage:
    """Some organizations in the order of their ids, and whether there are more behind them."""

    organizations: Sequence[Organization]
    has_more: bool


@dataclass(frozen=True, slots=True)
class DirectoriesPage:
    """Some directories of an organization, oldest first; ``last`` is the id to go on behind, empty at the end."""

    directories: Sequence[Directory]
    last: str


class DirectoryReader(Protocol):
    """Reads one directory: all that authentication needs."""

    async def directory(self, directory_id: str) -> Directory | None:
        """Return a directory, or None. One storage request; none for what has not the form of a directory's id.

        :raises DirectoryStoreUnavailableError: When the store does not answer.
        """
        ...


class DirectoryStore(DirectoryReader, Protocol):
    """Keeps organizations and directories.

    Every method raises :class:`~scim.directories.errors.DirectoryStoreUnavailableError` when the store does not
    answer; a write may then have been applied or not, and doing it again is safe.
    """

    async def create_organization(self, organization: Organization, event: OrganizationEvent) -> None:
        """Keep a new organization, and claim its external id; doing it again with the same one changes nothing.

        :raises OrganizationExistsError: When another organization has the external id.
        :raises IdUsedError: When there is another organization of this id, or one was deleted.
        """
        ...

    async def organization(self, organization_id: str) -> Organization | None:
        """Return an organization, or None."""
        ...

    async def organization_by_external_id(self, external_id: str) -> Organization | None:
        """Return the organization of an external id, or None."""
        ...

    async def list_organizations(self, after: str, limit: int) -> OrganizationPage:
        """Return organizations whose id is greater than ``after``, in the order of their creation."""
        ...

    async def update_organization(
        self,
        organization_id: str,
        change: Callable[[Organization], Organization],
        event: Callable[[Organization, Organization], OrganizationEvent],
    ) -> Organization:
        """Replace name and choice of an organization by ``change`` of them, and return it.

        ``change`` is pure and called again when somebody else changed it meanwhile. ``event`` makes of what it was
        before and is afterwards what is told of it; where they are equal, nothing is.


        :raises OrganizationNotFoundError: When it is gone.
        """
        ...

    async def delete_organization(self, organization: Organization, event: OrganizationEvent) -> None:
        """Forget an organization and free its external id; doing it again changes nothing.

        :raises OrganizationNotEmptyError: When it has directories.
        """
        ...

    async def create_directory(self, directory: Directory) -> DirectoryReference:
        """Keep a new directory, listed as one whose creation is under way until :meth:`confirm_creation`.

        Doing it again for the same organization changes nothing.

        :raises IdUsedError: When another organization has a directory of this id, or one was deleted; nothing is kept.
        :raises OrganizationNotFoundError: When its organization does not exist; nothing is kept.
        :raises InvalidValueError: When it is larger than the store can hold; nothing is kept.
        """
        ...

    async def link_to_organization(self, directory: Directory) -> None:
        """List a directory with its organization; doing it again changes nothing."""
        ...

    async def confirm_creation(self, reference: DirectoryReference) -> None:
        """List a directory as one whose creation has ended; an entry that is gone meanwhile stays gone."""
        ...

    async def withdraw_creation(self, directory: Directory) -> None:
        """Take back what was kept of a new directory, unless its row has changed; doing it again changes nothing."""
        ...

    async def follow(self, organization_id: str, *, is_over: bool = True) -> None:
        """Bring what is listed of an organization to what it is itself; doing it again changes nothing.

        :param is_over: Whether no change is under way.
        """
        ...

    async def left_behind(self) -> Mapping[str, datetime]:
        """Return the organizations whose listing is to follow a change, and since when: a crash may have left it."""
        ...

    async def discard_reference(self, reference: DirectoryReference) -> None:
        """Take an entry without a directory from the list of directories; doing it again changes nothing."""
        ...

    async def update_directory(
        self, directory_id: str, change: Callable[[Directory], Directory], *, deleting: bool = False
    ) -> Directory:
        """Replace a directory by ``change`` of it, and return it; nothing is written when they are equal.

        ``change`` is pure and called again when somebody else changed the directory meanwhile, so it may meet its
        own result. What it raises ends the update.

        :param deleting: Whether a directory that is being deleted may be changed, too.
        :raises DirectoryNotFoundError: When there is no such directory.
        :raises DirectoryDeletingError: When it is being deleted.
        :raises DirectoryBusyError: When others kept changing it.
        :raises InvalidValueError: When the result is larger than the store can hold.
        """
        ...

    async def forget_directory(self, directory: Directory) -> None:
        """Delete what is left of a directory that is being deleted; doing it again changes nothing.

        Its id stays, as one that was used. A crash leaves it listed, with its row or without.
        """
        ...

    async def directories_of(self, organization_id: str) -> Sequence[Directory]:
        """Return the directories of an organization, oldest first."""
        ...

    async def directory_page(self, organization_id: str, after: str, limit: int) -> DirectoriesPage:
        """Return directories of an organization whose id is greater than ``after``."""
        ...

    async def list_directories(self, continuation: Mapping[str, str] | None = None) -> DirectoryPage:
        """Return a page of the list of all directories, of all organizations. One storage request."""
        ...
