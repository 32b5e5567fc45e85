"""One answer of the provider whose status and headers are in, and whose body is still to be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import requests

from greenroom.provider.failures import BROKEN_EXCHANGE, why
from greenroom.provider.http_response import HttpResponse, Unreadable
from greenroom.provider.response_parser import COMPRESSIONS, LONGEST_ANSWER, MORE_THAN_ONE
from greenroom.provider.streamed_response import StreamedResponse

_PIECE_BYTES = 128 * 1024


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

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes in, undone of any compression.

        Raises:
            Unreadable: it broke off before its announced length, or cannot be decompressed.
        """
        while piece := self._read(_PIECE_BYTES):
            yield piece

    def read(self) -> HttpResponse:
        """All of a short answer: :data:`LONGEST_ANSWER` bytes at most, or what came of them."""
        body, problem = bytearray(), ""
        give_up_at = time.monotonic() + self._timeout
        try:
            for piece in self.pieces():
                body += piece
                if len(body) > LONGEST_ANSWER:
                    problem = "the answer is longer than any right one"
                elif time.monotonic() > give_up_at:
                    problem = "the answer was not whole in time"
                if problem:
                    break
        except Unreadable as error:
            problem = str(error)
        if self._surplus:  # it may belong to another request
            return HttpResponse(problem=MORE_THAN_ONE)
        return HttpResponse(
            status=self.status,
            body=bytes(body[:LONGEST_ANSWER]),
            retry_after=self.header("Retry-After"),
            problem=problem,
        )

    @property
    def _surplus(self) -> bool:
        answer: Any = self._response.raw._original_response  # noqa: SLF001 - requests itself asks for it
        return isinstance(answer, StreamedResponse) and answer.surplus

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
