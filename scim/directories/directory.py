"""A connection of an organization to an identity provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, get_args

from scim.directories.actor import UNKNOWN, Actor
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.bearer_token import TokenRecord
from scim.directories.directory_events import DirectoryEvent
from scim.directories.errors import DirectoryNotFoundError, InvalidValueError
from scim.directories.mapping_job import MappingJob
from scim.directories.organization import MAX_NAME_LENGTH, check_text
from scim.directories.placement import DEFAULT_DATA_ACCOUNT
from scim.directories.row_format import WRITTEN_FORMAT, FormatUpgrade

Provider = Literal["entra_id", "okta", "generic_scim"]
Status = Literal["active", "disabled", "deleting"]

MAX_MAPPINGS = 200
SECRET_PREFIX = "scim-token-"  # noqa: S105 - how names of secrets begin

_DIRECTORY_ID = re.compile(r"dir_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Deletion:
    """How far the deletion of a directory is."""

    started: datetime
    removed: int = 0
    """How many rows are gone."""
    actor: Actor = UNKNOWN
    """Who began it."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that the row holds."""
        return {"started": self.started.isoformat(), "removed": self.removed, "actor": self.actor.to_json()}

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Deletion:
        """Return the deletion of its JSON form."""
        return cls(datetime.fromisoformat(form["started"]), form["removed"], Actor.from_json(form.get("actor")))


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory: it has its own SCIM endpoint, its own tokens and its own partition of resources."""

    id: str
    """``dir_`` and 32 hex digits, a UUIDv7."""
    organization_id: str
    provider: Provider
    name: str
    status: Status
    created: datetime
    changed: datetime
    tokens: tuple[TokenRecord, ...] = ()
    attribute_mappings: tuple[AttributeMapping, ...] = ()
    mapping_revision: int = 0
    """Grows whenever the mappings change; documents name the revision they were arranged by."""
    data_account: str = DEFAULT_DATA_ACCOUNT
    """The storage account that holds the partition, by its name in the settings."""
    cursor_secret: str = field(default="", repr=False)
    """Random text from which the keys of this directory's cursors derive, so that none is valid in another."""
    untold: tuple[DirectoryEvent, ...] = ()
    """What the organization's feed has not been told yet."""
    deletion: Deletion | None = None
    """Of a directory that is being deleted: how far that is."""
    mapping_job: MappingJob | None = None
    """How far the last change of the mappings is; None when all users are as the mappings say."""
    matching_ready: tuple[str, ...] = ()
    """The paths of the matching mappings by which all users are found."""
    row_format: int = WRITTEN_FORMAT
    """In which form its rows are, or are on their way to."""
    upgrade: FormatUpgrade | None = None
    """How far its rows are on their way to its format; None when all have it."""
    written_at: datetime | None = field(default=None, compare=False)
    """When its row was written last, by storage's clock; None for one that was not read."""

    def __post_init__(self) -> None:
        """Refuse a malformed id, name, provider or number of mappings."""
        if not is_directory_id(self.id):
            raise InvalidValueError("id", "give dir_ and 32 hex digits in lower case")
        check_text("name", self.name, MAX_NAME_LENGTH)
        if self.provider not in get_args(Provider):
            raise InvalidValueError("provider", f"give one of {', '.join(get_args(Provider))}")
        if self.status not in get_args(Status):
            raise InvalidValueError("status", f"give one of {', '.join(get_args(Status))}")
        if len(self.attribute_mappings) > MAX_MAPPINGS:
            raise InvalidValueError("attribute_mappings", f"give at most {MAX_MAPPINGS}")

    @property
    def secret_name(self) -> str:
        """Return the name under which the secret store holds the tokens; Key Vault allows no underscore."""
        return secret_name_of(self.id)

    @property
    def reached_format(self) -> int:
        """Return the format that all of its rows have at least."""
        return self.upgrade.reached if self.upgrade else self.row_format

    def valid_tokens(self, at: datetime) -> tuple[TokenRecord, ...]:
        """Return the tokens that are accepted at a time: none when it is disabled or being deleted."""
        if self.status != "active":
            return ()
        return tuple(token for token in self.tokens if token.is_valid(at))

    def change_tokens(self, change: Callable[[TokenRecord], TokenRecord], changed: datetime) -> Directory:
        """Return the directory with each token changed; the very same directory when no token changes."""
        tokens = tuple(map(change, self.tokens))
        return self if tokens == self.tokens else replace(self, tokens=tokens, changed=changed)


@dataclass(frozen=True, slots=True)
class DirectoryReference:
    """An entry in the list of all directories: enough to find one, and to finish a creation that a crash left."""

    directory_id: str
    organization_id: str
    data_account: str
    created: datetime
    creating: bool
    """Whether its creation has not been seen to end."""
    watched: bool = False
    """Whether the versions of its secret are looked at every minute, changed or not."""
    revision: str = field(default="", compare=False, repr=False)
    """Changes whenever the entry does."""
    written_at: datetime | None = field(default=None, compare=False)
    """When the entry was written last, by storage's clock; None for one that was not read."""


def secret_name_of(directory_id: str) -> str:
    """Return the name under which the secret store holds a directory's tokens; Key Vault allows no underscore.

    A vault knows no letter case, so one letter of an id in the other would name another directory's secret.

    :raises DirectoryNotFoundError: For what has not the exact form of an id.
    """
    if not is_directory_id(directory_id):
        raise DirectoryNotFoundError(directory_id)
    return SECRET_PREFIX + directory_id.removeprefix("dir_")


def is_directory_id(text: str) -> bool:
    """Tell whether a text has the form of a directory's id, which makes it safe as a key."""
    return _DIRECTORY_ID.fullmatch(text) is not None
