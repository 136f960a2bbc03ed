"""The command line of those who operate the service: organizations, directories, tokens, mappings and API keys."""
