"""Web servers on loopback that may hang, refuse, break off or be away: of files, and of call-backs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from greenroom.callbacks import verify

RECEIVERS = 24


class Trouble(Enum):
    """What a server does in place of its work."""

    HANGS = auto()
    REFUSES = auto()
    BREAKS_OFF = auto()
    AWAY = auto()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that went."""


class Server:
    """One that is up until it is closed, always at the same ports.

    Attributes:
        urls: where it is; a client cannot tell that they are one.
        asked: requests that it was sent.
    """

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], *, ports: int = 1) -> None:
        self.asked = 0
        self._trouble: Trouble | None = None
        self._over = threading.Event()
        self._handler = partial(handler, self)
        self._listening = self._listen([0] * ports)
        self.urls = [f"http://127.0.0.1:{each.server_port}" for each in self._listening]

    def _listen(self, ports: Sequence[int]) -> list[_Listening]:
        listening = [_Listening(("127.0.0.1", port), self._handler) for port in ports]
        for each in listening:
            threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True).start()
        return listening

    @contextmanager
    def troubled(self, trouble: Trouble) -> Iterator[None]:
        """In trouble for as long as the block runs; who was kept hanging is hung up on then."""
        if trouble is Trouble.AWAY:
            self.close()
        self._over.clear()
        self._trouble = trouble
        try:
            yield
        finally:
            self._trouble = None
            self._over.set()
            if trouble is Trouble.AWAY:
                self._listening = self._listen([each.server_port for each in self._listening])

    def serves(self, request: BaseHTTPRequestHandler) -> bool:
        """Whether a request is to be answered; in trouble, what is done in place of that is done."""
        self.asked += 1
        if self._trouble is Trouble.HANGS:
            self._over.wait()
        elif self._trouble is Trouble.REFUSES:
            request.rfile.read(int(request.headers.get("Content-Length", "0")))
            request.send_error(500)
        else:
            return self._trouble is None
        return False

    def close(self) -> None:
        """Listen no more."""
        for each in self._listening:
            each.shutdown()
            each.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *args: Any, **more: Any) -> None:
        self.of = server
        super().__init__(*args, **more)

    def parse_request(self) -> bool:
        """Read the head of a request; returns whether to go on with it."""
        return super().parse_request() and self.of.serves(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Files(_Handler, SimpleHTTPRequestHandler):
    pass


class _Told(_Handler):
    of: Receiver

    def do_POST(self) -> None:
        """Take a call-back."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.of.seconds)
        if self._is_hung_up():
            # Whoever told us has died: as if we had, too, and nothing of it was kept.
            return
        self.of.told.append(verify(body, dict(self.headers), secret=self.of.secret))
        self.send_response(204)
        self.end_headers()

    def _is_hung_up(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True


class Receiver(Server):
    """Of call-backs; at many ports, as if each campaign had its own.

    Attributes:
        secret: that they are signed with.
        seconds: that it takes for each.
        told: what they said, each time.
    """

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.seconds = 0.0
        self.told: list[dict[str, Any]] = []
        super().__init__(_Told, ports=RECEIVERS)


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server of a folder's files."""
    server = Server(partial(_Files, directory=str(folder)))
    try:
        yield server
    finally:
        server.close()


@contextmanager
def received(secret: str) -> Iterator[Receiver]:
    """A receiver of call-backs."""
    receiver = Receiver(secret)
    try:
        yield receiver
    finally:
        receiver.close()
