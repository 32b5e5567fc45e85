"""INSERT ... ON CONFLICT, which PostgreSQL and SQLite share but SQLAlchemy keeps in two dialects."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql as for_postgresql
from sqlalchemy.dialects import sqlite


def insert(table: Any, *, postgresql: bool) -> for_postgresql.Insert:
    """An INSERT with ``on_conflict_do_nothing`` and ``on_conflict_do_update`` for this database.

    Both dialects' constructs have the same methods; the PostgreSQL one stands for both in the types.
    """
    if postgresql:
        return for_postgresql.insert(table)
    return sqlite.insert(table)  # type: ignore[return-value] # the same methods, see above
