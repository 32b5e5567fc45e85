"""One HTTP answer, put together from the bytes of a connection as they come in."""

from __future__ import annotations

import zlib

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from greenroom.provider.reply import LONGEST_ANSWER

#: Bytes of an answer after which its connection is given up: no right answer to an upload is so long.
ENDLESS = 16 * LONGEST_ANSWER
#: What `zlib` takes for "gzip or deflate, whichever it is".
_EITHER = 32 + zlib.MAX_WBITS
_SUCCESS_BEFORE = 200


class BadAnswer(Exception):
    """What came is not HTTP, or has no end; the client makes a typed error of it."""


class AnswerParser:
    """Takes bytes, and knows when the answer is whole.

    Attributes:
        status: the HTTP status; 0 before the head is there.
        whole: whether all of the answer is there.
        length: bytes that have come.
        keeps_connection: whether the connection may be used for another request.
    """

    def __init__(self) -> None:
        self.status = 0
        self.whole = False
        self.length = 0
        self.keeps_connection = False
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            BadAnswer: it is not HTTP, or too much.
        """
        self.length += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            # The second is no kind of the first: an answer that goes on in another protocol.
            problem = "the answer is not HTTP"
        else:
            if self.length <= ENDLESS:
                return
            problem = "the answer has no end"
        raise BadAnswer(problem)

    def end(self) -> None:
        """Nothing more will come.

        Raises:
            BadAnswer: the answer is cut short.
        """
        # An answer without a length ends with its connection.
        if not (self.status and b"content-length" not in self._headers and not self._is_chunked):
            raise BadAnswer("the answer was cut short" if self.length else "the connection was closed")
        self.whole = True

    def header(self, name: str) -> str | None:
        """One header, or None."""
        value = self._headers.get(name.lower().encode())
        return None if value is None else value.decode("latin-1")

    def body(self) -> bytes:
        """The first bytes of the body, undone of compression."""
        body = bytes(self._body)
        if self._headers.get(b"content-encoding", b"identity").lower() != b"identity":
            try:
                body = zlib.decompressobj(_EITHER).decompress(body, LONGEST_ANSWER)
            except zlib.error:
                body = b""
        return body[:LONGEST_ANSWER]

    @property
    def _is_chunked(self) -> bool:
        return b"chunked" in self._headers.get(b"transfer-encoding", b"").lower()

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head has come."""
        self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """A part of the body has come."""
        if len(self._body) < LONGEST_ANSWER:
            self._body += data

    def on_message_complete(self) -> None:
        """All has come; unless it was an interim answer (HTTP 1xx), which the right one follows."""
        if self.status < _SUCCESS_BEFORE:
            self.status = 0
            self._headers.clear()
        else:
            self.whole = True
            self.keeps_connection = self._parser.should_keep_alive()

    def close(self) -> None:
        """Take no more: the parser and what it reports to hold each other, and would wait to be collected."""
        del self._parser
