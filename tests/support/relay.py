"""A relay between a client and a server of TCP, which breaks or falls silent when it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes bytes on; counts those that come back.

    Attributes:
        breaks: how many connections are still to be cut in the middle of an answer.
        cut_after: bytes of one connection's answers, after which it is cut.
        at_break: is called when one is cut.
        silent: whether answers are held back.
        answered: bytes of all answers.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.breaks = 0
        self.cut_after = 0
        self.silent = False
        self.at_break: Callable[[], object] = lambda: None
        self.answered = 0
        self.connections = 0

    @contextmanager
    def running(self) -> Iterator[Relay]:
        """While it passes on."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._port))
                for work in (self._ask, self._answer):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while asked := client.recv(65536):
                server.sendall(asked)
        _close(client, server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while answer := server.recv(65536):
                if self.silent:
                    continue
                client.sendall(answer)
                passed += len(answer)
                self.answered += len(answer)
                if self.breaks and passed > self.cut_after:
                    self.breaks -= 1
                    self.at_break()
                    break
        _close(client, server)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
