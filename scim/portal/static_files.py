"""The stylesheet, the script and the pictures of the pages, each under an address that names its content."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from scim.portal.problems import not_found
from scim.portal.visit import Visit
from scim.web import WebResponse

LOGO = "logo.png"
_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served."""

    content: bytes
    content_type: str
    hash: str


@cache
def static_file(name: str, logo: bytes = b"") -> StaticFile | None:
    """Return a file by its name, read once; None where there is none."""
    path = _FOLDER / name
    content = logo if name == LOGO else path.read_bytes() if name in _names() else b""
    if not content:
        return None
    return StaticFile(content, _TYPES[path.suffix], sha256(content).hexdigest()[:16])


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _FOLDER.iterdir() if path.suffix in _TYPES)


def static_path(name: str, logo: bytes = b"") -> str:
    """Return the path of a file below the portal's.

    :raises LookupError: When there is no such file.
    """
    found = static_file(name, logo)
    if found is None:
        raise LookupError(name)
    return f"static/{found.hash}/{name}"


async def answer_static(visit: Visit) -> WebResponse:
    """Return a file. Under the address of its content it may be kept for ever; under an older one it may not."""
    name = visit.path["name"]
    found = static_file(name, visit.services.branding.logo) if name == LOGO or name in _names() else None
    if found is None:
        raise not_found()
    headers = {"Cache-Control": _FOR_EVER} if visit.path["hash"] == found.hash else {}
    return WebResponse(200, found.content, headers, found.content_type)
