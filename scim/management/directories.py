"""Operations on directories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from scim.directories.directory import Deletion, Directory, is_directory_id
from scim.directories.health import Standing
from scim.directories.mapping_job import MappingJob
from scim.management import tokens
from scim.management.mappings import MappingAnswer, Mappings, read_mappings, shown_mappings
from scim.management.models import Answer, Body, ListQuery, Page, Time
from scim.management.operation import Call, Operation, Secret
from scim.management.organizations import Name
from scim.management.tokens import TokenAnswer

ProviderName = Literal["entra_id", "okta", "generic_scim"]
StatusName = Literal["active", "disabled"]
ShownStatus = Literal["active", "disabled", "deleting"]


class DeletionAnswer(Answer):
    """How far the deletion of a directory is."""

    started_at: datetime
    removed_rows: int = Field(description="How many rows of it are gone; a user has four or more.")


class MappingChangeAnswer(Answer):
    """How far a change of the mappings has come with the users that were there before."""

    started_at: datetime
    examined_users: int
    updated_users: int = Field(description="How many of them have an event, since their custom attributes differ.")


class DirectoryAnswer(Answer):
    """A connection of an organization to an identity provider."""

    id: str
    organization_id: str
    provider: ProviderName
    name: str
    status: ShownStatus
    tenant_url: str = Field(description="The address to enter at the identity provider.")
    attribute_mappings: list[MappingAnswer]
    mapping_revision: int
    created_at: datetime
    updated_at: datetime
    mapping_change: MappingChangeAnswer | None = Field(
        description="How far the last change of the mappings is; null when it is through."
    )
    deletion: DeletionAnswer | None = Field(description="How far its deletion is; null while it is not deleted.")


class DirectoryList(Page[DirectoryAnswer]):
    """A page of directories."""


class Counts(Answer):
    """How many resources a directory has, to the last change."""

    users: int
    active_users: int
    groups: int


class HealthAnswer(Answer):
    """How a directory stands; the first of these that fits."""

    state: Literal["disabled", "failing", "token_expiring", "waiting", "quiet", "healthy"]
    reason: str = Field(description="In a sentence for an administrator.")


class DirectoryDetails(DirectoryAnswer):
    """A directory with what it holds and how it stands."""

    counts: Counts | None = Field(description="Null while the directory is being deleted.")
    health: HealthAnswer
    last_request_at: datetime | None = Field(description="The last request that was let in, to about a minute.")
    last_change_at: datetime | None = Field(description="The last change of a user, a group or a membership.")
    tokens: list[TokenAnswer] = Field(description="Newest first, without their values.")


class NewDirectoryAnswer(DirectoryAnswer):
    """A directory just created, with its token, which is shown this once."""

    token: str | None = Field(
        description="Null when the request was repeated too late to show the token again: rotate it."
    )


class NewDirectory(Body):
    """A directory to create."""

    name: Name
    provider: ProviderName
    attribute_mappings: Mappings = Field(default_factory=list)
    token_expires_at: Time | None = Field(None, description="When its token expires; never when it is absent.")


class DirectoryChange(Body):
    """What to change of a directory; what is absent stays as it is."""

    name: Name | None = None
    status: StatusName | None = Field(None, description="`disabled` stops SCIM within 30 seconds.")
    attribute_mappings: Mappings | None = None


async def create_directory(call: Call) -> NewDirectoryAnswer:
    """Return a new directory with its token."""
    body: NewDirectory = call.body
    mappings = read_mappings(body.attribute_mappings)
    made = await call.services.creations.create_directory(
        call.creation,
        call.organization.id,
        name=body.name,
        provider=body.provider,
        mappings=mappings,
        expires_at=body.token_expires_at,
    )
    return NewDirectoryAnswer(**_shown(call, made.directory).model_dump(), token=made.token)


async def _token_again(call: Call, answer: Mapping[str, Any]) -> str | None:
    return await call.services.creations.token_again(answer["id"])


async def list_directories(call: Call) -> DirectoryList:
    """Return a page of the directories of an organization, oldest first."""
    after = call.start(is_directory_id)
    page = await call.services.directories.directory_page(call.organization.id, after, call.query.limit)
    data = [_shown(call, each) for each in page.directories]
    return DirectoryList(data=data, list_metadata=call.metadata(page.last))


async def get_directory(call: Call) -> DirectoryDetails:
    """Return a directory with its counts, how it stands, and what is told of its tokens."""
    return shown_details(await call.services.standing_of(call.directory), call.base_url)


def shown_details(standing: Standing, base_url: str) -> DirectoryDetails:
    """Return a directory and how it stands, as the API shows it to callers who reach the service at a base URL."""
    health, last = standing.health(datetime.now(UTC)), standing.activity.last
    return DirectoryDetails(
        **shown(standing.directory, base_url).model_dump(),
        counts=_counts(standing),
        health=HealthAnswer(state=health.state, reason=health.reason),
        last_request_at=last.request,
        last_change_at=last.change,
        tokens=[tokens.shown(token) for token in standing.tokens],
    )


def _counts(standing: Standing) -> Counts | None:
    if standing.directory.deletion is not None:
        return None
    return Counts(users=standing.users, active_users=standing.active_users, groups=standing.groups)


async def update_directory(call: Call) -> DirectoryAnswer:
    """Return a directory with another name, status or mappings."""
    body: DirectoryChange = call.body
    mappings = None if body.attribute_mappings is None else read_mappings(body.attribute_mappings)
    changed = await call.services.directories.update_directory(
        call.directory.id, name=body.name, status=body.status, mappings=mappings
    )
    return _shown(call, changed)


def _shown(call: Call, directory: Directory) -> DirectoryAnswer:
    return shown(directory, call.base_url)


def shown(directory: Directory, base_url: str) -> DirectoryAnswer:
    """Return a directory as the API shows it to callers who reach the service at a base URL."""
    return DirectoryAnswer(
        id=directory.id,
        organization_id=directory.organization_id,
        provider=directory.provider,
        name=directory.name,
        status=directory.status,
        tenant_url=f"{base_url}/scim/v2/{directory.id}",
        attribute_mappings=shown_mappings(directory),
        mapping_revision=directory.mapping_revision,
        created_at=directory.created,
        updated_at=directory.changed,
        mapping_change=_mapping_change(directory.mapping_job),
        deletion=_deletion(directory.deletion),
    )


async def delete_directory(call: Call) -> DirectoryAnswer:
    """Return a directory whose deletion has begun: it is refused at once, and removed in the background."""
    return _shown(call, await call.services.deletion.begin(call.directory.id))


def _mapping_change(job: MappingJob | None) -> MappingChangeAnswer | None:
    if job is None:
        return None
    return MappingChangeAnswer(started_at=job.started, examined_users=job.examined, updated_users=job.updated)


def _deletion(deletion: Deletion | None) -> DeletionAnswer | None:
    if deletion is None:
        return None
    return DeletionAnswer(started_at=deletion.started, removed_rows=deletion.removed)


_OF_ORGANIZATION = "organizations/{organization_id}/directories"
_ONE = "directories/{directory_id}"
OPERATIONS = (
    Operation(
        "create_directory",
        "POST",
        _OF_ORGANIZATION,
        "write",
        "Create a directory; its token is shown once",
        create_directory,
        "11",
        NewDirectoryAnswer,
        body=NewDirectory,
        status=201,
        problems=(409,),
        secret=Secret("token", _token_again),
    ),
    Operation(
        "list_directories",
        "GET",
        _OF_ORGANIZATION,
        "read",
        "List the directories of an organization",
        list_directories,
        "2, and 1 for each directory",
        DirectoryList,
        ListQuery,
    ),
    Operation(
        "get_directory",
        "GET",
        _ONE,
        "read",
        "Get a directory with counts, health and tokens",
        get_directory,
        "3",
        DirectoryDetails,
        of_deleted=True,
    ),
    Operation(
        "update_directory",
        "PATCH",
        _ONE,
        "write",
        "Rename, disable or enable a directory, or replace its mappings",
        update_directory,
        "3; when something differs 5, and 2 for each of its events",
        DirectoryAnswer,
        body=DirectoryChange,
    ),
    Operation(
        "delete_directory",
        "DELETE",
        _ONE,
        "write",
        "Delete a directory with all its users and groups",
        delete_directory,
        "3",
        DirectoryAnswer,
        status=202,
        of_deleted=True,
    ),
)
