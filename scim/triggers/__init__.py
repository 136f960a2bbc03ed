"""Azure Functions blueprints: convert, call one method, convert."""
