"""What can go wrong with organizations, directories and their secrets."""

from __future__ import annotations


class DirectoryError(Exception):
    """An order about an organization or a directory cannot be carried out; the text says why."""


class InvalidValueError(DirectoryError):
    """A value is malformed; ``field`` names it and the text says what is accepted."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field


class OrganizationNotFoundError(DirectoryError):
    """There is no organization of this id."""

    def __init__(self, organization_id: str) -> None:
        super().__init__(f"there is no organization {organization_id!r}")


class OrganizationExistsError(DirectoryError):
    """The external id belongs to the organization ``organization_id`` already."""

    def __init__(self, organization_id: str) -> None:
        super().__init__(f"the external id belongs to organization {organization_id} already")
        self.organization_id = organization_id


class OrganizationNotEmptyError(DirectoryError):
    """The organization has directories, and is kept as long as it has."""

    def __init__(self, organization_id: str) -> None:
        super().__init__(f"organization {organization_id} has directories: delete them first")


class IdUsedError(DirectoryError):
    """The id is that of another organization or directory, or of one that was deleted: an id is used once, ever."""

    def __init__(self, used: str) -> None:
        super().__init__(f"the id {used} was given before, and an id is given once: create it under another")
        self.id = used


class DirectoryNotFoundError(DirectoryError):
    """There is no directory of this id."""

    def __init__(self, directory_id: str) -> None:
        super().__init__(f"there is no directory {directory_id!r}")


class DirectoryDeletingError(DirectoryNotFoundError):
    """The directory is being deleted, and takes no change any more."""

    def __init__(self, directory_id: str) -> None:
        super().__init__(directory_id)
        self.args = (f"directory {directory_id} is being deleted",)


class DirectoryBusyError(DirectoryError):
    """Others kept changing the directory between our reading and writing it; trying again helps."""

    def __init__(self, directory_id: str) -> None:
        super().__init__(f"directory {directory_id} is being changed by others, try again")


class TokenEndedError(DirectoryError):
    """The token under way was ended before it became active: its creation had been taken for abandoned."""

    def __init__(self, directory_id: str) -> None:
        super().__init__(f"the new token of directory {directory_id} was ended before it became active, rotate it")


class TokenNotFoundError(DirectoryError):
    """The directory has no valid token of this version."""

    def __init__(self, directory_id: str, version: str) -> None:
        super().__init__(f"directory {directory_id} has no valid token of version {version!r}")


class TokensFullError(DirectoryError):
    """The directory has as many tokens as it may have: one must be revoked, or end, before another is made."""

    def __init__(self, directory_id: str, *, valid: int, pending: int, forcible: bool) -> None:
        count = f"{valid} valid token{'s' if valid != 1 else ''}" + (" and a rotation under way" if pending else "")
        remedy = "revoke one, or force the rotation" if forcible else "revoke one first"
        remedy = "try again in a minute, or force the rotation" if pending and forcible else remedy
        super().__init__(f"directory {directory_id} has {count}: {remedy}")


class DirectoryStoreUnavailableError(Exception):
    """The store of directories does not answer. Nothing is known of a change under way."""

    def __init__(self, reason: str, *, retry_after: int = 5) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class UnservedDirectoryError(DirectoryStoreUnavailableError):
    """The rows of a directory are not what this version of the service serves; repeating the call does not help."""


class NewerRowsError(UnservedDirectoryError):
    """Rows were written by a newer version of the service, in a form that this one does not know.

    It touches nothing of the directory: what it left out or misread would be lost. The text names both versions.
    """

    def __init__(self, directory_id: str, found: str, readable: str) -> None:
        super().__init__(
            f"the rows of directory {directory_id} are of {found}, and this version of the service reads {readable}: "
            "publish the newer version again",
            retry_after=60,
        )
        self.sentence = (
            f"A newer version of the service wrote this directory in {found}, and this one reads {readable}. "
            "Nothing was changed. Repeat the request when the newer version runs again."
        )


class UnreadableDirectoryError(UnservedDirectoryError):
    """The directory's row holds what no version of the service writes; somebody must put it right."""

    def __init__(self, directory_id: str, cause: Exception) -> None:
        super().__init__(
            f"the row of directory {directory_id} cannot be read ({type(cause).__name__}): put it back from a backup",
            retry_after=60,
        )


class SecretStoreError(Exception):
    """A secret cannot be had. The text never holds its value."""


class SecretNotFoundError(SecretStoreError):
    """There is no such version of a secret, or it was deleted: the version is at its end."""


class SecretDisabledError(SecretStoreError):
    """An operator or a revocation disabled the version: it is at its end."""


class SecretDeletedError(SecretStoreError):
    """The name is that of a deleted secret, and takes no value before it is recovered or purged."""


class SecretStoreUnavailableError(SecretStoreError):
    """The secret store is throttled, unreachable or refuses us: an outage, which says nothing of any secret.

    ``retry_after`` is the time in seconds that the store asked for, if it did.
    """

    def __init__(self, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class KeyNotFoundError(DirectoryError):
    """There is no API key of this id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no API key {key_id!r}")


class KeyEndedError(DirectoryError):
    """The API key that orders something has been revoked, or has expired."""

    def __init__(self) -> None:
        super().__init__("this API key has been revoked or has expired")


class BeyondKeyError(DirectoryError):
    """What an API key orders goes beyond what the key may itself; the text says what it may."""


class LinkUsedUpError(DirectoryError):
    """The link has begun as many sessions as it may: whoever sent it must send another."""

    def __init__(self) -> None:
        super().__init__("the link was used as often as it may be")


class LinkNotFoundError(DirectoryError):
    """The organization has no link to the portal of this id."""

    def __init__(self, link_id: str) -> None:
        super().__init__(f"there is no link {link_id!r}")


class ServiceKeysFullError(DirectoryError):
    """There are as many keys of the service as there may be: the first of them must end before another is made."""

    def __init__(self, ends_at: str) -> None:
        super().__init__(
            f"there are as many service keys as there may be, and the first checks until {ends_at}: "
            "rotate then, or at once, which ends all of them"
        )
