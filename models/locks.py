"""The order in which transactions lock rows: two that wait for each other would both be undone.

Whoever waits for rows waits for those of the tables in the order of :data:`LOCK_ORDER`; and within a table,
for assets by channel, content and MIME type, for all others by ID. Many rows are locked by one SELECT, in
that order, before they are written: an UPDATE takes them in whatever order it finds them. Who skips what
others have locked waits for nobody, and needs no order; but what it holds from then on counts as locked.

Inserting a row that names another one (a channel, an asset) waits for nobody who keeps to this: it asks only
that the other one's key stays, and nobody but pruning changes that.

On SQLite there is one writer at a time, who has locked everything.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, select, text

from models.bulk import on_postgresql

#: Tables, from the one that is locked first to the one that is locked last.
LOCK_ORDER: Final = (
    "campaigns",
    "assets",
    "media",
    "items",
    "item_assets",
    "channels",
    "lookup_failures",
    "callbacks",
    "outbox",
    "submission_parts",
    "api_tokens",
    "page_sessions",
)


def lock_rows(connection: Connection, table: Any, condition: ColumnElement[bool]) -> None:
    """Lock rows that are to be written, in order of ID.

    Args:
        connection: an open transaction.
        table: a mapped class with an `id`, but for assets, which have an order of their own.
        condition: which rows.
    """
    if on_postgresql(connection):
        connection.execute(locked_rows(table, condition)).all()


def locked_rows(table: Any, condition: ColumnElement[bool]) -> Select[int]:
    """The statement of :func:`lock_rows`, for PostgreSQL."""
    return select(table.id).where(condition).order_by(table.id).with_for_update(key_share=True)


def wait_for_claims(connection: Connection) -> None:
    """Wait until claims can be written: until nobody has locked a whole table of them."""
    if on_postgresql(connection):
        connection.execute(text("LOCK TABLE assets, items IN ROW EXCLUSIVE MODE"))
