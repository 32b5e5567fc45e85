"""Ports of this machine."""

from __future__ import annotations

import socket

#: Seconds between two looks at who is to be ready.
READY_CHECK_SECONDS = 0.005


def free_port() -> int:
    """A TCP port of this machine that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
