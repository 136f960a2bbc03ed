"""Ports on the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Sequence

LOOPBACK = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port, or on a free one where that is taken or 0."""
    try:
        return _bound(port)
    except OSError:
        return _bound(0)


def _bound(port: int) -> socket.socket:
    # With its protocol named, asyncio switches Nagle's algorithm off; else every answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def chosen_ports(wished: Sequence[int]) -> list[int]:
    """Return the wished ports, with a free one in the place of each that is 0 or taken."""
    listeners = [listen(port) for port in wished]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
