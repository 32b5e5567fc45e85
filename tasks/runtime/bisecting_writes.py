"""Write many things in one transaction; and where one of them is refused, all others all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from greenroom.errors import GreenroomError
from models.database import Database

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


def write_bisecting(
    database: Database,
    things: Sequence[Thing],
    write: Callable[[Connection, Sequence[Thing]], Answer],
    *,
    refused: Callable[[Thing, Exception], Answer],
) -> Iterator[Answer]:
    """Write all at once; what the database refuses in halves, down to the one thing that it is about.

    One bad thing among a thousand costs twenty transactions, and no other thing anything.

    Args:
        database: where to.
        things: what is written.
        write: writes them within a transaction. What it raises of Greenroom's own errors is about all of them
            (the database is away, the campaign is unknown), and goes to the caller.
        refused: is told of a thing that is refused by itself, and why.

    Yields:
        What `write` and `refused` returned.
    """
    try:
        with database.write() as connection:
            answer = write(connection, things)
    except GreenroomError:
        raise
    except Exception as error:
        if not things:
            raise
        if len(things) == 1:
            yield refused(things[0], error)
            return
    else:
        yield answer
        return
    middle = len(things) // 2
    for half in (things[:middle], things[middle:]):
        yield from write_bisecting(database, half, write, refused=refused)
