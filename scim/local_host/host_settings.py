"""What host.json says, as far as this host follows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from scim.local_host.functions import FunctionsError

_ENCODINGS = ("base64", "none")


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How queues are read; the defaults are the host's."""

    batch_size: int = 16
    max_dequeue_count: int = 5
    max_polling_interval: timedelta = timedelta(minutes=1)
    visibility_timeout: timedelta = timedelta(0)
    message_encoding: str = "base64"


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The settings of one host.json."""

    route_prefix: str
    custom_headers: Mapping[str, str]
    queues: QueueSettings


def read_host_settings(path: Path) -> HostSettings:
    """Return what a host.json says, with the host's defaults for the rest."""
    extensions = json.loads(path.read_text(encoding="utf-8")).get("extensions", {})
    http = extensions.get("http", {})
    return HostSettings(
        http.get("routePrefix", "api"), http.get("customHeaders", {}), _queue_settings(extensions.get("queues", {}))
    )


def _queue_settings(said: Mapping[str, Any]) -> QueueSettings:
    default = QueueSettings()
    return QueueSettings(
        batch_size=said.get("batchSize", default.batch_size),
        max_dequeue_count=said.get("maxDequeueCount", default.max_dequeue_count),
        max_polling_interval=_interval(said.get("maxPollingInterval"), default.max_polling_interval),
        visibility_timeout=_interval(said.get("visibilityTimeout"), default.visibility_timeout),
        message_encoding=_encoding(said.get("messageEncoding", default.message_encoding)),
    )


def _encoding(text: str) -> str:
    """Return how messages are written: ``base64`` or ``none``, in any letter case as the host reads it.

    :raises FunctionsError: Saying what to write.
    """
    if text.lower() not in _ENCODINGS:
        raise FunctionsError(f"host.json: messageEncoding of queues is {' or '.join(_ENCODINGS)}")
    return text.lower()


def _interval(text: str | None, default: timedelta) -> timedelta:
    if text is None:
        return default
    hours, minutes, seconds = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
