"""The administrator's portal: one function takes all of it, and its list of pages tells them apart."""

from azure.functions import Blueprint, HttpRequest, HttpResponse

from scim.composition import application
from scim.triggers.http_conversion import http_response, web_request

blueprint = Blueprint()


@blueprint.route(route="portal/{*rest}")
async def portal_1(req: HttpRequest) -> HttpResponse:
    """Answer one request of an administrator's browser."""
    return http_response(await application().portal.answer(web_request(req)))
