"""Many rows in one statement, at a cost that does not grow with the number of parameters.

On PostgreSQL a list goes over as one array: a statement has one text, whatever the number of rows, and
neither the driver nor the parser deals with thousands of parameters. SQLite has no arrays, and no network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Text,
    any_,
    bindparam,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.orm import InstrumentedAttribute

from models.upsert import insert


def on_postgresql(connection: Connection) -> bool:
    """Whether the database takes arrays."""
    return connection.dialect.name == "postgresql"


def among(
    connection: Connection, column: InstrumentedAttribute[Any] | ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """A condition: the column has one of these values; numbers or texts."""
    if not on_postgresql(connection):
        return column.in_(values)
    return column == any_(literal(list(values), ARRAY(_array_type(column.type))))


def insertion(
    connection: Connection,
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    *,
    same: Mapping[str, Any] | None = None,
) -> tuple[Insert, Any]:
    """An INSERT of these rows, to which an ON CONFLICT may be added, and the parameters to execute it with.

    Args:
        connection: an open transaction.
        table: a mapped class.
        rows: at least one; each with the same columns. They are written, and so locked, in this order.
        same: columns that are the same in all rows.
    """
    statement, same = insert(connection, table), same or {}
    if not on_postgresql(connection):
        return statement, [{**same, **row} for row in rows]
    given, columns = _as_table(table, rows), table.__table__.c
    values: list[ColumnElement[Any]] = [literal(value, columns[name].type) for name, value in same.items()]
    values += [given.c[name] for name in rows[0]]
    return statement.from_select([*same, *rows[0]], select(*values)), None


def update_rows(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give rows other values, each its own; to be called with the rows locked.

    Args:
        connection: an open transaction.
        table: a mapped class, with an `id`.
        rows: each with the same columns, of which `id` says which row it is.
    """
    if not rows:
        return
    names = [name for name in rows[0] if name != "id"]
    if not on_postgresql(connection):
        statement = (
            update(table)
            .where(table.id == bindparam("row_id"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        connection.execute(
            statement,
            [{"row_id": row["id"], **{f"new_{name}": row[name] for name in names}} for row in rows],
        )
        return
    given = _as_table(table, rows)
    connection.execute(
        update(table).where(table.id == given.c.id).values({name: given.c[name] for name in names})
    )


def _as_table(table: Any, rows: Sequence[Mapping[str, Any]]) -> FromClause:
    """The rows as PostgreSQL reads them from one array for each column.

    Four times as fast as VALUES, whose parameters are the driver's and the parser's work; COPY into a
    temporary table is no faster at the size of a message, and would leave a table behind in each session.
    """
    columns = table.__table__.c
    arrays = [
        literal([row[name] for row in rows], ARRAY(_array_type(columns[name].type))) for name in rows[0]
    ]
    return func.unnest(*arrays).table_valued(*rows[0], name="given").render_derived()


def _array_type(kind: Any) -> Any:
    """The type of an array's members: without a length, which would make statements differ for nothing."""
    if kind.python_type is str:
        return Text()
    if kind.python_type is int:
        return BigInteger()
    return kind
