"""Whether a connection that stood idle may still be used, and whether anything has come on it.

What can be read before a request is sent is no answer to it: it is the end of the connection, or an answer to
something else. And what stood for long is not even tried: the other side, or something in between, may have
dropped it silently. A process that was stopped, or a machine that slept, wakes with such connections.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field

from greenroom.clock import boottime
from greenroom.provider.failures import BadAnswer
from greenroom.provider.response_parser import ResponseParser

#: Idle connections that have not been used for so long, in seconds, are closed.
IDLE_SECONDS = 60.0
_PIECE = 64 * 1024


@dataclass(frozen=True)
class IdleSince:
    """The moment since which something stands idle, on two clocks.

    The wall clock is asked, too: a virtual machine that was paused and goes on sees by it alone how long that
    was. Where somebody sets it, a few connections are made anew.
    """

    boot: float = field(default_factory=boottime)
    wall: float = field(default_factory=time.time)

    @property
    def too_long(self) -> bool:
        """Whether that was so long ago that it is not to be used any more."""
        return max(boottime() - self.boot, time.time() - self.wall) > IDLE_SECONDS


def is_quiet(sock: socket.socket) -> bool:
    """Whether nothing at all has come on a connection; else it is not to be used any more."""
    try:
        return read_available(sock) is None
    except OSError:
        return False


def read_interim(sock: socket.socket, parser: ResponseParser) -> None:
    """Take in what has come while a request is being sent: interim answers may.

    Raises:
        BrokenPipeError: an answer has, before all was sent; the rest of the request is not sent any more.
        OSError: the connection is broken.
    """
    if not _anything_came(sock):
        return
    with suppress(BadAnswer):  # whoever reads on finds it, too
        while data := read_available(sock):
            parser.feed(data)
    if parser.begun:
        raise BrokenPipeError


def _anything_came(sock: socket.socket) -> bool:
    """Whether a connection of which all was read may have something to be read again.

    Asked for each piece of a body: to try to read costs a twentieth of what a large upload costs.
    """
    events = select.poll()
    events.register(sock, select.POLLIN)
    return bool(events.poll(0))


def read_available(sock: socket.socket) -> bytes | None:
    """What has come on a connection by now: None for nothing, no bytes for its end.

    Raises:
        OSError: the connection is broken.
    """
    timeout = sock.gettimeout()
    if timeout == 0:
        return _received(sock)
    sock.settimeout(0)
    try:
        return _received(sock)
    finally:
        sock.settimeout(timeout)


def _received(sock: socket.socket) -> bytes | None:
    # Not by asking whether there is something to be read: over TLS that may be the peer's housekeeping.
    try:
        return sock.recv(_PIECE)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
