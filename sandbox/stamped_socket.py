"""A listening socket whose connections know when their bytes came; it needs no library to be made."""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import Any

#: Connections that may wait to be accepted.
ACCEPT_QUEUE = 1024
_IS_LINUX = sys.platform == "linux"
_TIMESTAMPNS = 35  # asm-generic/socket.h; Python has no name for it
_TIMESPEC = struct.Struct("@qq")
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size)


class StampedSocket(socket.socket):
    """A socket that knows when the first bytes came that nobody has asked about yet.

    A listening one gives sockets of this kind.
    """

    _came_at: float | None = None

    def accept(self) -> tuple[StampedSocket, Any]:
        """As any socket does."""
        plain, address = super().accept()
        accepted = StampedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        STAMPED[accepted.fileno()] = accepted
        return accepted, address

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As any socket does."""
        data, notes, _, _ = super().recvmsg(size, _ROOM, flags)
        if self._came_at is None:
            self._came_at = _noted(notes) or time.monotonic()
        return data

    def take_moment(self) -> float:
        """When the first bytes came since this was asked last."""
        came_at, self._came_at = self._came_at, None
        return time.monotonic() if came_at is None else came_at

    def close(self) -> None:
        """As any socket does."""
        STAMPED.pop(self.fileno(), None)
        super().close()


#: By number: asyncio shows a transport's socket through a wrapper alone, but its number is the same.
STAMPED: dict[int, StampedSocket] = {}


def _noted(notes: list[tuple[int, int, bytes]]) -> float | None:
    """The system's note on when these bytes came, by `time.monotonic`."""
    for level, kind, value in notes:
        if (level, kind, len(value)) == (socket.SOL_SOCKET, _TIMESTAMPNS, _TIMESPEC.size):
            seconds, nano = _TIMESPEC.unpack(value)
            now, wall = _both_clocks()
            age: float = wall - (seconds + nano / 1e9)
            return now - max(0.0, age)
    return None


def _both_clocks() -> tuple[float, float]:
    """One moment by `time.monotonic` and by `time.time`.

    A process may lose the processor between the two. Of three readings, the one that took least time counts.
    """
    readings = []
    for _ in range(3):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        readings.append((after - before, before, wall))
    _, before, wall = min(readings)
    return before, wall


def listen(host: str, port: int, *, backlog: int) -> StampedSocket:
    """A socket that listens at this address.

    Raises:
        OSError: it cannot be listened on.
    """
    return stamped(listening_socket(host, port, backlog=backlog))


def stamped(listening: socket.socket) -> StampedSocket:
    """The same socket, which knows from now on; the one that was given is closed."""
    return StampedSocket(listening.family, listening.type, listening.proto, fileno=listening.detach())


def listening_socket(host: str, port: int, *, backlog: int) -> socket.socket:
    """A socket that listens at this address, for a process that is still to come.

    Raises:
        OSError: it cannot be listened on.
    """
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if _IS_LINUX:  # accepted ones have it from here, for what came before they were accepted, too
            listening.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        listening.bind(address)
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening
