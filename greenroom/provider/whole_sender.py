"""Sends small uploads in one piece, on pooled connections; their answers come later.

See docs/decisions/0014.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from greenroom.provider.connection_pool import (
    ConnectionBroken,
    ConnectionPool,
    PooledConnection,
    RefusedMidway,
)
from greenroom.provider.http_response import HttpResponse
from greenroom.provider.multipart import CHUNK_BYTES
from greenroom.provider.origin import Origin
from greenroom.provider.request import ApiRequest
from greenroom.provider.response_errors import error_of_break

#: Bytes of a file that is sent in one go: they fit into what the operating system keeps for a connection.
LARGEST_AT_ONCE = CHUNK_BYTES


class WholeSender:
    """Sends to one origin, directly; may be used by many threads at once."""

    def __init__(self, origin: Origin, *, tls: ssl.SSLContext | None, timeout: tuple[float, float]) -> None:
        """Prepare; nothing is connected yet. As :class:`ConnectionPool`."""
        self._pool = ConnectionPool(origin, tls=tls, timeout=timeout)

    def has_idle_connection(self) -> bool:
        """Whether a connection stands that nobody uses."""
        return self._pool.has_idle()

    def send(self, request: ApiRequest, done: Callable[[HttpResponse], None]) -> None:
        """Send an upload; `done` is called once, in another thread, with what it was answered.

        Raises:
            GreenroomError: it was not sent; `done` is not called.
        """
        data = _on_the_wire(request)
        line = self._connection(request)
        try:
            request.before_sending()
        except BaseException:
            self._pool.put_back(line)
            raise
        problem = ""
        try:
            line = self._pool.send(line, data)
            request.sent_whole = True
        except RefusedMidway as refused:
            line = refused.line
        except ConnectionBroken as error:
            problem = str(error)
        finally:
            request.after_sending(line.take_lateness())
        if problem:
            raise error_of_break(request, problem)
        self._pool.wait_for_answer(line, done)

    def _connection(self, request: ApiRequest) -> PooledConnection:
        try:
            return self._pool.idle() or self._pool.connect()
        except ConnectionBroken as error:
            problem = str(error)
        raise error_of_break(request, problem, connected=False)

    def close(self) -> None:
        """Close all idle connections now, and the others when their answers have come."""
        self._pool.close()


def _on_the_wire(request: ApiRequest) -> bytes:
    url = urlsplit(request.url)
    lines = [f"{request.method} {url.path} HTTP/1.1", f"Host: {url.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers().items()]
    return b"".join(("\r\n".join((*lines, "", "")).encode(), *(request.body or ())))
