"""A directory: its connection and how much has arrived, and the guide filled in with its values."""

from __future__ import annotations

import asyncio

from scim.portal.custom_attributes import LONGEST_SOURCE, check_source, custom_urns
from scim.portal.guide import filled_in, guide
from scim.portal.rendering import page
from scim.portal.visit import Page, Visit
from scim.web import WebResponse


async def show_overview(visit: Visit) -> WebResponse:
    """Return the connection, its tokens in short and the counts. Two storage requests and those of admission."""
    tokens, counts = await asyncio.gather(
        visit.services.tokens.tokens_of(visit.directory), visit.services.counts_of(visit.directory)
    )
    return page(
        visit,
        "overview.html",
        provider=guide().of(visit.directory.provider),
        tokens=[token for token in tokens if token.state in ("current", "previous")],
        counts=counts,
    )


async def show_guide(visit: Visit) -> WebResponse:
    """Return the guide with this directory's values. No storage request beside those of admission."""
    provider = guide().of(visit.directory.provider)
    urns = custom_urns(visit.directory.attribute_mappings, visit.services.branding.name)
    values = {"tenant_url": visit.tenant_url, "application": visit.services.branding.name, "custom_urn": urns[0]}
    source = visit.web.query.get("source", "")[:LONGEST_SOURCE]
    return page(
        visit,
        "guide.html",
        provider=provider,
        older=bool(provider.older_name) and visit.web.query.get("flow") == "older",
        runs=lambda text: filled_in(text, values),
        urns=urns,
        source=source,
        check=check_source(source) if source else None,
    )


_ONE = "/directories/{directory_id}"
PAGES = (
    Page("overview", "GET", _ONE, show_overview),
    Page("guide", "GET", f"{_ONE}/guide", show_guide),
)
