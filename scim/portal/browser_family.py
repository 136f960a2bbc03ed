"""Which browser visits, as coarsely as an administrator tells browsers apart. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_FAMILIES: Sequence[tuple[str, str]] = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Browsers name those that they resemble, too: what names fewest others comes first."""
_SYSTEMS: Sequence[tuple[str, str]] = (
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
_LOOKED_AT = 512


def browser_family(user_agent: str) -> str:
    """Return the family of a browser and its system, such as ``Firefox on macOS``: one of few texts of ours."""
    looked_at = user_agent[:_LOOKED_AT]
    family, system = _first(_FAMILIES, looked_at), _first(_SYSTEMS, looked_at)
    return f"{family or 'Another browser'} on {system}" if system else family or "Another browser"


def _first(names: Sequence[tuple[str, str]], text: str) -> str:
    return next((name for mark, name in names if mark in text), "")
