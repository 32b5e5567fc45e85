"""Connections of urllib3 that read first, wait for a slot of the rate limit, look, and send then.

* A slot of the rate limit is waited for when the connection stands and the first piece of the body is read. A
  handshake takes several round trips; made after the wait, it would deliver the request late, into the slots
  of others.
* A body is sent under the read time-out; urllib3 would allow it the connect time-out only.
* A connection is looked at before a request is sent on it, and an answer is read by our own parser: see
  :mod:`greenroom.provider.streamed_response`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from greenroom.provider.idle_connections import is_quiet, read_interim
from greenroom.provider.multipart import MultipartBody
from greenroom.provider.request import ApiRequest
from greenroom.provider.response_parser import ResponseParser
from greenroom.provider.streamed_response import StreamedResponse


class MeteredBody:
    """The body of a request, with what is to happen around it; it is sent once.

    Attributes:
        request: whose body it is.
        send_timeout: seconds that sending one piece may take.
    """

    def __init__(self, request: ApiRequest, body: MultipartBody, *, send_timeout: float) -> None:
        self.request = request
        self.send_timeout = send_timeout
        self._length = len(body)
        self._pieces = iter(body)

    def make_ready(self) -> None:
        """Read and check as much as is sent at first: all of a small file."""
        self._pieces = chain((next(self._pieces),), self._pieces)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        self.request.sent_whole = True  # reached only when the caller came back after the last piece


class MeteredConnection(HTTPConnection):
    """Connects and reads first, then waits for its slot, then looks, then sends."""

    _parser: ResponseParser | None = None
    _lateness = 0.0

    def connect(self) -> None:
        """Connect, and note how long that took."""
        began = time.monotonic()
        super().connect()
        self._lateness = time.monotonic() - began

    def request(  # type: ignore[override]  # as urllib3's own, which differs from http.client's
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Send one request; called by urllib3's pool."""
        if self.sock is None:  # over TLS and through a tunnel the pool has connected already
            self.connect()
        if isinstance(body, MeteredBody):
            body.make_ready()
            body.request.before_sending()
            try:
                self._begin()
                self.timeout = body.send_timeout
                super().request(method, url, body=self._watched(body), headers=headers, **options)
            finally:
                late, self._lateness = self._lateness, 0.0
                body.request.after_sending(late)
        else:
            self._begin()
            super().request(method, url, body=body, headers=headers, **options)

    def _begin(self) -> None:
        """Look before sending: what is there to be read now is no answer to what is not sent yet."""
        self._parser = ResponseParser(is_file=True)
        if self.sock is not None and not is_quiet(self.sock):
            self._connect_anew()

    def _connect_anew(self) -> None:
        host, port, scheme = self._tunnel_host, self._tunnel_port, self._tunnel_scheme
        headers = dict(self._tunnel_headers)  # type: ignore[attr-defined]  # http.client's, as the others
        self.close()  # forgets the tunnel
        if host is not None:
            self.set_tunnel(host, port, headers=headers, scheme=scheme or "http")
        self.connect()

    def _watched(self, body: MeteredBody) -> Iterator[bytes]:
        """The body's pieces; sending ends where an answer begins before the last one is sent."""
        for piece in body:
            if self._parser is not None:
                read_interim(self.sock, self._parser)
            yield piece

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        """Read the head of the answer; called by urllib3's pool."""
        parser, self._parser = self._parser or ResponseParser(is_file=True), None
        # Of this object, and now: the answer of a proxy to CONNECT is read as http.client does.
        self.response_class = partial(  # type: ignore[assignment]  # http.client calls it like a class
            StreamedResponse, connection=self, parser=parser
        )
        try:
            return super().getresponse()
        finally:
            del self.response_class


class MeteredTLSConnection(MeteredConnection, HTTPSConnection):
    """The same over TLS."""
