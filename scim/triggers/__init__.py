"""Azure Functions blueprints: convert, call one method, convert."""

from azure.functions import Blueprint


def blueprints() -> list[Blueprint]:
    """Return the blueprints of every surface, ready to be registered on the FunctionApp."""
    from scim.triggers import events, health, not_found, scim, tokens

    return [events.blueprint, health.blueprint, not_found.blueprint, scim.blueprint, tokens.blueprint]
