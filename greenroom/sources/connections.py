"""Connections to web servers that the operator allows, and to nothing that their names lead to.

The IP address that is checked is the one that is connected to: a name is resolved once for each connection,
all its addresses are checked, and the connection is made to one of them, with the name in TLS and in the
header Host alone. Nothing is read from the environment: no proxy, no netrc, no certificates.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection

from greenroom.errors import SourceRefused
from greenroom.provider.failures import BROKEN_EXCHANGE
from greenroom.provider.sessions import tls_context
from greenroom.sources.address import Address
from greenroom.sources.hosts import AllowedHost, matching
from greenroom.sources.networks import Ip, parse_ip

CONNECT_SECONDS = 10.0
#: IP addresses of one host that are tried.
MOST_TRIED = 4

#: Like `socket.getaddrinfo`.
Resolve = Callable[..., Sequence[tuple[Any, ...]]]


class AllowedConnections:
    """Asks web servers of a list, each over a connection of its own."""

    def __init__(
        self,
        hosts: Sequence[AllowedHost],
        *,
        setting: str,
        verb: str,
        ca_bundle: Path | None = None,
        resolve: Resolve = socket.getaddrinfo,
        name: Callable[[Address], str] = attrgetter("shown"),
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            hosts: who may be asked.
            setting: by which the operator allows them, for sentences.
            verb: what is done with an address, for sentences: ``fetched``.
            ca_bundle: authorities that are trusted besides the usual ones.
            resolve: finds the IP addresses of a host.
            name: what an address is called in sentences.
        """
        self._hosts = tuple(hosts)
        self._setting = setting
        self._verb = verb
        self._ca_bundle = ca_bundle
        self._resolve = resolve
        self._name = name

    def require_named(self, address: Address) -> list[AllowedHost]:
        """The entries of the list that an address is of.

        Raises:
            SourceRefused: there are none.
        """
        if entries := matching(self._hosts, address):
            return entries
        hosts = "has no such host" if self._hosts else "is not set, so that no address is allowed"
        raise SourceRefused(f"{self._name(address)} may not be {self._verb}: {self._setting} {hosts}.")

    @contextmanager
    def asked(
        self,
        address: Address,
        *,
        method: str,
        headers: Mapping[str, str],
        give_up_at: float,
        patience: float,
        body: bytes | None = None,
    ) -> Iterator[HTTPResponse]:
        """Ask a server, and read what it answers within the block.

        Args:
            address: what is asked for.
            method: of HTTP.
            headers: but for Host, and the authorization that the address holds.
            give_up_at: when it is cut off, a moment of `time.monotonic`.
            patience: seconds without a byte.
            body: what is sent.

        Raises:
            SourceRefused: its host is not allowed, or is at an IP address that is not.
            OSError: or another of `BROKEN_EXCHANGE`.
        """
        connection = self._connected(address)
        try:
            with _cut_at(give_up_at, connection):
                if connection.sock is not None:
                    connection.sock.settimeout(patience)
                signed = {"Authorization": address.authorization} if address.authorization else {}
                connection.request(
                    method,
                    address.target,
                    body=body,
                    headers={"Host": address.netloc, **headers, **signed},
                    preload_content=False,
                    decode_content=False,
                )
                with connection.getresponse() as answer:
                    yield answer
        finally:
            connection.close()

    def _connected(self, address: Address) -> HTTPConnection:
        failure: Exception = OSError("no address")
        for ip in self._checked(address)[:MOST_TRIED]:
            connection = self._connection(address, str(ip))
            try:
                connection.connect()
            except BROKEN_EXCHANGE as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _checked(self, address: Address) -> list[Ip]:
        """The host's IP addresses, each of them allowed; they are what is connected to."""
        entries = self.require_named(address)
        found = self._resolve(address.host, address.port, type=socket.SOCK_STREAM)
        ips = {parse_ip(str(each[4][0])): None for each in found}
        for ip in ips:
            if not any(entry.reaches(ip) for entry in entries):
                raise SourceRefused(
                    f"{self._name(address)} may not be {self._verb}: {address.host} is inside a network "
                    f"({ip}), which {self._setting} does not allow for it."
                )
        return list(ips)

    def _connection(self, address: Address, ip: str) -> HTTPConnection:
        if address.scheme == "http":
            return HTTPConnection(ip, address.port, timeout=CONNECT_SECONDS)
        return HTTPSConnection(
            ip,
            address.port,
            timeout=CONNECT_SECONDS,
            ssl_context=self._tls,
            # The name that the certificate must have; the host is an IP address by now.
            server_hostname=address.host,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = tls_context(None)
        if self._ca_bundle is not None:
            folder = self._ca_bundle.is_dir()
            context.load_verify_locations(
                cafile=None if folder else self._ca_bundle, capath=self._ca_bundle if folder else None
            )
        return context


@contextmanager
def _cut_at(moment: float, connection: HTTPConnection) -> Iterator[None]:
    """Close a connection at a moment of `time.monotonic`: a header that trickles has no other end."""
    timer = threading.Timer(max(0.0, moment - time.monotonic()), _cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        try:
            # Of the socket below TLS, which says nothing any more.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already
