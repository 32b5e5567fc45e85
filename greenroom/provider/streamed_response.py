"""An answer on a connection of ``requests``, read by the parser that reads all others.

http.client takes the first answer with another status than 100 for the right one. A server may send a 102 or
103 first; the right answer then waits on the connection for whoever uses it next, and he gets the media ID of
another file. It also reads numbers and lines as it finds them, however long.

This stands in for :class:`http.client.HTTPResponse`, with as much of it as urllib3 asks for.
"""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPMessage
from typing import Any

from greenroom.provider.failures import BadAnswer
from greenroom.provider.response_parser import MORE_THAN_ONE, ResponseParser

_PIECE = 128 * 1024


class StreamedResponse:
    """One answer; its connection is closed with it, unless it was read to its end and was all that came.

    Attributes:
        status: the HTTP status.
        reason: the words after it.
        version: what urllib3 calls HTTP/1.1.
        msg: the headers.
        surplus: whether more came than this answer, so that it may not be ours.
        will_close: False: when to close is decided here, at the answer's end.
    """

    will_close = False
    version = 11

    def __init__(
        self, sock: socket.socket, *_: Any, connection: HTTPConnection, parser: ResponseParser, **__: Any
    ) -> None:
        """Called by http.client.

        Args:
            sock: to read from.
            connection: closed where it cannot be used for another request.
            parser: has what came while the request was being sent.
        """
        self._sock = sock
        self._connection = connection
        self._parser = parser
        self._closed = False
        self.status = 0
        self.reason = ""
        self.surplus = False
        self.msg = HTTPMessage()

    def begin(self) -> None:
        """Read the head.

        Raises:
            BadAnswer: what came is not an answer.
            OSError: nothing more comes.
        """
        while not self._parser.status:
            self._read()
        self._refuse_surplus()
        self.status = self._parser.status
        self.reason = self._parser.reason.decode("latin-1")
        for name, value in self._parser.headers:
            self.msg[name.decode("latin-1")] = value.decode("latin-1")

    def read1(self, amount: int = _PIECE) -> bytes:
        """Some of the next bytes of the body; none at its end.

        Raises:
            BadAnswer: it broke off, or is malformed; or more came than this answer.
            OSError: nothing more comes.
        """
        while not (piece := self._parser.take(amount)) and not self._parser.whole:
            self._read()
        self._refuse_surplus()
        return piece

    read = read1

    def _read(self) -> None:
        data = self._sock.recv(_PIECE)
        if data:
            self._parser.feed(data)
        else:
            self._parser.end()

    def _refuse_surplus(self) -> None:
        self.surplus = self._parser.surplus
        if self.surplus:
            raise BadAnswer(MORE_THAN_ONE)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def isclosed(self) -> bool:
        """As ``closed``; http.client has both."""
        return self._closed

    def close(self) -> None:
        """End it: after anything but one whole answer its connection is closed, too."""
        if self._closed:
            return
        self._closed = True
        keeps = self._parser.keeps_connection
        self._parser.close()
        # http.client holds an answer until the next one is asked for.
        del self._parser
        if not keeps:
            self._connection.close()

    def flush(self) -> None:
        """Nothing is held back."""
