"""Connections on which small uploads are sent whole, while one thread waits for all of their answers.

Threads that send and then wait for their answers cost more than the uploads themselves: at 25 uploads a
second on each of 20 numbers there are a hundred of them, and they hand the interpreter to each other thirty
times an upload. Here, whoever sends goes on as soon as the last byte is out, and answers are read as they
come. See docs/decisions/0014.

urllib3 connects (names, TLS, certificates); what is sent and read on a connection that stands is done here.

A connection is looked at just before a request is sent on it: what is there then is not its answer. And after
anything but one whole answer it is closed: a media ID must never reach the file of another request.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import wait_for_read, wait_for_write

from greenroom.clock import boottime
from greenroom.provider.failures import BROKEN_EXCHANGE, BadAnswer, why
from greenroom.provider.http_response import HttpResponse
from greenroom.provider.idle_connections import IdleSince, is_quiet, read_interim
from greenroom.provider.origin import Origin
from greenroom.provider.response_parser import MORE_THAN_ONE, ResponseParser

logger = logging.getLogger(__name__)

#: Seconds between two looks at answers that are overdue.
TIMEOUT_CHECK_SECONDS = 1.0
#: Seconds between two looks at answers that have come.
READ_EVERY_SECONDS = 0.01
_PIECE = 64 * 1024


class ConnectionBroken(Exception):
    """A connection could not be made, or broke; its text says why, free of secrets."""


class RefusedMidway(Exception):
    """The other side answered or hung up before it had the whole request.

    Attributes:
        line: on which that was; what it has said can be waited for.
    """

    def __init__(self, line: PooledConnection) -> None:
        super().__init__()
        self.line = line


@dataclass(kw_only=True)
class _Waiting:
    """A request that was sent, and whose answer has not come."""

    parser: ResponseParser
    deadline: float
    done: Callable[[HttpResponse], None]


@dataclass(kw_only=True, eq=False)
class PooledConnection:
    """One connection that stands.

    Attributes:
        sock: to write to and read from.
        idle_since: when it was used last.
        parser: of the answer to what is being sent.
        waiting: for the answer to what was sent last.
        lateness: seconds that connecting took, until the first request is sent.
    """

    connection: HTTPConnection
    sock: socket.socket
    lateness: float
    idle_since: IdleSince = field(default_factory=IdleSince)
    parser: ResponseParser | None = None
    waiting: _Waiting | None = None

    def take_lateness(self) -> float:
        """Seconds by which the request that was just sent may arrive later than others."""
        late, self.lateness = self.lateness, 0.0
        return late


class ConnectionPool:
    """The connections to one origin; may be used by many threads at once."""

    def __init__(self, origin: Origin, *, tls: ssl.SSLContext | None, timeout: tuple[float, float]) -> None:
        """Prepare; nothing is connected yet.

        Args:
            origin: where to.
            tls: how to verify; None for plain HTTP.
            timeout: seconds for connecting, and seconds without progress.
        """
        self._origin = origin
        self._tls = tls
        self._connect_timeout, self._timeout = timeout
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._idle: deque[PooledConnection] = deque()
        self._waiting: set[PooledConnection] = set()
        # Connections are registered for as long as they stand, so that the end of an idle one is seen.
        self._selector = selectors.DefaultSelector()
        self._reads = False
        self._closed = False

    def has_idle(self) -> bool:
        """Whether there is a connection that nobody uses; it may have been closed by the other side."""
        return bool(self._idle) and self._process == os.getpid()

    def idle(self) -> PooledConnection | None:
        """A connection that stands and that nobody uses, if there is one."""
        if self._process != os.getpid():  # forked: the parent's sockets are the parent's
            self._begin()
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return None
            if not line.idle_since.too_long:
                return line
            self.discard(line)

    def connect(self) -> PooledConnection:
        """A new connection.

        Raises:
            ConnectionBroken: it could not be made.
        """
        host, port = self._origin.host, self._origin.port
        connection: HTTPConnection
        if self._tls is None:
            connection = HTTPConnection(host, port, timeout=self._connect_timeout)
        else:
            connection = HTTPSConnection(host, port, timeout=self._connect_timeout, ssl_context=self._tls)
        began = time.monotonic()
        try:
            connection.connect()
        except BROKEN_EXCHANGE as error:
            problem = why(error)
        else:
            if connection.sock is not None:
                # From here on nothing waits inside a call.
                connection.sock.settimeout(0)
                took = time.monotonic() - began
                line = PooledConnection(connection=connection, sock=connection.sock, lateness=took)
                self._selector.register(line.sock, selectors.EVENT_READ, line)
                return line
            problem = "the connection was closed"
        connection.close()
        raise ConnectionBroken(problem)

    def send(self, line: PooledConnection, request: bytes) -> PooledConnection:
        """Send all of a request; returns the connection on which that was done.

        Raises:
            ConnectionBroken: the connection broke; the other side does not have the whole request.
            RefusedMidway: it did not want the whole request, and has perhaps said why.
        """
        if not is_quiet(line.sock):
            # It ended while it was idle; or it has an answer to something else.
            self.discard(line)
            line = self.connect()
        line.parser = ResponseParser()
        try:
            self._send_all(line, line.parser, memoryview(request))
        except BrokenPipeError:
            raise RefusedMidway(line) from None
        except OSError as error:
            problem = why(error)
        else:
            return line
        self.discard(line)
        raise ConnectionBroken(problem)

    def _send_all(self, line: PooledConnection, parser: ResponseParser, left: memoryview) -> None:
        sock = line.sock
        while left:
            try:
                left = left[sock.send(left) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                goes_on = wait_for_write(sock, timeout=self._timeout)
            except ssl.SSLWantReadError:
                goes_on = wait_for_read(sock, timeout=self._timeout)
            else:
                goes_on = True
            if not goes_on:
                raise TimeoutError
            if left:
                read_interim(sock, parser)

    def wait_for_answer(self, line: PooledConnection, done: Callable[[HttpResponse], None]) -> None:
        """Have `done` called, in a thread of ours, with what comes; the connection is ours from now on."""
        parser, line.parser = line.parser or ResponseParser(), None
        waiting = _Waiting(parser=parser, deadline=boottime() + self._timeout, done=done)
        if parser.whole:  # it came while the request was being sent
            self._end(line, waiting, problem="")
            return
        # In this order: the answer may be read as soon as somebody waits for it.
        self._waiting.add(line)
        line.waiting = waiting
        if not self._reads:
            with self._lock:
                if not self._reads:
                    self._reads = True
                    threading.Thread(target=self._read, name="answers", daemon=True).start()

    def discard(self, line: PooledConnection) -> None:
        """End a connection."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(line.sock)
        line.connection.close()

    def put_back(self, line: PooledConnection) -> None:
        """Keep a connection, on which nothing is in flight, for the next request."""
        line.idle_since = IdleSince()
        self._idle.append(line)
        if self._closed:
            self.close()
        # The one that was used last is taken first, so the others grow old at the other end.
        with suppress(IndexError):
            if self._idle[0].idle_since.too_long:
                self.discard(self._idle.popleft())

    def close(self) -> None:
        """Close all idle connections now, and the others when their answers have come."""
        self._closed = True
        while self._idle:
            with suppress(IndexError):
                self.discard(self._idle.pop())

    def _read(self) -> None:
        look_at = 0.0
        while not self._is_over():
            ready = self._selector.select(TIMEOUT_CHECK_SECONDS)
            for key, _ in ready:
                self._take_in_surely(key.data)
            if ready:
                # What comes meanwhile is read in one go: each waking costs as much as reading an answer
                # (`make bench-backlog`).
                time.sleep(READ_EVERY_SECONDS)
            now = boottime()
            if now >= look_at:
                look_at = now + TIMEOUT_CHECK_SECONDS
                for line in list(self._waiting):
                    if line.waiting and line.waiting.deadline < now:
                        self._end(line, line.waiting, problem="it did not answer in time")

    def _is_over(self) -> bool:
        if not self._closed or self._waiting:
            return False
        with self._lock:
            self._reads = bool(self._waiting)
            return not self._reads

    def _take_in_surely(self, line: PooledConnection) -> None:
        try:
            self._take_in(line)
        except Exception:
            # Nobody else reads: the others' answers must not be lost with this one.
            logger.exception("An answer could not be read, by a fault of Greenroom's own.")
            if line.waiting is not None:
                self._end(line, line.waiting, problem="it could not be read")

    def _take_in(self, line: PooledConnection) -> None:
        waiting = line.waiting
        if waiting is None:
            # Closed by the other side while nobody used it; or an answer that came before we wait for it.
            with suppress(ValueError):
                self._idle.remove(line)
                self.discard(line)
            return
        parser = waiting.parser
        problem = ""
        try:
            data = line.sock.recv(_PIECE)
            if data:
                parser.feed(data)
            else:
                parser.end()
        except (BlockingIOError, ssl.SSLWantReadError):
            return  # TLS had something to say to itself
        except BadAnswer as error:
            problem = str(error)
        except OSError as error:
            problem = why(error)
        if problem or parser.whole:
            self._end(line, waiting, problem=problem)

    def _end(self, line: PooledConnection, waiting: _Waiting, *, problem: str) -> None:
        parser = waiting.parser
        parser.close()
        line.waiting = None
        self._waiting.discard(line)
        if parser.surplus:
            problem = MORE_THAN_ONE
        if not problem and parser.keeps_connection:
            self.put_back(line)
        else:
            self.discard(line)
        try:
            waiting.done(_response(parser, problem))
        except Exception:
            # Whatever its owner makes of it: the others' answers are read all the same.
            logger.exception("An answer could not be dealt with, by a fault of Greenroom's own.")


def _response(parser: ResponseParser, problem: str) -> HttpResponse:
    if parser.surplus:
        return HttpResponse(problem=problem)
    # A status is an answer, even where the rest of it did not come.
    return HttpResponse(
        status=parser.status,
        body=parser.body(),
        retry_after=parser.header("Retry-After"),
        problem=problem,
    )
