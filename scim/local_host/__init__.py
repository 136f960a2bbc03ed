"""Serve the same FunctionApp on 127.0.0.1 when Azure Functions Core Tools are absent. A development host."""
