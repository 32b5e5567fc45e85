"""A gate before the sandbox that speaks TLS, and that may be cut, closed, or show a wrong certificate.

It runs in a process of its own: where it had to wait for whoever breaks things, requests would pass it in
bunches, and more of them would come in a second than were sent in one.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from multiprocessing.connection import Connection
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from benchmarks.chaos.certificates import Authority
from benchmarks.peers.endpoint import REAL_TIME

_PIECE = 1 << 16
_PATIENCE = 10.0


class Trust(Enum):
    """What the gate shows."""

    GOOD = "good"
    UNKNOWN = "of an authority that nobody knows"
    EXPIRED = "expired"
    OTHER_HOST = "of another host"
    NONE = "plain text"


class Gate:
    """Passes on what comes by TLS to a port on this machine, in a process of its own.

    Attributes:
        url: where it is.
        authority: the file with the certificate of who vouches for it.
    """

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        authority, stranger = Authority("Chaos"), Authority("Stranger")
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        certificates = {
            Trust.GOOD: authority.issue(folder, "localhost"),
            Trust.UNKNOWN: stranger.issue(folder, "localhost", days=29),
            Trust.EXPIRED: authority.issue(folder, "localhost", days=-1),
            Trust.OTHER_HOST: authority.issue(folder, "other.example"),
        }
        with socket.create_server(("127.0.0.1", 0)) as probe:
            here: int = probe.getsockname()[1]
        self.url = f"https://localhost:{here}"
        context = multiprocessing.get_context("spawn")
        self._orders, orders = context.Pipe()
        self._process = context.Process(target=_serve, args=(orders, certificates, here, port), daemon=True)
        self._process.start()
        orders.close()
        self.open()

    def present(self, trust: Trust) -> None:
        """Show this to whoever connects from now on."""
        self._ask("present", trust)

    def cut(self) -> None:
        """End all connections that stand."""
        self._ask("cut")

    def open(self) -> None:
        """Listen."""
        self._ask("open")

    def close(self) -> None:
        """Refuse new connections; established ones continue."""
        self._ask("close")

    @property
    def heard_while_distrusted(self) -> bool:
        """Whether a client sent anything though it was shown something wrong."""
        return self._ask("heard")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.join(_PATIENCE)
        self._orders.close()

    def _ask(self, order: str, trust: Trust | None = None) -> bool:
        self._orders.send((order, trust))
        if not self._orders.poll(_PATIENCE):
            raise TimeoutError(f"the gate does not answer: {order}")
        heard: bool = self._orders.recv()
        return heard


def _serve(orders: Connection, certificates: Mapping[Trust, Path], here: int, there: int) -> None:
    """Do as orders say until nobody gives any more."""
    # It stands for a network, and for the machine at its end, whose processors are not taken by those who
    # upload. Only root may ask for that; without it, what it passes on late arrives in bunches.
    if REAL_TIME is not None:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, REAL_TIME)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="gate", daemon=True).start()
    gate = _Gate(certificates, here, there)
    with suppress(EOFError):
        while True:
            order, trust = orders.recv()
            orders.send(asyncio.run_coroutine_threadsafe(gate.do(order, trust), loop).result(_PATIENCE))


class _Gate:
    """The gate itself."""

    def __init__(self, certificates: Mapping[Trust, Path], here: int, there: int) -> None:
        self._contexts = {trust: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for trust in certificates}
        for trust, certificate in certificates.items():
            self._contexts[trust].load_cert_chain(certificate)
        self._here, self._there = here, there
        self._trust = Trust.GOOD
        self._heard_while_distrusted = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def do(self, order: str, trust: Trust | None) -> bool:
        """Do this; returns whether a client ever sent anything though it was shown something wrong."""
        if order in ("close", "present") and self._server is not None:
            # Not its connections, for which newer versions of Python would wait.
            self._server.close()
            self._server = None
        if order == "present" and trust is not None:
            self._trust = trust
        if order in ("open", "present"):
            context = self._contexts.get(self._trust)
            self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self._here, ssl=context)
        if order == "cut":
            for writer in list(self._writers):
                writer.transport.abort()
        return self._heard_while_distrusted

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trust = self._trust
        self._writers.add(writer)
        try:
            if trust is not Trust.GOOD:
                # In plain text the client's hello comes, and nothing else.
                told = await reader.read(_PIECE)
                self._heard_while_distrusted |= bool(told) and trust is not Trust.NONE
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._there)
            self._writers.add(back)
            try:
                await asyncio.gather(_pass(reader, back), _pass(there, writer))
            finally:
                self._writers.discard(back)
                back.close()
        except (OSError, ssl.SSLError):
            return
        finally:
            self._writers.discard(writer)
            with suppress(OSError, RuntimeError):
                writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()
