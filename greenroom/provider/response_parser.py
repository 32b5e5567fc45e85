"""One HTTP answer, put together from the bytes of a connection as they come in.

Both ways of sending read their answers with this, so that both agree on what one whole answer is: an interim
one (HTTP 1xx) is not the answer but is followed by it, what is malformed, cut short or without end is none,
and what comes after the first one was not asked for.
"""

from __future__ import annotations

import zlib

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from greenroom.provider.failures import BadAnswer

#: Bytes that are kept of an answer that is not a media file.
LONGEST_ANSWER = 64 * 1024
#: Bytes that a head may have, all interim answers before it included; and headers that it may have.
LONGEST_HEAD = 64 * 1024
MOST_HEADERS = 100
#: Bytes of an answer after which its connection is given up: no right answer to an upload is so long.
ENDLESS = 16 * LONGEST_ANSWER
#: Why a whole answer is not taken: one of the two belongs to another request, and nobody knows which.
MORE_THAN_ONE = "more came than one answer"
#: What a body may be compressed by; nobody asked for any.
COMPRESSIONS = frozenset({"gzip", "x-gzip", "deflate"})
#: What `zlib` takes for "gzip or deflate, whichever it is".
_EITHER = 32 + zlib.MAX_WBITS
_SUCCESS_BEFORE = 200


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding not in COMPRESSIONS:
        return body if encoding == "identity" else b""
    try:
        return zlib.decompressobj(_EITHER).decompress(body, LONGEST_ANSWER)
    except zlib.error:
        return b""


class ResponseParser:
    """Takes bytes, and knows when the answer is whole.

    Attributes:
        status: the HTTP status; 0 before the head is there.
        reason: the words after the status.
        whole: whether all of the answer is there.
        surplus: whether more came than that.
        begun: whether some of an answer has come that is not an interim one, or may not be.
        length: bytes that have come.
        headers: as they came, names in lower case; without those after a body.
    """

    def __init__(self, *, is_file: bool = False) -> None:
        """Begin with nothing.

        Args:
            is_file: the body may have any length, and whoever reads it takes it away by :meth:`take`.
        """
        self.status = 0
        self.reason = b""
        self.whole = False
        self.surplus = False
        self.begun = False
        self.length = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._keeps = False
        self._is_file = is_file
        self._body = bytearray()
        self._body_length = 0
        self._head_length = 0
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            BadAnswer: it is not HTTP, or too much.
        """
        self.length += len(data)
        problem = ""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            # The second is no kind of the first: an answer that goes on in another protocol.
            if self.whole:
                self.surplus = True
            else:
                problem = "the answer is not HTTP"
        problem = problem or self._too_much()
        if problem:
            raise BadAnswer(problem)

    def _too_much(self) -> str:
        head = self._head_length if self.status else self.length
        if len(self.headers) > MOST_HEADERS or head > LONGEST_HEAD:
            return "the head of the answer has no end"
        # What is around a file's pieces may be as long as they are, and not endless.
        allowed = ENDLESS + (2 * self._body_length if self._is_file else 0)
        return "the answer has no end" if self.length > allowed else ""

    def end(self) -> None:
        """Nothing more will come.

        Raises:
            BadAnswer: the answer is cut short.
        """
        if self.whole:
            return
        # An answer without a length ends with its connection.
        if not (self.status and self.header("content-length") is None and not self._is_chunked):
            raise BadAnswer("the answer was cut short" if self.length else "the connection was closed")
        self.whole = True

    @property
    def keeps_connection(self) -> bool:
        """Whether the connection may be used for another request."""
        return self.whole and self._keeps and not self.surplus

    def header(self, name: str) -> str | None:
        """One header, the last of its name; or None."""
        wanted = name.lower().encode()
        for found, value in reversed(self.headers):
            if found == wanted:
                return value.decode("latin-1")
        return None

    def body(self) -> bytes:
        """The first bytes of the body, undone of compression."""
        body = bytes(self._body)
        if encoding := self.header("content-encoding"):
            body = _unpacked(body, encoding.strip().lower())
        return body[:LONGEST_ANSWER]

    def take(self, most: int) -> bytes:
        """Take so many bytes of the body away, or as many as there are."""
        piece = bytes(self._body[:most])
        del self._body[:most]
        return piece

    @property
    def _is_chunked(self) -> bool:
        return "chunked" in (self.header("transfer-encoding") or "").lower()

    # Called by the parser.

    def on_message_begin(self) -> None:
        """An answer begins."""
        self.begun = True
        if self.whole:
            self.surplus = True

    def on_status(self, reason: bytes) -> None:
        """The words after the status have come, perhaps in pieces."""
        if not self.status:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        if not self.status:
            self.headers.append((name.lower(), value))
            self._head_length += len(name) + len(value)

    def on_headers_complete(self) -> None:
        """The head has come."""
        if not self.whole:
            self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """A part of the body has come."""
        if self.whole:
            return
        self._body_length += len(data)
        if self._is_file or len(self._body) < LONGEST_ANSWER:
            self._body += data

    def on_message_complete(self) -> None:
        """All has come; unless it was an interim answer (HTTP 1xx), which the right one follows."""
        if self.whole:
            return
        if self.status < _SUCCESS_BEFORE:
            self.status = 0
            self.reason = b""
            self.begun = False
            self.headers.clear()
        else:
            self.whole = True
            self._keeps = self._parser.should_keep_alive()

    def close(self) -> None:
        """Take no more: the parser and what it reports to hold each other, and would wait to be collected."""
        del self._parser
