"""Locks of whole tables, as far as one waits for them."""

from __future__ import annotations

from sqlalchemy import Connection, text

from models.bulk import on_postgresql


def wait_for_claims(connection: Connection) -> None:
    """Wait until claims can be written; on SQLite, whoever may write is alone anyway."""
    if on_postgresql(connection):
        connection.execute(text("LOCK TABLE assets, items IN ROW EXCLUSIVE MODE"))
