"""The SCIM routes. Functions tries routes in the order of function names: literal paths are named to come first."""

from azure.functions import Blueprint, HttpRequest, HttpResponse

from scim.composition import application
from scim.triggers.http_conversion import http_response, web_request

blueprint = Blueprint()

_ROOT = "scim/v2/{directory_id}"
_ROUTES = {
    "scim_1_bulk": f"{_ROOT}/Bulk",
    "scim_1_groups": f"{_ROOT}/Groups",
    "scim_1_groups_search": f"{_ROOT}/Groups/.search",
    "scim_1_me": f"{_ROOT}/Me",
    "scim_1_resource_types": f"{_ROOT}/ResourceTypes",
    "scim_1_root": _ROOT,
    "scim_1_root_search": f"{_ROOT}/.search",
    "scim_1_schemas": f"{_ROOT}/Schemas",
    "scim_1_service_provider_config": f"{_ROOT}/ServiceProviderConfig",
    "scim_1_users": f"{_ROOT}/Users",
    "scim_1_users_search": f"{_ROOT}/Users/.search",
    "scim_2_group": f"{_ROOT}/Groups/{{resource_id}}",
    "scim_2_resource_type": f"{_ROOT}/ResourceTypes/{{name}}",
    "scim_2_schema": f"{_ROOT}/Schemas/{{urn}}",
    "scim_2_user": f"{_ROOT}/Users/{{resource_id}}",
    "scim_3_unknown": f"{_ROOT}/{{*rest}}",
}


async def answer(req: HttpRequest) -> HttpResponse:
    """Answer one SCIM request."""
    return http_response(await application().provisioning.answer(web_request(req)))


for _name, _route in _ROUTES.items():
    blueprint.function_name(_name)(blueprint.route(route=_route)(answer))
