"""Directory sync for SaaS products: Microsoft Entra ID provisions users and groups over SCIM 2.0."""
