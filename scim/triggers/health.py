"""Liveness and readiness."""

from azure.functions import Blueprint, HttpRequest, HttpResponse

from scim.composition import application
from scim.triggers.http_conversion import http_response
from scim.web import WebResponse

blueprint = Blueprint()


@blueprint.route(route="health")
def health(req: HttpRequest) -> HttpResponse:
    """Tell that the process answers; touches nothing."""
    return http_response(WebResponse(200, b'{"status":"alive"}', content_type="application/json"))


@blueprint.route(route="health/ready")
async def health_ready(req: HttpRequest) -> HttpResponse:
    """Tell whether Table Storage and the secret store answer."""
    return http_response(await application().readiness.answer())
