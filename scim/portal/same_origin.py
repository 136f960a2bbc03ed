"""What keeps other sites out: the cookie, the checks of every POST, and the headers of every answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from scim.directories.portal_access import SESSION_LIFE, SessionKey
from scim.portal.problems import PortalProblem, foreign_form
from scim.web import WebRequest

FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field
MAX_FORM_BYTES, MAX_FIELDS = 64 * 1024, 1000

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
    """Return what a request's cookie says of a session, or None.

    Cookies of others may be malformed, and may have the same name on a domain above ours.
    """
    wanted = cookie_name(base_url)
    for cookie in web.headers.get("cookie", "").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == wanted and (key := SessionKey.read(value)):
            return key
    return None


def require_same_origin(web: WebRequest, base_url: str) -> None:
    """Refuse a POST that another site began.

    :raises PortalProblem: 403, also where the browser tells neither.
    """
    site, url = web.headers.get("sec-fetch-site", ""), urlsplit(base_url)
    own = f"{url.scheme}://{url.netloc}"
    if site != "same-origin" if site else web.headers.get("origin") != own:
        raise foreign_form()


def require_form_token(form: Mapping[str, str], key: SessionKey) -> None:
    """Refuse a form that was not made for this session.

    :raises PortalProblem: 403.
    """
    if not key.proves("form", form.get(FORM_TOKEN, "")):
        raise foreign_form()


def read_form(web: WebRequest) -> dict[str, str]:
    """Return the fields of a form; of a repeated one the last.

    :raises PortalProblem: When the body is too large or no form.
    """
    media_type = web.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = media_type == "application/x-www-form-urlencoded" and len(web.body) <= MAX_FORM_BYTES
    if not is_form or web.body.count(b"&") > MAX_FIELDS:
        raise PortalProblem(400, "The form could not be read", "Nothing was changed. Go back and try again.")
    return dict(parse_qsl(web.body.decode("utf-8", "replace"), keep_blank_values=True))
