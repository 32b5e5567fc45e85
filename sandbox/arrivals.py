"""When a request arrived at this machine, whenever the sandbox was given the processor to see it.

"25 requests per second" is about arrivals. On a busy machine a handler runs tens of milliseconds after its
request has come, one more and another less, and would count 26 in a second that had 25. Linux notes when the
bytes came (``SO_TIMESTAMPNS``, see socket(7)); elsewhere the moment of reading them counts.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

_IS_LINUX = sys.platform == "linux"
_TIMESTAMPNS = 35  # asm-generic/socket.h; Python has no name for it
_TIMESPEC = struct.Struct("@qq")
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size)
#: Where a handler finds the moment: seconds, by `time.monotonic`.
ARRIVED_AT = web.RequestKey("arrived_at", float)


class StampedSocket(socket.socket):
    """A socket that knows when the first bytes came that nobody has asked about yet.

    A listening one gives sockets of this kind.
    """

    _came_at: float | None = None

    def accept(self) -> tuple[StampedSocket, Any]:
        """As any socket does."""
        plain, address = super().accept()
        accepted = StampedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        _stamped[accepted.fileno()] = accepted
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
        _stamped.pop(self.fileno(), None)
        super().close()


# asyncio shows a transport's socket through a wrapper alone, but its number is the same.
_stamped: dict[int, StampedSocket] = {}


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
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = StampedSocket(family, socket.SOCK_STREAM)
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


@web.middleware
async def note_arrival(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the handler when its request arrived."""
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    stamped = None if sock is None else _stamped.get(sock.fileno())
    request[ARRIVED_AT] = time.monotonic() if stamped is None else stamped.take_moment()
    try:
        return await handler(request)
    finally:
        if stamped is not None:
            stamped.take_moment()  # of the body; the next bytes are the next request's
