"""A receiver of call-backs: a web server on this machine that keeps what it is sent, and answers as told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from greenroom.callbacks import verify
from greenroom.clock import Clock

#: As an operator makes one: 32 bytes.
SECRET = "whsec_" + "Z3JlZW5yb29tIHRlc3RzIHNpZ24gd2l0aCB0aGlzIQ=="
#: Allows receivers of this machine.
HOSTS = "http://127.0.0.1:*"


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, clock: Clock) -> dict[str, Any]:
        """What it says, if it is signed."""
        return verify(self.body, self.headers, secret=SECRET, clock=clock)


@dataclass(kw_only=True)
class Receiver:
    """What it was sent, and what it answers.

    Attributes:
        url: where it is.
        requests: in the order in which they came.
        answers: statuses and headers of the next answers; 204 when there are no more.
        on_request: is called before an answer is given.
    """

    url: str
    requests: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    on_request: Callable[[], object] = field(default=lambda: None)

    @property
    def ids(self) -> list[str]:
        """Of the call-backs, in the order in which they came."""
        return [request.headers["webhook-id"] for request in self.requests]

    @property
    def said(self) -> list[dict[str, Any]]:
        """What they say."""
        return [json.loads(request.body) for request in self.requests]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(Received(path=self.path, headers=dict(self.headers), body=body))
            receiver.on_request()
            status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(url=f"http://127.0.0.1:{server.server_port}/greenroom")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
