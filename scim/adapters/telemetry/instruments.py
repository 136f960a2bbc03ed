"""The tracer and the metrics of this process, and what is counted in them."""

from __future__ import annotations

import asyncio
from typing import Final

from opentelemetry.metrics import MeterProvider, get_meter_provider
from opentelemetry.trace import TracerProvider, get_tracer_provider

from scim.service_signals import ServiceSignals

_SCOPE: Final = "scim"


class Instruments:
    """What spans and metrics are made with; the Functions worker has set up where they go.

    Attributes are ids of ours, names of operations and numbers: never a token, a filter, a name or an address.
    """

    def __init__(self, tracers: TracerProvider | None = None, meters: MeterProvider | None = None) -> None:
        """Use the providers of this process, unless a test passes its own."""
        self._meters = meters or get_meter_provider()
        self.tracer = (tracers or get_tracer_provider()).get_tracer(_SCOPE)
        meter = self._meters.get_meter(_SCOPE)
        self._requests = meter.create_counter("scim.requests", "{request}", "Requests answered")
        self._storage = meter.create_counter("scim.storage.requests", "{request}", "Storage requests of requests")
        self._hits = meter.create_counter("scim.cache.hits", "{lookup}", "Directories known without asking storage")
        self._misses = meter.create_counter("scim.cache.misses", "{lookup}", "Directories that storage was asked for")
        self._directories = meter.create_gauge("scim.sweep.directories", "{directory}", "Directories swept")
        self._failures = meter.create_gauge("scim.sweep.failures", "{directory}", "Directories whose sweep failed")
        self._timeouts = meter.create_gauge("scim.sweep.timeouts", "{directory}", "Directories whose sweep was cut")
        self._left = meter.create_gauge("scim.sweep.not_reached", "{directory}", "Directories left to the next sweep")
        self._recounts = meter.create_gauge("scim.sweep.recounts", "{directory}", "Directories counted anew")
        self._age = meter.create_gauge("scim.outbox.oldest_age_seconds", "s", "Age of the oldest outbox row")
        self._poison = meter.create_gauge("scim.poison.depth", "{message}", "Messages that failed every attempt")

    def count_request(self, surface: str, operation: str, status: int, storage_requests: int) -> None:
        """Count a request that was answered, and what it asked of storage."""
        what = {"surface": surface, "operation": operation}
        self._requests.add(1, {**what, "status": status})
        self._storage.add(storage_requests, what)

    def count_lookup(self, *, hit: bool) -> None:
        """Count whether a request's directory was known in memory."""
        (self._hits if hit else self._misses).add(1, {"cache": "directory"})

    def show(self, signals: ServiceSignals) -> None:
        """Show how the last sweep went and what it met; what is unknown has no value, rather than an old one."""
        self._directories.set(signals.directories)
        self._failures.set(signals.failures)
        self._timeouts.set(signals.timeouts)
        self._left.set(signals.not_reached)
        self._recounts.set(signals.recounts)
        self._age.set(signals.oldest_age_seconds)
        if signals.poison_depth is not None:
            self._poison.set(signals.poison_depth)

    async def flush(self) -> None:
        """Send the metrics now: after a timer the host may take the instance away before they are due."""
        force_flush = getattr(self._meters, "force_flush", None)
        if force_flush is not None:
            await asyncio.to_thread(force_flush)
