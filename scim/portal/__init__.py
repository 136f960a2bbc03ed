"""The pages for an organization's administrator: connect a provider, follow its steps, see what arrives."""
