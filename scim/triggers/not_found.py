"""The last route: what no other function takes."""

from azure.functions import Blueprint, HttpRequest, HttpResponse

from scim.composition import application
from scim.triggers.http_conversion import http_response, web_request

blueprint = Blueprint()


@blueprint.route(route="{*path}")
async def zz_not_found(req: HttpRequest) -> HttpResponse:
    """Answer 404 in SCIM error form, as the SCIM surface does for a path it does not know."""
    return http_response(await application().provisioning.answer_unknown_path(web_request(req)))
