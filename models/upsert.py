"""INSERT ... ON CONFLICT, which PostgreSQL and SQLite share but SQLAlchemy keeps in two dialects."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy.dialects.sqlite import Insert

__all__ = ["Insert", "insert"]


def insert(table: Any, *, postgresql: bool) -> Insert:
    """An INSERT with ``on_conflict_do_nothing`` and ``on_conflict_do_update`` for this database.

    Both dialects' constructs have the same methods; the SQLite one stands for both in the types. That of
    PostgreSQL takes six times as long to load, and is loaded where that is the database.
    """
    dialect = import_module("sqlalchemy.dialects.postgresql") if postgresql else None
    statement: Insert = dialect.insert(table) if dialect else Insert(table)
    return statement
