"""Long lists of IDs in parts: a statement takes 65,535 parameters on PostgreSQL, and 32,766 on SQLite."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

#: IDs in one statement.
CHUNK_SIZE = 5_000

Thing = TypeVar("Thing")


def chunks(things: Collection[Thing]) -> Iterator[tuple[Thing, ...]]:
    """The things, some thousands at a time."""
    iterator = iter(things)
    while part := tuple(islice(iterator, CHUNK_SIZE)):
        yield part
