"""PostgreSQL's statistics of our tables: without them, it reads whole tables where an index would do.

Autovacuum looks every minute at what has changed. The first campaign of 100,000 files on a new installation
is being uploaded by then, and each of its claims would read all items.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from models.base import Base
from models.bulk import on_postgresql

#: Changed rows from which a table is looked at anew, besides as many as it has.
CHANGED_ROWS = 1_000

_STALE = text(
    "SELECT relname FROM pg_stat_user_tables WHERE relname = ANY (:tables)"
    " AND n_mod_since_analyze > :changed + n_live_tup - n_mod_since_analyze"
    # In one order for all: each table stays locked against the next one who does this.
    " ORDER BY relname"
)


def refresh_statistics(connection: Connection) -> list[str]:
    """Have statistics made of tables that have doubled since the last time; returns their names."""
    if not on_postgresql(connection):
        return []
    tables = list(Base.metadata.tables)
    stale = list(connection.execute(_STALE, {"tables": tables, "changed": CHANGED_ROWS}).scalars())
    for table in stale:
        connection.execute(text(f"ANALYZE {table}"))
    return stale
