"""The Azure Functions app: every trigger of the service, and nothing else. Importing it opens no connection."""

import azure.functions as func

from scim.triggers import blueprints

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in blueprints():
    app.register_functions(blueprint)
