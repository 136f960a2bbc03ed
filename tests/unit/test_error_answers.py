"""Every error of the service has an answer on every surface: the classes are found, so that a new one is among them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from types import ModuleType
from typing import Any

import pytest

import scim
from scim.adapters.tables.table import TransactionTooLargeError
from scim.adapters.tables.transport import ConnectionLostError
from scim.events.feed import CursorExpiredError
from scim.events.organization_feed import TooManyDirectoriesError
from scim.json_body import UnreadableBodyError
from scim.management.problems import Problem, problem_answer
from scim.management.problems import problem_of as api_problem
from scim.portal.problems import PortalProblem
from scim.portal.problems import problem_of as portal_problem
from scim.provisioning.answers import error_answer
from scim.provisioning.errors import scim_error
from scim.resources.errors import StorageUnavailableError
from scim.resources.values import WrongTypeError

ROOMS = ("scim.directories", "scim.resources", "scim.events", "scim.adapters", "scim.json_body")
"""Where the errors are made that more than one surface meets."""
NEVER_SEEN: dict[type[Exception], str] = {
    ConnectionLostError: "of a transport; both table clients make an AttemptFailedError of it",
    TransactionTooLargeError: "a defect of ours, found before anything is sent",
}
ELSEWHERE: dict[type[Exception], tuple[str, ...]] = {
    WrongTypeError: ("API", "portal"),
    UnreadableBodyError: ("SCIM",),
    CursorExpiredError: ("SCIM",),
    TooManyDirectoriesError: ("SCIM",),
}
"""Where an error cannot come to: one of the protocol to the others, those of feeds and of the API's bodies to SCIM."""


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(scim.__path__, "scim."):
        if found.name.startswith(ROOMS) and not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def _error_classes() -> list[type[Exception]]:
    found = {
        kind
        for module in _modules()
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
    }
    return sorted(found - NEVER_SEEN.keys(), key=lambda kind: kind.__qualname__)


_VALUES: dict[str, Any] = {
    "retry_after": 7,
    "member_ids": ["usr_1"],
    "limit": "A user holds at most 256 KiB.",
    "valid": 2,
    "pending": 0,
    "forcible": True,
    "may_be_applied": True,
    "uncertain": True,
    "wait": 1.0,
    "index": 0,
    "problem": "syntax",
    "sent": True,
    "attribute": "userName",
}


def _made(kind: type[Exception]) -> Exception:
    """Return an error of a class, with a value for each parameter that it needs."""
    signature = inspect.signature(kind.__init__)
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = [each for each in list(signature.parameters.values())[1:] if each.kind not in open_ended]
    required = [each.name for each in named if each.default is each.empty]
    return kind(**{name: _VALUES.get(name, f"the {name}") for name in required})


def _scim(error: Exception) -> tuple[int, Any] | None:
    known = scim_error(error)
    return None if known is None else (known.status, error_answer(known).headers)


def _answered(problem_of: Callable[[Exception], Problem | PortalProblem | None], error: Exception) -> Any:
    problem = problem_of(error)
    return None if problem is None else (problem.status, problem.headers)


SURFACES: dict[str, Callable[[Exception], tuple[int, Any] | None]] = {
    "SCIM": _scim,
    "API": partial(_answered, api_problem),
    "portal": partial(_answered, portal_problem),
}


def _pairs() -> list[Any]:
    return [
        pytest.param(kind, surface, id=f"{kind.__name__}-{surface}")
        for kind in _error_classes()
        for surface in SURFACES
        if surface not in ELSEWHERE.get(kind, ())
    ]


@pytest.mark.parametrize(("kind", "surface"), _pairs())
def test_every_error_has_an_answer_on_every_surface(kind: type[Exception], surface: str) -> None:
    answered = SURFACES[surface](_made(kind))

    assert answered is not None, f"{kind.__qualname__} ends in a 500"
    status, headers = answered
    assert status < HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.SERVICE_UNAVAILABLE
    assert (status == HTTPStatus.SERVICE_UNAVAILABLE) == ("Retry-After" in headers)


def test_the_walk_finds_the_errors_of_every_kind_of_module() -> None:
    found = {kind.__name__ for kind in _error_classes()}

    assert {"StorageRefusedError", "VaultRefusedError", "DirectoryBusyError", "RowChangedError"} <= found
    assert {"AttemptFailedError", "UnreadableBodyError", "CursorExpiredError", "LostRaceError"} <= found


@pytest.mark.parametrize("surface", SURFACES)
def test_a_class_that_is_made_later_is_answered_as_what_it_derives_from(surface: str) -> None:
    class OfTomorrowError(StorageUnavailableError):
        pass

    assert SURFACES[surface](OfTomorrowError("new")) == SURFACES[surface](StorageUnavailableError("old"))


@pytest.mark.parametrize("surface", SURFACES)
def test_a_defect_is_answered_as_none(surface: str) -> None:
    assert SURFACES[surface](KeyError("a defect of ours")) is None


def test_the_answer_of_a_problem_carries_its_status() -> None:
    problem = api_problem(StorageUnavailableError("away", retry_after=3))

    assert problem is not None
    assert problem_answer(problem).headers == {"Retry-After": "3"}
