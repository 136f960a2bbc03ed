"""Finds what operators did to tokens in the secret store, and what crashes left there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from scim.directories.actor import VAULT_OPERATOR, WATCHER, acting
from scim.directories.bearer_token import EndReason
from scim.directories.directory import SECRET_PREFIX, Directory, DirectoryReference, secret_name_of
from scim.directories.errors import InvalidValueError, SecretDisabledError, SecretNotFoundError
from scim.directories.interfaces import DirectoryStore, ListedSecret, SecretStore, SecretVersion, WatchList
from scim.directories.token_review import Review, review_versions
from scim.directories.token_service import TokenService

MARGIN = timedelta(minutes=5)
"""How late a change may appear in the list of secrets, by its own time."""
MOST_CHANGES = 500
"""How many changed secrets one round looks at; the rest, oldest first, are for the next."""
AT_ONCE = 8

_log = logging.getLogger("scim.tokens")


class TokenWatcher:
    """Compares the secret store with the rows, once a minute.

    One list of all secrets says which have changed, but it tells of each secret's newest version only. So a directory
    whose valid token is not alone and newest is on the watch list, and its versions are looked at in every round.
    """

    def __init__(
        self,
        directories: DirectoryStore,
        secret_store: SecretStore,
        watch_list: WatchList,
        tokens: TokenService,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._directories = directories
        self._secrets = secret_store
        self._watch_list = watch_list
        self._tokens = tokens
        self._now = now
        # What follows only saves repetitions; a process that has just started does without.
        self._seen: dict[str, datetime] = {}
        self._refused: set[str] = set()
        self._bare: set[str] = set()

    async def watch(self) -> None:
        """Look at every secret that has changed since the last round, at those on the watch list and at those gone.

        A directory that fails does not keep the others waiting: it is logged, and looked at again in the next round.
        """
        with acting(WATCHER):
            await self._watch()

    async def _watch(self) -> None:
        # Directories first: one that is listed as created has its secret when the secrets are listed.
        references = await self._references()
        last = await self._watch_list.last_change()
        listed = {secret.name: secret for secret in await self._secrets.list_secrets(SECRET_PREFIX)}
        changed = self._changed(listed.values(), last)
        due = [reference for reference in references if self._is_due(reference, listed, changed)]
        failed = await self._review_all(due)
        await self._remember(listed, changed, failed, last)

    async def _references(self) -> Sequence[DirectoryReference]:
        references: list[DirectoryReference] = []
        continuation: Mapping[str, str] | None = None
        while True:
            page = await self._directories.list_directories(continuation)
            references += page.references
            continuation = page.continuation
            if continuation is None:
                return references

    def _changed(self, listed: Iterable[ListedSecret], last: datetime | None) -> Mapping[str, ListedSecret]:
        changed = [
            secret
            for secret in listed
            if (last is None or secret.updated > last - MARGIN) and self._seen.get(secret.name) != secret.updated
        ]
        oldest_first = sorted(changed, key=lambda secret: secret.updated)
        return {secret.name: secret for secret in oldest_first[:MOST_CHANGES]}

    def _is_due(
        self, reference: DirectoryReference, listed: Mapping[str, ListedSecret], changed: Mapping[str, ListedSecret]
    ) -> bool:
        name = secret_name_of(reference.directory_id)
        if reference.watched or name in changed:
            return True
        if name in listed:
            return reference.directory_id in self._bare  # it has come back
        return not reference.creating and reference.directory_id not in self._bare

    async def _review_all(self, references: Sequence[DirectoryReference]) -> set[str]:
        """Review directories, and return the names of the secrets where that failed."""
        limit = asyncio.Semaphore(AT_ONCE)
        failed: set[str] = set()

        async def review(reference: DirectoryReference) -> None:
            async with limit:
                try:
                    await self._review(reference)
                except Exception:  # noqa: BLE001 - one directory must not keep the others waiting
                    _log.exception("tokens of directory %s were not looked at", reference.directory_id)
                    failed.add(secret_name_of(reference.directory_id))

        await asyncio.gather(*map(review, references))
        return failed

    async def _review(self, reference: DirectoryReference) -> None:
        directory_id = reference.directory_id
        versions = await self._secrets.list_versions(secret_name_of(directory_id))
        directory = await self._directories.directory(directory_id)
        if directory is None or directory.deletion is not None:
            return  # being created or deleted
        # Settled first: a rotation that a crash left must be unable to end before its version is disabled.
        directory = await self._tokens.settle(directory)
        review = review_versions(directory, versions, self._now())
        await self._carry_out(directory, review)
        if not versions and review.settled:
            self._bare.add(directory_id)
        else:
            self._bare.discard(directory_id)
        if review.settled and reference.watched:
            await self._watch_list.unwatch(reference)
        elif not review.settled and not reference.watched:
            await self._watch_list.watch(directory_id)

    async def _carry_out(self, directory: Directory, review: Review) -> None:
        ended: dict[str, EndReason] = dict.fromkeys(review.disabled, "disabled")
        ended |= dict.fromkeys([each for each in review.missing if await self._is_gone(directory, each)], "deleted")
        if ended:
            directory = await self._tokens.end_versions(directory.id, ended)
        await self._disable(directory, review.superfluous)
        if review.adoptable is not None and review.adoptable.version not in self._refused:
            await self._adopt(directory, review.adoptable)

    async def _is_gone(self, directory: Directory, version: str) -> bool:
        """Tell whether a version that was not listed is no more: a list may lag, and an end is for good."""
        try:
            await self._secrets.get(directory.secret_name, version)
        except SecretNotFoundError:
            return True
        except SecretDisabledError:
            pass  # listed by the next round
        return False

    async def _disable(self, directory: Directory, versions: Sequence[str]) -> None:
        for version in versions:
            try:
                await self._secrets.disable(directory.secret_name, version)
            except SecretNotFoundError:
                continue  # deleted meanwhile
            _log.info("disabled version %s of %s, by which no token is valid", version, directory.secret_name)

    async def _adopt(self, directory: Directory, version: SecretVersion) -> None:
        try:
            with acting(VAULT_OPERATOR):
                record = await self._tokens.adopt_version(directory.id, version)
        except InvalidValueError as error:
            self._refused.add(version.version)
            _log.warning("version %s of %s was not adopted: %s", version.version, directory.secret_name, error)
        except (SecretNotFoundError, SecretDisabledError):
            return  # taken back meanwhile
        else:
            _log.info("adopted version %s of %s", record.version, directory.secret_name)

    async def _remember(
        self,
        listed: Mapping[str, ListedSecret],
        changed: Mapping[str, ListedSecret],
        failed: set[str],
        last: datetime | None,
    ) -> None:
        done = {name: secret.updated for name, secret in changed.items() if name not in failed}
        self._seen = {name: seen for name, seen in (self._seen | done).items() if name in listed}
        reached = [secret.updated for name, secret in changed.items() if name in failed]
        moment = min(reached) if reached else max(done.values(), default=None)
        if moment is not None and (last is None or moment > last):
            await self._watch_list.remember_change(moment)
