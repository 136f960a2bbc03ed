"""Azure Functions blueprints: convert, call one method, convert."""

from azure.functions import Blueprint


def blueprints() -> list[Blueprint]:
    """Return the blueprints of every surface, ready to be registered on the FunctionApp."""
    from scim.triggers import events, health, management, not_found, portal, scim, tokens

    surfaces = (events, health, management, not_found, portal, scim, tokens)
    return [surface.blueprint for surface in surfaces]
