"""Where CPU time goes: samples of the running process, each counted for the layer whose code it interrupted."""

from __future__ import annotations

import signal
from collections import Counter
from functools import cache
from types import FrameType

_SECONDS_BETWEEN_SAMPLES = 0.001

HTTP_HOST = "HTTP host"
EVENT_LOOP = "event loop"
_RULES = {
    "uvicorn": HTTP_HOST,
    "httptools": HTTP_HOST,
    "scim.local_host": HTTP_HOST,
    "azure.functions": "Functions conversion",
    "scim.triggers": "Functions conversion",
    "werkzeug": "Functions conversion",
    "scim.directories": "authentication",
    "scim.provisioning.authentication": "authentication",
    "scim.provisioning.bounded_cache": "authentication",
    "scim.provisioning.directory_cache": "authentication",
    "scim.single_flight": "authentication",
    "scim.provisioning.token_digests": "authentication",
    "scim.request_log": "request log",
    "scim": "provisioning",
    "scim2_models": "provisioning",
    "scim2_server": "provisioning",
    "scim.adapters.tables": "rows and events",
    "scim.events": "rows and events",
    "scim.adapters.tables.authorization": "table client",
    "scim.adapters.tables.batch": "table client",
    "scim.adapters.tables.entity": "table client",
    "scim.adapters.tables.failures": "table client",
    "scim.adapters.tables.filters": "table client",
    "scim.adapters.tables.limits": "table client",
    "scim.adapters.tables.rest_table": "table client",
    "scim.adapters.tables.retrying_table": "table client",
    "scim.adapters.tables.transport": "table client",
    "scim.resources.storage_scope": "table client",
    "aiohttp": "table client",
    "multidict": "table client",
    "yarl": "table client",
    "scim.adapters.storage_queue": "asking for the relay",
    "azure.storage": "asking for the relay",
    "azure.core": "asking for the relay",
}
LAYERS = (*dict.fromkeys(_RULES.values()), EVENT_LOOP)


@cache
def _layer_of_module(name: str) -> str | None:
    """Return the layer of the longest package that a rule names."""
    while name:
        if name in _RULES:
            return _RULES[name]
        name = name.rpartition(".")[0]
    return None


class Sampler:
    """Looks at the main thread every millisecond of CPU time, or as often as the kernel's clock ticks."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to sample."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _SECONDS_BETWEEN_SAMPLES, _SECONDS_BETWEEN_SAMPLES)

    def stop(self) -> None:
        """Sample no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        self.counts[layer_of(frame)] += 1


def layer_of(frame: FrameType | None) -> str:
    """Return the layer of the innermost frame that belongs to one; what belongs to none is the event loop's."""
    while frame is not None:
        layer = _layer_of_module(str(frame.f_globals.get("__name__", ""))) or _layer_of_socket(frame)
        if layer is not None:
            return layer
        frame = frame.f_back
    return EVENT_LOOP


def _layer_of_socket(frame: FrameType) -> str | None:
    """Return the layer whose bytes a transport of asyncio reads or writes."""
    if frame.f_globals.get("__name__") != "asyncio.selector_events":
        return None
    protocol = getattr(frame.f_locals.get("self"), "_protocol", None)
    return None if protocol is None else _layer_of_module(type(protocol).__module__)
