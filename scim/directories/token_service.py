"""Rotates, revokes and adopts the tokens of directories."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from scim.directories.actor import current_actor
from scim.directories.bearer_token import (
    FINGERPRINT_TAG,
    ROTATION_TAG,
    EndReason,
    TokenRecord,
    new_token,
    record_of,
)
from scim.directories.directory import Directory, secret_name_of
from scim.directories.errors import (
    DirectoryBusyError,
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    InvalidValueError,
    SecretDeletedError,
    SecretNotFoundError,
    SecretStoreError,
)
from scim.directories.interfaces import DirectoryStore, SecretStore, SecretVersion, TokenUseStore, WatchList
from scim.directories.organization import check_text
from scim.directories.organization_events import note_event
from scim.directories.token import NewToken, Token, described
from scim.directories.token_changes import (
    DEFAULT_OVERLAP,
    adopt,
    begin_rotation,
    check_expiry,
    check_overlap,
    confirm_rotation,
    end_versions,
    revoke,
    revoke_all,
    settle,
    with_authors,
    withdraw_rotation,
)
from scim.directories.token_events import TokenEvents, mark_told, untold_events
from scim.directories.token_review import check_adopted, review_versions

SHOWN_AGAIN_WITHIN = timedelta(minutes=10)
"""How long a repeated rotation gives its token once more, for a caller who lost the first answer."""

LONGEST_ROTATION_ID = 100

_log = logging.getLogger("scim.tokens")


class TokenService:
    """Changes tokens: the directory's row says which count, the secret store holds their values.

    No transaction spans the two. So a rotation writes its intent in the row, then the value, tagged as the rotation's,
    then the row again; what is shown is in both by then, and what a crash leaves was never shown. Before any change
    the directory is put on the watch list, and stays on it until the watcher finds nothing left to do.
    """

    def __init__(
        self,
        directories: DirectoryStore,
        secret_store: SecretStore,
        watch_list: WatchList,
        uses: TokenUseStore,
        events: TokenEvents,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Use these stores.

        :param now: The time, in UTC.
        :param new_id: A fresh id of a rotation, for one that is not given any.
        """
        self._directories = directories
        self._secrets = secret_store
        self._watch_list = watch_list
        self._uses = uses
        self._events = events
        self._now = now
        self._new_id = new_id
        self._random_bytes = random_bytes

    async def list_tokens(self, directory_id: str) -> Sequence[Token]:
        """Return the tokens of a directory, newest first, those that ended last among them. Two storage requests.

        :raises DirectoryNotFoundError: When there is none of this id.
        """
        return await self.tokens_of(await self._directory(directory_id))

    async def tokens_of(self, directory: Directory) -> Sequence[Token]:
        """Return the tokens of a directory just read, as :meth:`list_tokens` does. One storage request."""
        return self.described(directory, await self._uses.uses(directory.id))

    def described(self, directory: Directory, uses: Mapping[str, datetime]) -> Sequence[Token]:
        """Return the tokens of a directory just read, newest first, with their uses."""
        return [described(record, uses) for record in reversed(settle(directory, self._now()).tokens)]

    async def rotate(
        self,
        directory_id: str,
        *,
        overlap: timedelta = DEFAULT_OVERLAP,
        expires_at: datetime | None = None,
        force: bool = False,
        rotation_id: str | None = None,
    ) -> NewToken:
        """Return a new current token; the one that was current stays valid for the overlap.

        :param rotation_id: Any id of the caller's: repeating a rotation makes no second token.
        :raises InvalidValueError: When the overlap or the expiry is malformed.
        :raises DirectoryNotFoundError: When there is none of this id.
        :raises TokensFullError: When two tokens are valid and it is not forced, or three are.
        :raises TokenEndedError: When it took too long, or everything was revoked meanwhile; nothing was made.
        :raises SecretStoreError: When the store takes no value; nothing was made.
        """
        now = self._now()
        check_overlap(overlap)
        check_expiry(expires_at, now)
        check_text("rotation_id", rotation_id or "new", LONGEST_ROTATION_ID)
        token = new_token(directory_id, self._random_bytes)
        made = record_of(token, now, expires_at=expires_at)
        rotation = rotation_id or self._new_id()
        intent = replace(made, origin="rotated", rotation=rotation, made_by=current_actor())
        begun = await self._change(directory_id, lambda old: begin_rotation(old, intent, now, force=force))
        for record in begun.tokens:
            if record.rotation == intent.rotation and record.version:
                return NewToken(begun, record, await self.token_again(begun, record.version), repeated=True)
        version = await self._store_value(begun, token, intent)
        confirmed = await self._update(
            directory_id, lambda old: confirm_rotation(old, intent.fingerprint, version, self._now(), overlap)
        )
        (record,) = (each for each in confirmed.tokens if each.version == version)
        await self.tell(confirmed)
        return NewToken(confirmed, record, token)

    async def token_again(self, directory: Directory, version: str) -> str | None:
        """Return the value of a token once more; None when it has ended or was made more than ten minutes ago."""
        now = self._now()
        for record in directory.tokens:
            if record.version == version and record.is_valid(now) and now - record.created < SHOWN_AGAIN_WITHIN:
                return await self._secrets.get(directory.secret_name, version)
        return None

    async def revoke(self, directory_id: str, version: str) -> Directory:
        """Return the directory with a token revoked: refused everywhere within 30 s, and disabled in the store.

        :raises DirectoryNotFoundError: When there is no such directory.
        :raises TokenNotFoundError: When it has no valid token of this version.
        """
        revoked = await self._change(directory_id, lambda old: revoke(old, version, self._now()))
        await self._disable(revoked, [version])
        await self.tell(revoked)
        return revoked

    async def revoke_all(self, directory_id: str) -> Directory:
        """Return the directory with every token revoked, a rotation under way included.

        :raises DirectoryNotFoundError: When there is no such directory.
        """
        before: list[TokenRecord] = []

        def end_all(old: Directory) -> Directory:
            before[:] = [token for token in old.tokens if token.is_valid(self._now())]
            return revoke_all(old, self._now())

        revoked = await self._change(directory_id, end_all)
        await self._disable(revoked, [token.version for token in before])
        await self.tell(revoked)
        return revoked

    async def adopt(self, directory_id: str, *, overlap: timedelta = DEFAULT_OVERLAP) -> TokenRecord | None:
        """Return the token that an operator set in the secret store, made current; None when there is none.

        :raises DirectoryNotFoundError: When there is no such directory.
        :raises InvalidValueError: When the newest version is not fit to be a token.
        """
        check_overlap(overlap)
        versions = await self._secrets.list_versions(secret_name_of(directory_id))
        found = review_versions(await self._directory(directory_id), versions, self._now()).adoptable
        return await self.adopt_version(directory_id, found, overlap=overlap) if found else None

    async def adopt_version(
        self, directory_id: str, version: SecretVersion, *, overlap: timedelta = DEFAULT_OVERLAP
    ) -> TokenRecord:
        """Return the token of a version, made current; it expires when the version says so."""
        now = self._now()
        token = check_adopted(await self._secrets.get(secret_name_of(directory_id), version.version))
        if version.expires is not None and version.expires <= now:
            raise InvalidValueError("token", "the newest version of the secret has expired")
        made = record_of(token, now, expires_at=version.expires)
        record = replace(made, origin="adopted", state="active", version=version.version, made_by=current_actor())
        adopted = await self._change(directory_id, lambda old: adopt(old, record, now, overlap))
        await self.tell(adopted)
        return record

    async def end_versions(self, directory_id: str, ended: Mapping[str, EndReason]) -> Directory:
        """Return the directory with tokens ended whose versions an operator ended in the secret store."""
        changed = await self._change(directory_id, lambda old: end_versions(old, ended, self._now()))
        await self.tell(changed)
        return changed

    async def settle(self, directory: Directory) -> Directory:
        """Return the directory with what time has ended, and everything told. Costs nothing when nothing is to do.

        A sweep calls it with every directory, which it has just read.
        """
        now = self._now()
        if settle(directory, now) != directory:
            directory = await self._change(directory.id, lambda old: settle(old, now))
        await self.tell(directory)
        return directory

    async def tell(self, directory: Directory) -> None:
        """Tell what has not been told of a directory's tokens; what cannot be told now, the sweep will."""
        events = untold_events(directory, self._now())
        for event in events:
            note_event(event)
        try:
            for event in events:
                await self._events.tell(event)
            if events:
                await self._directories.update_directory(directory.id, lambda old: mark_told(old, events))
        except Exception:  # noqa: BLE001 - the change itself has taken place, and the sweep tells what is left
            _log.exception("events of tokens of directory %s were not told; the sweep repeats it", directory.id)

    async def _directory(self, directory_id: str) -> Directory:
        directory = await self._directories.directory(directory_id)
        if directory is None:
            raise DirectoryNotFoundError(directory_id)
        return directory

    async def _change(self, directory_id: str, change: Callable[[Directory], Directory]) -> Directory:
        await self._watch_list.watch(directory_id)
        return await self._update(directory_id, change)

    async def _update(self, directory_id: str, change: Callable[[Directory], Directory]) -> Directory:
        """Change a directory's row; tokens that end with it say by whom."""
        actor = current_actor()
        return await self._directories.update_directory(directory_id, lambda old: with_authors(old, change(old), actor))

    async def _store_value(self, directory: Directory, token: str, intent: TokenRecord) -> str:
        try:
            return await self._set(directory, token, intent)
        except SecretStoreError:
            await self._withdraw(directory.id, intent)
            raise

    async def _set(self, directory: Directory, token: str, intent: TokenRecord) -> str:
        name, tags = directory.secret_name, {FINGERPRINT_TAG: intent.fingerprint, ROTATION_TAG: intent.rotation}
        try:
            return await self._secrets.set(name, token, tags, expires=intent.expires_at)
        except SecretDeletedError:
            # Ended in the row first, since recovering brings the old versions back for a moment.
            gone: dict[str, EndReason] = {record.version: "deleted" for record in directory.tokens}
            await self._update(directory.id, lambda old: end_versions(old, gone, self._now()))
            await self._secrets.recover(name)
            return await self._secrets.set(name, token, tags, expires=intent.expires_at)

    async def _withdraw(self, directory_id: str, intent: TokenRecord) -> None:
        try:
            await self._directories.update_directory(
                directory_id, lambda old: withdraw_rotation(old, intent.fingerprint)
            )
        except (DirectoryStoreUnavailableError, DirectoryBusyError, DirectoryNotFoundError):
            _log.warning("a rotation of directory %s was not withdrawn; it lapses in a minute", directory_id)

    async def _disable(self, directory: Directory, versions: Sequence[str]) -> None:
        for version in versions:
            try:
                await self._secrets.disable(directory.secret_name, version)
            except SecretNotFoundError:
                continue  # deleted: nobody can read it
            except SecretStoreError as error:
                _log.warning(
                    "version %s of %s was not disabled; the watcher repeats it: %s",
                    version,
                    directory.secret_name,
                    error,
                )
