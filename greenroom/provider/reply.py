"""One answer of the provider whose status and headers are in, and whose body is still to be read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import requests

from greenroom.provider.failures import BROKEN_EXCHANGE, why

#: Bytes that are read of an answer that is not a media file.
LONGEST_ANSWER = 64 * 1024

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
        """At most :data:`LONGEST_ANSWER` bytes of the body, or what of it came within the time-out."""
        give_up_at = time.monotonic() + self._timeout
        body = b""
        try:
            for piece in self.pieces():
                body += piece
                if len(body) >= LONGEST_ANSWER or time.monotonic() > give_up_at:
                    break
        except Unreadable:
            pass
        return body[:LONGEST_ANSWER]

    def json_object(self) -> dict[str, Any]:
        """The whole body as a JSON object.

        Raises:
            Unreadable: it is something else, or longer than any right answer.
        """
        return read_object(self.short_body())

    def _read(self, amount: int) -> bytes:
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
