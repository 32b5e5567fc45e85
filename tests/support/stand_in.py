"""A stand-in on a real socket that answers as it is told, and records what reached it."""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request as it came over the wire; ``body`` may be cut short."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


Script = Callable[[socket.socket, Request], None]


def reply(
    status: int = 200, body: bytes | str = b"", *headers: str, length: int | None = None
) -> Callable[[socket.socket, Request], None]:
    """A script that reads the whole request, then answers."""
    content = body.encode() if isinstance(body, str) else body

    def script(connection: socket.socket, request: Request) -> None:
        read_body(connection, request)
        write(connection, status, content, *headers, length=length)

    return script


def read_body(connection: socket.socket, request: Request) -> None:
    """Read what the request announced, or what of it comes."""
    announced = int(request.headers.get("content-length", "0"))
    while len(request.body) < announced:
        data = connection.recv(1 << 20)
        if not data:
            return
        request.body += data


def write(
    connection: socket.socket, status: int, body: bytes, *headers: str, length: int | None = None
) -> None:
    """Write one answer."""
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def deliver(connection: socket.socket, data: bytes = b"", *, end: bool = False) -> None:
    """Write, and hang up, and wait until the other side's system has it."""
    connection.sendall(data)
    if end:
        connection.shutdown(socket.SHUT_WR)
    while _is_on_its_way(connection, end=end):
        threading.Event().wait(0.001)


def _is_on_its_way(connection: socket.socket, *, end: bool) -> bool:
    if end:  # the other side has confirmed the end when that is awaited from there
        state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state not in (_FIN_WAIT_2, _CLOSED)
    (unconfirmed,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0"))
    return bool(unconfirmed)


_FIN_WAIT_2, _CLOSED = 5, 7


@dataclass
class StandIn:
    """Answers each request by the next of its scripts, the last one for ever; None hangs up at once.

    The first connection that is made after ``greets`` was set hears that before it has asked for anything.
    """

    scripts: list[Script | None]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    greets: bytes = b""
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._closed = False
        self.accepted = threading.Event()
        self.greeted = threading.Event()
        self.hold = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Hang up on everybody and stop."""
        self.hold.set()
        self.stop_accepting()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # hung up already
        for thread in self._threads:
            thread.join()

    def has_greeted(self) -> None:
        """Wait until a first connection has heard what it is greeted with."""
        assert self.greeted.wait(10)

    def stop_accepting(self) -> None:
        """Take no more connections; established ones continue."""
        if not self._closed:
            self._closed = True
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self.accepted.set()
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            connection = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
        except OSError:
            plain.close()
            return  # the client does not accept our certificate
        self._open.append(connection)
        with connection:
            greeting, self.greets = self.greets, b""
            try:
                if greeting:
                    deliver(connection, greeting)
                self.greeted.set()
                while request := _read_head(connection):
                    self.requests.append(request)
                    script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                    if script is None:
                        read_body(connection, request)
                        return
                    script(connection, request)
                    if len(request.body) < int(request.headers.get("content-length", "0")):
                        return
            except OSError:
                return  # the client hung up


def _read_head(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1 << 16)
        if not more:
            return None
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method=method, target=target, headers=headers, body=rest)
