"""What an operator set, disabled or deleted in the secret store, which a directory's row does not say yet. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scim.directories.bearer_token import FINGERPRINT_TAG, ROTATION_TAG, TokenRecord
from scim.directories.directory import Directory
from scim.directories.errors import InvalidValueError
from scim.directories.interfaces import SecretVersion

SHORTEST_TOKEN, LONGEST_TOKEN = 32, 256


@dataclass(frozen=True, slots=True)
class Review:
    """What is to be done about the versions of a secret. It holds while versions were listed before the row was read.

    In the other order a rotation could come to its end in between, and its version would be taken for a lost one.
    """

    adoptable: SecretVersion | None
    """The newest version, when an operator set it and it is not known yet."""
    disabled: tuple[str, ...]
    """Versions of valid tokens that the store does not give any more."""
    missing: tuple[str, ...]
    """Versions of valid tokens that were not listed: deleted, or set since."""
    superfluous: tuple[str, ...]
    """Versions that the store gives although no token is, or will be, valid by them."""
    settled: bool
    """Whether a change of the secret is shown by a list of secrets from now on, which tells of newest versions only."""


def review_versions(directory: Directory, versions: Sequence[SecretVersion], now: datetime) -> Review:
    """Return what is to be done about the versions of a directory's secret."""
    valid = [token.version for token in directory.tokens if token.is_valid(now)]
    listed = {version.version: version for version in versions}
    disabled = tuple(version for version in valid if version in listed and not listed[version].enabled)
    missing = tuple(version for version in valid if version not in listed)
    superfluous = tuple(version.version for version in versions if _is_superfluous(directory, version, valid))
    newest = newest_version(versions)
    adoptable = newest if newest is not None and _is_adoptable(directory, newest) else None
    pending = any(token.state == "creating" for token in directory.tokens)
    plain = not valid or (newest is not None and valid == [newest.version])
    settled = plain and not (adoptable or disabled or missing or superfluous or pending)
    return Review(adoptable, disabled, missing, superfluous, settled)


def newest_version(versions: Sequence[SecretVersion]) -> SecretVersion | None:
    """Return the version set last; of several in one second, one that an operator set."""
    in_order = sorted(versions, key=lambda version: (version.created, not _is_ours(version)))
    return in_order[-1] if in_order else None


def check_adopted(value: str) -> str:
    """Return the token of a value that an operator set: without the white space around it.

    :raises InvalidValueError: When it is not fit to be a token; the text never holds it.
    """
    token = value.strip()
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN or not all("!" <= character <= "~" for character in token):
        rule = f"{SHORTEST_TOKEN} to {LONGEST_TOKEN} visible ASCII characters"
        raise InvalidValueError("token", f"the newest version of the secret is no token: set {rule}, without spaces")
    return token


def _is_adoptable(directory: Directory, version: SecretVersion) -> bool:
    return version.enabled and not _is_ours(version) and not _is_known(directory, version)


def _is_superfluous(directory: Directory, version: SecretVersion, valid: Sequence[str]) -> bool:
    if not version.enabled or version.version in valid or _is_pending(directory.tokens, version):
        return False
    return _is_ours(version) or _is_known(directory, version)


def _is_pending(tokens: Sequence[TokenRecord], version: SecretVersion) -> bool:
    fingerprint = version.tags.get(FINGERPRINT_TAG)
    return any(token.state == "creating" and token.fingerprint == fingerprint for token in tokens)


def _is_known(directory: Directory, version: SecretVersion) -> bool:
    return any(token.version == version.version for token in directory.tokens)


def _is_ours(version: SecretVersion) -> bool:
    return FINGERPRINT_TAG in version.tags or ROTATION_TAG in version.tags
