"""What came in answer to one request, by whichever connection it was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


class Unreadable(Exception):
    """The body of an answer broke off or is not what it should be; the client makes a typed error of it."""


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """A short answer, or as much of it as came.

    Attributes:
        status: the HTTP status; 0 where no answer came, or none that is surely this request's.
        body: its first bytes, undone of compression.
        retry_after: the header of that name, if any.
        problem: why that is not one whole answer, a clause for a sentence; else empty.
    """

    status: int = 0
    body: bytes = b""
    retry_after: str | None = None
    problem: str = ""

    def json_object(self) -> dict[str, Any]:
        """The whole body as a JSON object.

        Raises:
            Unreadable: it is something else, cut short, or longer than any right answer.
        """
        if self.problem:
            raise Unreadable(self.problem)
        return read_object(self.body)


def is_success(status: int) -> bool:
    """Whether an HTTP status says that it was done: the page has 200, and 201 is met."""
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
