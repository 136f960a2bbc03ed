"""The functions of a FunctionApp, as records that the parts of this host serve."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azure.functions import FunctionApp

_SETTING = re.compile("%([^%]+)%")
_IMPLICIT_OUTPUT = "http"
_DEFAULT_CONNECTION = "AzureWebJobsStorage"


class FunctionsError(Exception):
    """The app has a function that this host cannot serve, or names a setting that is missing."""


@dataclass(frozen=True, slots=True)
class HttpFunction:
    """A function with an HTTP trigger."""

    name: str
    route: str
    methods: frozenset[str] | None
    parameter: str
    call: Callable[..., Any]
    is_async: bool


@dataclass(frozen=True, slots=True)
class QueueFunction:
    """A function with a queue trigger."""

    name: str
    queue_name: str
    connection_string: str
    invoke: Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class TimerFunction:
    """A function with a timer trigger: six fields, seconds first."""

    name: str
    schedule: str
    run_on_startup: bool
    invoke: Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Functions:
    """Every function of an app, by its trigger."""

    http: list[HttpFunction] = field(default_factory=list)
    queues: list[QueueFunction] = field(default_factory=list)
    timers: list[TimerFunction] = field(default_factory=list)


def read_functions(app: FunctionApp, settings: Mapping[str, str]) -> Functions:
    """Return the functions of an app that no setting disables; it may be read once only, as the app demands.

    :raises FunctionsError: When a function cannot be served here.
    """
    functions = Functions()
    readers: dict[str, Callable[[Any, Any, Mapping[str, str]], None]] = {
        "httpTrigger": lambda *read: functions.http.append(_http_function(*read)),
        "queueTrigger": lambda *read: functions.queues.append(_queue_function(*read)),
        "timerTrigger": lambda *read: functions.timers.append(_timer_function(*read)),
    }
    for function in app.get_functions():
        name = str(function.get_function_name())
        if _is_disabled(name, settings):
            continue
        trigger = function.get_trigger()
        kind = None if trigger is None else trigger.type
        outputs = [each.type for each in function.get_bindings() if each is not trigger]
        if kind not in readers or any(output != _IMPLICIT_OUTPUT for output in outputs):
            raise FunctionsError(f"function {name}: this host serves no {kind} with {outputs}")
        readers[kind](function, trigger, settings)
    return functions


def _is_disabled(name: str, settings: Mapping[str, str]) -> bool:
    return settings.get(f"AzureWebJobs.{name}.Disabled", "").lower() in ("true", "1")


def _http_function(function: Any, trigger: Any, _settings: Mapping[str, str]) -> HttpFunction:
    name, call = function.get_function_name(), function.get_user_function()
    methods = frozenset(str(method.value).upper() for method in trigger.methods) if trigger.methods else None
    return HttpFunction(name, trigger.route or name, methods, trigger.name, call, inspect.iscoroutinefunction(call))


def _queue_function(function: Any, trigger: Any, settings: Mapping[str, str]) -> QueueFunction:
    return QueueFunction(
        function.get_function_name(),
        _interpolated(trigger.queue_name, settings),
        _connection_string(trigger.connection, settings),
        _invocation(function.get_user_function(), trigger.name),
    )


def _timer_function(function: Any, trigger: Any, settings: Mapping[str, str]) -> TimerFunction:
    return TimerFunction(
        function.get_function_name(),
        _interpolated(trigger.schedule, settings),
        bool(trigger.run_on_startup),
        _invocation(function.get_user_function(), trigger.name),
    )


def _invocation(call: Callable[..., Any], parameter: str) -> Callable[[Any], Awaitable[Any]]:
    """Return a coroutine function that calls a function with its trigger's value, in a thread unless it is async."""
    if inspect.iscoroutinefunction(call):
        return lambda value: call(**{parameter: value})
    return lambda value: asyncio.to_thread(call, **{parameter: value})


def _interpolated(text: str, settings: Mapping[str, str]) -> str:
    return _SETTING.sub(lambda name: _setting(name[1], settings), text)


def _setting(name: str, settings: Mapping[str, str]) -> str:
    if name not in settings:
        raise FunctionsError(f"a function names the setting {name}, which is not set")
    return settings[name]


def _connection_string(name: str | None, settings: Mapping[str, str]) -> str:
    """Return a connection by the name of its setting, which may carry the prefix that the host also tries."""
    prefixed = f"AzureWebJobs{name}"
    return settings[prefixed] if prefixed in settings else _setting(name or _DEFAULT_CONNECTION, settings)
