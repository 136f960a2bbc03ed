"""What keeps other sites out: the cookie, the checks of every POST, and the headers of every answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from scim.directories.portal_access import SESSION_LIFE, SessionKey
from scim.portal.problems import PortalProblem, foreign_form, unreadable
from scim.unicode_text import fault_in
from scim.web import WebRequest

FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field
MAX_FORM_BYTES, MAX_FIELDS = 64 * 1024, 1000
_SEPARATORS = re.compile("[;,]")

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
"""With ``no-referrer`` our own forms would send ``Origin: null``, and could not be told from others."""


def cookie_name(base_url: str) -> str:
    """Return the name of the session's cookie.

    ``__Host-`` would be better still, and cannot be: the Functions host adds ``domain=`` to every cookie.
    """
    url = urlsplit(base_url)
    return "__Secure-scim" if url.scheme == "https" else f"scim_{url.port or 80}"


def session_cookie(base_url: str, key: SessionKey) -> str:
    """Return the Set-Cookie header that begins a session."""
    return _cookie(base_url, key.cookie, int(SESSION_LIFE.total_seconds()))


def ended_cookie(base_url: str) -> str:
    """Return the Set-Cookie header that lets the browser forget its session."""
    return _cookie(base_url, "ended", 0)


def _cookie(base_url: str, value: str, max_age: int) -> str:
    secure = "; Secure" if urlsplit(base_url).scheme == "https" else ""
    return f"{cookie_name(base_url)}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Strict{secure}"


def session_key(web: WebRequest, base_url: str) -> SessionKey | None:
    """Return what a request's cookie says of a session, or None: also for two cookies of the session's name.

    A site on a domain beside ours can set one for the domain above both, and nothing tells which of two is ours.
    """
    found = _session_cookies(web, base_url)
    name, value = found[0] if len(found) == 1 else ("", "")
    return SessionKey.read(value) if name == cookie_name(base_url) else None


def has_two_sessions(web: WebRequest, base_url: str) -> bool:
    """Tell whether a request has more than one cookie of the session's name."""
    return len(_session_cookies(web, base_url)) > 1


def _session_cookies(web: WebRequest, base_url: str) -> list[tuple[str, str]]:
    """Return name and value of each cookie that anybody on the way may take for the session's.

    Several Cookie headers come joined by ``;`` or ``,``; a value of ours has neither.
    """
    wanted = cookie_name(base_url).lower()
    pairs = [each.partition("=") for each in _SEPARATORS.split(web.headers.get("cookie", ""))]
    named = [(name.strip(), value.strip()) for name, _, value in pairs]
    return [(name, value) for name, value in named if unquote(name).strip(" \t\"'").lower() == wanted]


def require_same_origin(web: WebRequest, base_url: str) -> None:
    """Refuse a POST that another site began.

    :raises PortalProblem: 403, also where the browser tells neither.
    """
    site, url = web.headers.get("sec-fetch-site", ""), urlsplit(base_url)
    own = f"{url.scheme}://{url.netloc}"
    if site != "same-origin" if site else web.headers.get("origin") != own:
        raise foreign_form()


def is_embedded(web: WebRequest) -> bool:
    """Tell whether a page of another site asks, by itself: for a picture, a frame or the like, not because of a click.

    The cookie comes with what a site on a domain beside ours asks for, since the two are the same site.
    """
    of_others = web.headers.get("sec-fetch-site") in ("same-site", "cross-site")
    return of_others and web.headers.get("sec-fetch-dest") != "document"


def require_form_token(form: Mapping[str, str], key: SessionKey) -> None:
    """Refuse a form that was not made for this session.

    :raises PortalProblem: 403.
    """
    if not key.is_form_token(form.get(FORM_TOKEN, "")):
        raise foreign_form()


def read_form(web: WebRequest) -> dict[str, str]:
    """Return the fields of a form; of a repeated one the last.

    :raises PortalProblem: 400, when the body is too large, no form, or holds what is no text.
    """
    media_type = web.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = media_type == "application/x-www-form-urlencoded" and len(web.body) <= MAX_FORM_BYTES
    if not is_form or web.body.count(b"&") > MAX_FIELDS:
        raise PortalProblem(400, "The form could not be read", "Nothing was changed. Go back and try again.")
    text = web.body.decode(errors="surrogateescape")
    form = dict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))
    if any(fault_in(each) for each in (*form, *form.values())):
        raise unreadable("A field of the form holds a character that no text may hold.")
    return form
