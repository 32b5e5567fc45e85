"""Sessions of ``requests`` as this client wants them: to one origin, metered, without memory of the past.

What differs from a session as it comes:

* Nothing is read from the environment: proxy and CA bundle are given.
* Redirects and cookies are not followed and not kept; see :mod:`greenroom.provider.redirects`.
* All sessions of a client share one TLS context: loading the CA bundle costs more than a handshake.
* There is one pool, of the one origin: nothing else is ever connected to.
* Connections are metered: see :mod:`greenroom.provider.metered_connection`.
"""

from __future__ import annotations

import os
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import create_urllib3_context

from greenroom.errors import SettingsError
from greenroom.provider.idle_connections import IdleSince
from greenroom.provider.metered_connection import MeteredConnection, MeteredTLSConnection
from greenroom.provider.origin import Origin


class _Pool(HTTPConnectionPool):
    ConnectionCls = MeteredConnection

    def reach(self, *, timeout: float) -> None:
        """Connect, through the proxy's tunnel where there is one, and say nothing.

        Raises:
            As urllib3 does: no connection could be made.
        """
        connection = self._new_conn()
        connection.timeout = timeout
        try:
            self._prepare_proxy(connection)  # connects where it makes a tunnel
            if connection.is_closed:
                connection.connect()
        finally:
            connection.close()


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = MeteredTLSConnection

    def _prepare_proxy(self, connection: Any) -> None:
        if self.proxy is not None:
            super()._prepare_proxy(connection)


class OneOriginAdapter(HTTPAdapter):
    """Connects to one origin, directly or through one proxy, under a TLS context that it is given."""

    def __init__(self, origin: Origin, *, proxy: str | None, tls: ssl.SSLContext | None) -> None:
        self._tls: dict[str, Any] = {} if tls is None else {"ssl_context": tls}
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        manager = self.proxy_manager_for(proxy, **self._tls) if proxy else self.poolmanager
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        self._pool: _Pool = manager.connection_from_host(origin.host, port=origin.port, scheme=origin.scheme)

    def reach(self, *, timeout: float) -> None:
        """As the pool's."""
        self._pool.reach(timeout=timeout)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: FBT001, FBT002  # the overridden method's own signature
        """Make the pool manager with our TLS context; called by the base class."""
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._tls)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The origin's pool, whatever the request says."""
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Nothing: the TLS context verifies, and holds its authorities already."""


class _Session(requests.Session):
    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        """None: the base class would read a redirect's whole body here, however large."""
        return iter(())


class SessionPool:
    """Gives each running request a session of its own, and keeps idle ones, connected, for the next.

    A thread-local session would be lost, and its connection with it, whenever a short-lived thread ends.
    """

    def __init__(self, origin: Origin, *, proxy: str | None, tls: ssl.SSLContext | None) -> None:
        """Prepare; nothing is connected yet.

        Raises:
            SettingsError: the proxy's URL is none.
        """
        self._origin = origin
        self._proxy = proxy
        self._tls = tls
        self._idle: deque[tuple[requests.Session, IdleSince]] = deque()
        self._process = os.getpid()
        self._closed = False
        with suppress(ValueError, requests.RequestException):
            self.give_back(self._new())
        if not self._idle:  # raised out here, without the proxy's URL: it may hold a password
            raise SettingsError("GREENROOM_HTTPS_PROXY cannot be used; write it like http://proxy:3128")

    def take(self) -> requests.Session:
        """A session that nobody else uses, connected already if there is one."""
        if self._process != os.getpid():  # forked: the parent's sockets are the parent's
            self._idle, self._process = deque(), os.getpid()
        while True:
            try:
                session, since = self._idle.pop()
            except IndexError:
                return self._new()
            if not since.too_long:
                return session
            session.close()

    def give_back(self, session: requests.Session) -> None:
        """Keep a session, whose answer has been read or closed, for the next request."""
        self._idle.append((session, IdleSince()))
        if self._closed:
            self.close()

    def reach(self, *, timeout: float) -> None:
        """Make a connection as for a request, and close it.

        Raises:
            As urllib3 does: none could be made.
        """
        with closing(OneOriginAdapter(self._origin, proxy=self._proxy, tls=self._tls)) as adapter:
            adapter.reach(timeout=timeout)

    def close(self) -> None:
        """Close all sessions: the idle ones now, those in use as they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].close()

    def _new(self) -> requests.Session:
        session = _Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        session.mount(
            f"{self._origin.scheme}://", OneOriginAdapter(self._origin, proxy=self._proxy, tls=self._tls)
        )
        return session


def tls_context(ca_bundle: str | Path | None) -> ssl.SSLContext:
    """A context that verifies host and certificate, against a file or folder of authorities.

    Raises:
        SettingsError: there is no readable bundle at that path.
    """
    context = create_urllib3_context()
    place = ca_bundle or DEFAULT_CA_BUNDLE_PATH
    try:
        if Path(place).is_dir():
            context.load_verify_locations(capath=place)
        else:
            context.load_verify_locations(cafile=place)
    except OSError as error:
        raise SettingsError(
            f"GREENROOM_CA_BUNDLE: {place} cannot be read: {error.strerror or error}"
        ) from error
    return context
