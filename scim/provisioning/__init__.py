"""The SCIM service provider that Entra calls."""
