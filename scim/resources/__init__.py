"""SCIM users and groups as JSON documents: schema, reading, filters, membership, and how they are stored and found."""
