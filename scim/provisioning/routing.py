"""Which operation a path and method below the Tenant URL ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from scim2_models import NotFoundException, NotImplementedException
from scim2_server.errors import MethodNotAllowedException

from scim.provisioning.bulk import run_bulk
from scim.provisioning.discovery import (
    answer_resource_types,
    answer_schemas,
    answer_service_provider_config,
    refuse_filter,
)
from scim.provisioning.groups import create_group, delete_group, patch_group, read_group, replace_group
from scim.provisioning.listing import search_by_body, search_by_query
from scim.provisioning.request import ScimRequest
from scim.provisioning.users import create_user, delete_user, patch_user, read_user, replace_user
from scim.web import WebResponse

_ENDPOINTS = {
    name.lower(): name
    for name in ("Users", "Groups", "Bulk", "Me", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search")
}

Answer = Callable[[ScimRequest], Awaitable[WebResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """What a request asks for: the operation's name for the log, and what answers it."""

    operation: str
    resource_type: str
    answer: Answer


def canonical_segments(segments: Sequence[str]) -> tuple[str, ...]:
    """Return the path below the Tenant URL with the endpoint's name as the RFC writes it: some clients send /users."""
    if not segments:
        return ()
    first, *rest = segments
    return (_ENDPOINTS.get(first.lower(), first), *rest)


def route(request: ScimRequest) -> Route:
    """Return the route of a request.

    :raises NotFoundException: When no endpoint has this path.
    :raises MethodNotAllowedException: When the endpoint does not support the method; it names those it does.
    """
    operations = _operations(request)
    chosen = operations.get(request.method)
    if chosen is None:
        raise MethodNotAllowedException(
            allowed=operations, detail=f"This endpoint supports {', '.join(sorted(operations))}, not {request.method}."
        )
    return chosen


def _operations(request: ScimRequest) -> Mapping[str, Route]:  # noqa: PLR0911 - one return for each endpoint
    match request.segments:
        case ():
            return {"GET": _search(request, "root", search_by_query)}
        case (".search",):
            return {"POST": _search(request, "root", search_by_body)}
        case ("Users",):
            return {"GET": _search(request, "User", search_by_query), "POST": Route("create", "User", create_user)}
        case ("Groups",):
            return {"GET": _search(request, "Group", search_by_query), "POST": Route("create", "Group", create_group)}
        case ("Users" | "Groups" as endpoint, ".search"):
            return {"POST": _search(request, endpoint[:-1], search_by_body)}
        case ("Users", user_id):
            return _of_user(user_id)
        case ("Groups", group_id):
            return _of_group(group_id)
        case _:
            return _other_operations(request)


def _other_operations(request: ScimRequest) -> Mapping[str, Route]:
    match request.segments:
        case ("Bulk",):
            return {"POST": Route("bulk", "", lambda bulk: run_bulk(bulk, _dispatch))}
        case ("Schemas", *rest) if len(rest) <= 1:
            return {"GET": Route("schemas", "Schema", _direct(answer_schemas, *rest))}
        case ("ResourceTypes", *rest) if len(rest) <= 1:
            return {"GET": Route("resource_types", "ResourceType", _direct(answer_resource_types, *rest))}
        case ("ServiceProviderConfig",):
            return {"GET": Route("service_provider_config", "", _configuration)}
        case ("Me",):
            return dict.fromkeys(("DELETE", "GET", "PATCH", "POST", "PUT"), Route("me", "", _me))
        case _:
            raise NotFoundException(
                detail="There is no SCIM endpoint at this path. The Tenant URL ends behind the directory's id; "
                "Users and Groups follow, with a capital letter."
            )


def _search(request: ScimRequest, name: str, search: Callable[..., Awaitable[WebResponse]]) -> Route:
    provider = request.provider
    schemas = {"User": (provider.user,), "Group": (provider.group,)}.get(name, (provider.user, provider.group))
    return Route("search", name, lambda asked: search(asked, schemas))


def _of_user(user_id: str) -> Mapping[str, Route]:
    return {
        "GET": Route("read", "User", lambda request: read_user(request, user_id)),
        "PUT": Route("replace", "User", lambda request: replace_user(request, user_id)),
        "PATCH": Route("patch", "User", lambda request: patch_user(request, user_id)),
        "DELETE": Route("delete", "User", lambda request: delete_user(request, user_id)),
    }


def _of_group(group_id: str) -> Mapping[str, Route]:
    return {
        "GET": Route("read", "Group", lambda request: read_group(request, group_id)),
        "PUT": Route("replace", "Group", lambda request: replace_group(request, group_id)),
        "PATCH": Route("patch", "Group", lambda request: patch_group(request, group_id)),
        "DELETE": Route("delete", "Group", lambda request: delete_group(request, group_id)),
    }


def _direct(answer: Callable[..., WebResponse], *arguments: str) -> Answer:
    async def answered(request: ScimRequest) -> WebResponse:
        return answer(request, *arguments)

    return answered


async def _configuration(request: ScimRequest) -> WebResponse:
    refuse_filter(request)
    return answer_service_provider_config(request.base_url)


async def _me(_: ScimRequest) -> WebResponse:
    raise NotImplementedException(
        detail="/Me is not supported: the token belongs to the directory, not to one of its users."
    )


async def _dispatch(request: ScimRequest) -> WebResponse:
    """Answer one operation of a bulk request."""
    return await route(request).answer(request)
