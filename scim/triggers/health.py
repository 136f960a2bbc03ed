"""Liveness and readiness."""

from azure.functions import Blueprint, HttpRequest, HttpResponse

from scim.composition import application
from scim.readiness import answer_alive
from scim.triggers.http_conversion import http_response, web_request

blueprint = Blueprint()


@blueprint.route(route="health")
async def health(req: HttpRequest) -> HttpResponse:
    """Tell that the process answers; touches nothing."""
    return http_response(await answer_alive(web_request(req)))


@blueprint.route(route="health/ready")
async def health_ready(req: HttpRequest) -> HttpResponse:
    """Tell whether Table Storage and the secret store answer."""
    return http_response(await application().readiness.answer_request(web_request(req)))
