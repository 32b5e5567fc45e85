"""One answer of the provider whose status and headers are in, and whose body is still to be read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import requests

from greenroom.provider.failures import BROKEN_EXCHANGE, why
from greenroom.provider.response_parser import COMPRESSIONS, LONGEST_ANSWER
from greenroom.provider.streamed_response import StreamedResponse

_PIECE_BYTES = 128 * 1024


class Unreadable(Exception):
    """The body of an answer broke off or is not what it should be; the client makes a typed error of it."""


class Reply:
    """A context manager: leaving it frees the connection, whether or not the body was read."""

    def __init__(self, response: requests.Response, *, timeout: float, free: Callable[[], None]) -> None:
        """Take over a response.

        Args:
            response: opened with ``stream=True``.
            timeout: seconds that reading a short answer may take altogether.
            free: called once, when the connection is not needed any more.
        """
        self._response = response
        self._timeout = timeout
        self._free = free
        self.status: int = response.status_code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.close()  # a connection whose answer was not read to its end is closed with it
        self._free()

    def header(self, name: str) -> str | None:
        """One header, or None."""
        value: str | None = self._response.headers.get(name)
        return value

    @property
    def surplus(self) -> bool:
        """Whether more came than one answer, so that this one may belong to another request."""
        answer: Any = self._response.raw._original_response  # noqa: SLF001 - requests itself asks for it
        return isinstance(answer, StreamedResponse) and answer.surplus

    @property
    def succeeded(self) -> bool:
        """Whether the status says that it was done: the page has 200, and 201 is met."""
        return is_success(self.status)

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes in, undone of any compression.

        Raises:
            Unreadable: it broke off before its announced length, or cannot be decompressed.
        """
        while piece := self._read(_PIECE_BYTES):
            yield piece

    def short_body(self) -> bytes:
        """At most :data:`LONGEST_ANSWER` bytes of the body, or what of it came: the status counts anyway."""
        return b"".join(self._pieces_of_short_body(whole=False))[:LONGEST_ANSWER]

    def whole_body(self) -> bytes:
        """All of a short body.

        Raises:
            Unreadable: it broke off, did not come within the time-out, or is longer than any right answer.
        """
        return b"".join(self._pieces_of_short_body(whole=True))

    def _pieces_of_short_body(self, *, whole: bool) -> Iterator[bytes]:
        give_up_at = time.monotonic() + self._timeout
        length = 0
        problem = ""
        try:
            for piece in self.pieces():
                yield piece
                length += len(piece)
                if length > LONGEST_ANSWER:
                    problem = "the answer is longer than any right one"
                elif time.monotonic() > give_up_at:
                    problem = "the answer was not whole in time"
                if problem:
                    break
        except Unreadable as error:
            problem = str(error)
        if problem and whole:
            raise Unreadable(problem)

    def json_object(self) -> dict[str, Any]:
        """The whole body as a JSON object.

        Raises:
            Unreadable: it is something else, cut short, or longer than any right answer.
        """
        return read_object(self.whole_body())

    def _read(self, amount: int) -> bytes:
        encoding = (self.header("Content-Encoding") or "identity").strip().lower()
        if encoding != "identity" and encoding not in COMPRESSIONS:
            raise Unreadable("the answer is compressed in a way that nobody asked for")
        try:
            piece: bytes = self._response.raw.read1(amount, decode_content=True)
        except BROKEN_EXCHANGE as error:
            problem = why(error)
        else:
            return piece or b""
        raise Unreadable(problem)


def is_success(status: int) -> bool:
    """Whether an HTTP status is one of success."""
    return 200 <= status < 300  # noqa: PLR2004  # the class of success statuses


def read_object(body: bytes) -> dict[str, Any]:
    """The whole body of an answer as a JSON object.

    Raises:
        Unreadable: it is something else.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreadable("the answer is not a JSON object")
    return found
