"""POST requests with an Idempotency-Key: sent again, they make nothing twice and are answered as the first time."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from scim.directories.creation import Creation
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.management.operation import Call
from scim.management.problems import FieldError, Problem, invalid, problem_of

HEADER = "idempotency-key"
LONGEST_KEY = 255
KEPT_FOR = timedelta(hours=24)
TAKEN_OVER_AFTER = timedelta(seconds=60)
"""A request under way for longer has crashed: none takes as long. The next one takes it up."""
_NAME = re.compile(f"[!-~]{{1,{LONGEST_KEY}}}", re.ASCII)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_SERVER_ERROR = 500
_log = logging.getLogger("scim.management")


@dataclass(frozen=True, slots=True)
class Claim:
    """What is kept of a request under an Idempotency-Key."""

    request: str
    """A hash of what was asked."""
    creation_id: str
    """The id of what it creates, which every attempt uses."""
    attempt: str
    """Who works on it, so that a write recognises itself."""
    made: datetime
    """When the key was used first; a day later it may be used anew."""
    claimed: datetime
    """When the attempt began."""
    status: int | None = None
    """What it was answered; None while it is under way."""
    body: str = ""
    """The answer, without what is shown once."""
    revision: str = field(default="", compare=False)
    """Changes whenever the claim does."""


class ClaimStore(Protocol):
    """Keeps claims by API key and Idempotency-Key. Raises DirectoryStoreUnavailableError when it does not answer."""

    async def add(self, key_id: str, name: str, claim: Claim) -> Claim | None:
        """Return the claim as it is kept, or None when there is another. One storage request."""
        ...

    async def get(self, key_id: str, name: str) -> Claim | None:
        """Return a claim, or None. One storage request."""
        ...

    async def change(self, key_id: str, name: str, claim: Claim) -> Claim | None:
        """Return the claim as it is kept, or None when somebody else changed it. One storage request."""
        ...

    async def drop(self, key_id: str, name: str, claim: Claim) -> None:
        """Forget a claim, unless somebody else changed it."""
        ...

    async def forget(self, key_ids: Sequence[str], before: datetime) -> int:
        """Forget the claims that were made before a time, and return how many."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a POST is answered: a status and the JSON text of a body, empty for none."""

    status: int
    body: str


class Idempotency:
    """Runs a request once for each Idempotency-Key of an API key."""

    def __init__(self, store: ClaimStore, *, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id

    async def outcome(self, call: Call, name: str) -> Outcome:
        """Return the outcome of a call: of running it, or of the time it ran before.

        :raises Problem: 409 while it is under way, 422 when the key was used for another request; and what it raises.
        """
        if not _NAME.fullmatch(name):
            raise invalid(FieldError(HEADER, f"give 1 to {LONGEST_KEY} visible ASCII characters, without spaces"))
        claim, is_repeated = await self._claimed(call, name)
        if claim.status is not None:
            return Outcome(claim.status, await _shown_again(call, claim.body))
        return await self._run(replace(call, creation=Creation(claim.creation_id, is_repeated)), name, claim)

    async def forget_old(self, key_ids: Sequence[str], now: datetime) -> int:
        """Forget what is older than a day at a time by storage's clock, and return how many claims that were."""
        return await self._store.forget(key_ids, now - KEPT_FOR)

    async def _claimed(self, call: Call, name: str) -> tuple[Claim, bool]:
        """Return the claim to work on, or one that is answered; and whether an earlier attempt may have begun."""
        now = self._now()
        own = Claim(_request_hash(call), self._new_id(), self._new_id(), made=now, claimed=now)
        kept = await self._store.add(call.key.id, name, own)
        if kept is not None:
            return kept, False
        found = await self._store.get(call.key.id, name)
        if found is None:
            raise _under_way()  # it failed just now, and is free again
        if now - found.made >= KEPT_FOR:
            return await self._taken(call, name, replace(own, revision=found.revision)), False
        if found.request != own.request:
            raise _used_otherwise()
        if found.status is not None:
            return found, False
        if now - found.claimed < TAKEN_OVER_AFTER:
            raise _under_way()
        return await self._taken(call, name, replace(found, attempt=own.attempt, claimed=now)), True

    async def _taken(self, call: Call, name: str, claim: Claim) -> Claim:
        taken = await self._store.change(call.key.id, name, claim)
        if taken is None:
            raise _under_way()
        return taken

    async def _run(self, call: Call, name: str, claim: Claim) -> Outcome:
        operation = call.operation
        try:
            answer = await operation.answer(call)
        except Exception as error:
            await self._release(call, name, claim, error)
            raise
        kept, shown = "", ""
        if answer is not None:
            hidden = {operation.secret.field: None} if operation.secret else {}
            kept = answer.model_copy(update=hidden).model_dump_json(exclude_unset=True)
            shown = answer.model_dump_json(exclude_unset=True)
        await self._taken(call, name, replace(claim, status=operation.status, body=kept))
        return Outcome(operation.status, shown)

    async def _release(self, call: Call, name: str, claim: Claim, error: Exception) -> None:
        """Free a claim at once: for any request when nothing was made, for the same one when that is not known."""
        problem = problem_of(error)
        try:
            if problem is not None and problem.status < _SERVER_ERROR:
                await self._store.drop(call.key.id, name, claim)
            else:
                await self._store.change(call.key.id, name, replace(claim, claimed=_LONG_AGO))
        except DirectoryStoreUnavailableError:
            _log.warning("a claim of API key %s was not released; it lapses in a minute", call.key.id)


def _request_hash(call: Call) -> str:
    body = call.body.model_dump(mode="json") if call.body is not None else None
    asked = [call.operation.id, dict(call.path), call.query.model_dump(mode="json"), body]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


async def _shown_again(call: Call, body: str) -> str:
    """Return a kept answer, with what is shown once where it still may be."""
    secret = call.operation.secret
    if secret is None or not body:
        return body
    answer: dict[str, Any] = json.loads(body)
    return json.dumps({**answer, secret.field: await secret.again(call, answer)})


def _under_way() -> Problem:
    detail = "A request with this Idempotency-Key is under way. Repeat it after the seconds in Retry-After."
    return Problem(409, "idempotency-key-in-use", detail, headers={"Retry-After": "1"})


def _used_otherwise() -> Problem:
    detail = (
        "This Idempotency-Key was used for another request in the last 24 hours. Send a new key with a new request."
    )
    return Problem(422, "idempotency-key-reused", detail)
