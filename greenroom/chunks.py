"""Long lists in parts of a size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Thing = TypeVar("Thing")


def chunks(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """The things in lists of `size`, the last of what is left; they are taken as they are needed."""
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk
