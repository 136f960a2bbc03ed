"""The API for the application's backend: one function takes all of it, and its registry tells the operations apart."""

from azure.functions import Blueprint, HttpRequest, HttpResponse

from scim.composition import application
from scim.triggers.http_conversion import http_response, web_request

blueprint = Blueprint()


@blueprint.route(route="api/v1/{*rest}")
async def api_1(req: HttpRequest) -> HttpResponse:
    """Answer one request of the application's backend."""
    return http_response(await application().management.answer(web_request(req)))
