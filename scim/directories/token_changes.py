"""How the tokens of a directory change: by rotation, revocation, adoption and the passing of time. Pure.

A directory has at most one current token, which has no end, before it at most two previous ones, which have, and the
last tokens that ended, for the log. Every function may meet its own result, since a row is changed under an ETag and
the change made again when the answer was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from scim.directories.actor import EXPIRY, VAULT_OPERATOR, Actor
from scim.directories.bearer_token import MAX_VALID_TOKENS, EndReason, TokenRecord
from scim.directories.directory import Directory
from scim.directories.errors import InvalidValueError, TokenEndedError, TokenNotFoundError, TokensFullError

DEFAULT_OVERLAP = timedelta(days=7)
"""How long a replaced token stays valid: enough for an administrator to enter the new one."""
LONGEST_OVERLAP = timedelta(days=30)
ROTATION_TIME = timedelta(minutes=1)
"""A rotation under way for longer is taken for one that a crash ended; should it go on after all, it fails."""
KEPT_ENDED = 5
VALID_WITHOUT_FORCE = 2

_NEVER = datetime.max.replace(tzinfo=UTC)


def check_overlap(overlap: timedelta) -> None:
    """Refuse an overlap that is negative or too long.

    :raises InvalidValueError: Naming the field.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidValueError("overlap", f"give 0 to {LONGEST_OVERLAP.days} days")


def check_expiry(expires_at: datetime | None, now: datetime, field: str = "expires_at") -> None:
    """Refuse an expiry without a time zone or in the past.

    :raises InvalidValueError: Naming the field.
    """
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now):
        raise InvalidValueError(field, "give a time in the future, with its time zone")


def activate(directory: Directory, record: TokenRecord, version: str) -> Directory:
    """Return the directory with the token that it is created with active.

    :raises TokenEndedError: When that took so long that the sweep ended it.
    """
    if not any(token.fingerprint == record.fingerprint and token.state != "ended" for token in directory.tokens):
        raise TokenEndedError(directory.id)

    def activated(token: TokenRecord) -> TokenRecord:
        same = token.fingerprint == record.fingerprint
        return replace(token, state="active", version=version) if same else token

    return directory.change_tokens(activated, directory.changed)


def begin_rotation(directory: Directory, intent: TokenRecord, now: datetime, *, force: bool) -> Directory:
    """Return the directory with the intent of a rotation, or as it was when this rotation has come to its end.

    A second attempt at a rotation takes the place of the first.

    :raises TokensFullError: When two tokens are valid or under way and it is not forced, or three are.
    """
    if any(token.rotation == intent.rotation and token.version for token in directory.tokens):
        return directory
    others = [token for token in directory.tokens if token.rotation != intent.rotation]
    tokens = [token for token in others if not _is_abandoned(token, now)]
    valid = sum(token.is_valid(now) for token in tokens)
    pending = sum(token.state == "creating" for token in tokens)
    forcible = valid + pending < MAX_VALID_TOKENS
    if not forcible or (valid + pending >= VALID_WITHOUT_FORCE and not force):
        raise TokensFullError(directory.id, valid=valid, pending=pending, forcible=forcible)
    return replace(directory, tokens=(*tokens, intent))


def confirm_rotation(
    directory: Directory, fingerprint: str, version: str, now: datetime, overlap: timedelta
) -> Directory:
    """Return the directory with the token under way made current, and the others given their end.

    :raises TokenEndedError: When the rotation was taken for abandoned or everything was revoked meanwhile.
    """
    if any(token.version == version for token in directory.tokens):
        return directory
    for intent in directory.tokens:
        if intent.fingerprint == fingerprint and intent.state == "creating":
            others = [token for token in directory.tokens if token is not intent]
            return _with_current(directory, others, replace(intent, version=version, state="active"), now, overlap)
    raise TokenEndedError(directory.id)


def withdraw_rotation(directory: Directory, fingerprint: str) -> Directory:
    """Return the directory without a token under way; it was never shown."""
    kept = [token for token in directory.tokens if token.state != "creating" or token.fingerprint != fingerprint]
    return replace(directory, tokens=tuple(kept))


def adopt(directory: Directory, token: TokenRecord, now: datetime, overlap: timedelta) -> Directory:
    """Return the directory with an operator's token made current; the valid one that ends first gives way to it."""
    if any(known.version == token.version for known in directory.tokens):
        return directory
    adopted = _with_current(directory, directory.tokens, token, now, overlap)
    valid = [each for each in adopted.tokens if each.is_valid(now)]
    if len(valid) <= MAX_VALID_TOKENS:
        return adopted
    first = min(valid, key=lambda each: each.ends_at or _NEVER)
    return end_versions(adopted, {first.version: "replaced"}, now)


def revoke(directory: Directory, version: str, now: datetime) -> Directory:
    """Return the directory with one token revoked; doing it again changes nothing.

    :raises TokenNotFoundError: When no valid token has this version.
    """
    for token in directory.tokens:
        if version and token.version == version and (token.is_valid(now) or token.end_reason == "revoked"):
            return end_versions(directory, {version: "revoked"}, now)
    raise TokenNotFoundError(directory.id, version)


def revoke_all(directory: Directory, now: datetime) -> Directory:
    """Return the directory with every token revoked; one under way comes to nothing."""
    made = replace(directory, tokens=tuple(token for token in directory.tokens if token.state != "creating"))
    return end_versions(made, dict.fromkeys((token.version for token in made.tokens), "revoked"), now)


def end_versions(directory: Directory, ended: Mapping[str, EndReason], now: datetime) -> Directory:
    """Return the directory with some tokens ended; when that takes the current one, the newest left has no end."""
    tokens = [
        _ended(token, now, ended[token.version]) if token.version in ended and token.is_valid(now) else token
        for token in directory.tokens
    ]
    valid = [token for token in tokens if token.is_valid(now)]
    if valid and all(token.ends_at for token in valid):
        tokens = [replace(token, ends_at=None) if token is valid[-1] else token for token in tokens]
    return _changed(directory, tokens, now)


def settle(directory: Directory, now: datetime) -> Directory:
    """Return the directory with tokens ended whose time has come, and without rotations that a crash left."""
    return _changed(directory, (token for token in directory.tokens if not _is_lost_rotation(token, now)), now)


def with_authors(old: Directory, new: Directory, actor: Actor) -> Directory:
    """Return a directory whose tokens say who ended them.

    Time ends what expires and what was replaced some time ago; an operator what is gone from the secret store.
    """
    before = {token.version: token for token in old.tokens if token.state != "ended"}

    def authored(token: TokenRecord) -> TokenRecord:
        if token.state != "ended" or token.ended_by is not None or token.version not in before:
            return token
        return replace(token, ended_by=_author(before[token.version], token, actor))

    return replace(new, tokens=tuple(map(authored, new.tokens)))


def _author(before: TokenRecord, ended: TokenRecord, actor: Actor) -> Actor:
    if ended.end_reason == "expired" or (ended.end_reason == "replaced" and ended.ends_at == before.ends_at):
        return EXPIRY
    return VAULT_OPERATOR if ended.end_reason in ("disabled", "deleted") else actor


def _with_current(
    directory: Directory, others: Iterable[TokenRecord], current: TokenRecord, now: datetime, overlap: timedelta
) -> Directory:
    return _changed(directory, (*(_previous(token, now, overlap) for token in others), current), now)


def _previous(token: TokenRecord, now: datetime, overlap: timedelta) -> TokenRecord:
    if not token.is_valid(now):
        return token
    return replace(token, ends_at=min(token.ends_at or _NEVER, now + overlap))


def _changed(directory: Directory, tokens: Iterable[TokenRecord], now: datetime) -> Directory:
    settled = [_ended_in_time(token, now) for token in tokens]
    ended = sorted(
        (token for token in settled if token.state == "ended"), key=lambda each: each.ends_at or each.created
    )
    forgotten = ended[:-KEPT_ENDED]
    kept = tuple(token for token in settled if token not in forgotten)
    return directory if kept == directory.tokens else replace(directory, tokens=kept, changed=now)


def _ended_in_time(token: TokenRecord, now: datetime) -> TokenRecord:
    if token.state != "active" or token.is_valid(now):
        return token
    ends, expires = token.ends_at or _NEVER, token.expires_at or _NEVER
    return _ended(token, min(ends, expires), "expired" if expires <= ends else "replaced")


def _ended(token: TokenRecord, moment: datetime, reason: EndReason) -> TokenRecord:
    return replace(token, state="ended", ends_at=moment, end_reason=reason)


def _is_abandoned(token: TokenRecord, now: datetime) -> bool:
    return token.state == "creating" and now - token.created >= ROTATION_TIME


def _is_lost_rotation(token: TokenRecord, now: datetime) -> bool:
    return bool(token.rotation) and _is_abandoned(token, now)
