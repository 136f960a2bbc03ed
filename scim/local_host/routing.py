"""Which function answers a request, by the rules of the Azure Functions host. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote, unquote

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<optional>\??)\}")
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
_LONE_PERCENT = re.compile("%(?![0-9a-fA-F]{2})")
_LEFT_BARE_IN_PATHS = "/%!$&'()*+,;=:@~"

T = TypeVar("T")


class RouteError(ValueError):
    """A route template that the Functions host, or this host, does not take."""


@dataclass(frozen=True, slots=True)
class Route(Generic[T]):
    """What one function takes: a template, and the methods in upper case (``None``: any)."""

    function_name: str
    template: str
    methods: frozenset[str] | None
    target: T


class Router(Generic[T]):
    """Finds the first route that fits, in the order of function names without regard to case.

    There is no precedence of literals over parameters, and a method that a route does not take goes on to the next.
    """

    def __init__(self, routes: Iterable[Route[T]], prefix: str = "") -> None:
        # Ordinal order without case compares capitals: "_" comes after the letters.
        ordered = sorted(routes, key=lambda route: route.function_name.upper())
        start = "".join(map(_segment, filter(None, prefix.split("/"))))
        self._routes = [
            (re.compile(f"{start}{_pattern(route.template)}/?", re.IGNORECASE).fullmatch, route.methods, route.target)
            for route in ordered
        ]

    def match(self, method: str, path: str) -> tuple[T, Mapping[str, str]] | None:
        """Return the function for a decoded path and its route values; one that is empty or absent is left out."""
        if path == "/":
            path = ""
        for fullmatch, methods, target in self._routes:
            if (methods is None or method in methods) and (found := fullmatch(path)):
                return target, {name: value for name, value in found.groupdict().items() if value}
        return None


def _pattern(template: str) -> str:
    if re.match("[/~]|admin|runtime", template, re.IGNORECASE):
        raise RouteError(f"route {template!r} begins with '/', '~', 'admin' or 'runtime', which the host refuses")
    *before, last = template.split("/")
    return "".join(map(_segment, before)) + _segment(last, last=True)


def _segment(segment: str, *, last: bool = False) -> str:
    if segment and not set(segment) & set("{}"):
        return "/" + re.escape(segment)
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None:
        raise RouteError(f"this host takes whole segments as parameters, without constraints; not {segment!r}")
    name, rest, optional = parameter["name"], parameter["rest"], parameter["optional"]
    if (rest or optional) and not last:
        raise RouteError(f"{segment!r} must be the last segment")
    if rest:
        return f"(?:/(?P<{name}>(?s:.*)))?"
    return f"(?:/(?P<{name}>[^/]+))?" if optional else f"/(?P<{name}>[^/]+)"


def decoded_path(raw: str) -> str:
    """Return the path percent-decoded once, as routes see it; an encoded slash stays ``%2F``."""
    if "%" not in raw:
        return raw
    return "%2F".join(unquote(part) for part in _ENCODED_SLASH.split(raw))


def url_path(raw: str) -> str:
    """Return the path as the host writes it into a request's URL: decoded, then encoded again where needed.

    What looks like an escape after decoding is left as it is, so a double encoding comes out single.
    """
    if "%" not in raw:
        return raw
    return quote(_LONE_PERCENT.sub("%25", decoded_path(raw)), safe=_LEFT_BARE_IN_PATHS)
