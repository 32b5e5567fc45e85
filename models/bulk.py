"""Many rows in one statement, at a cost that does not grow with the number of parameters.

On PostgreSQL a list goes over as one array: a statement has one text, whatever the number of rows, and
neither the driver nor the parser deals with thousands of parameters. SQLite has no arrays, and no network.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    Text,
    any_,
    bindparam,
    func,
    literal,
    make_url,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine, UserDefinedType

from greenroom.text import storable
from models.base import OutsideText
from models.upsert import insert

#: PostgreSQL's own code.
_UNIQUE_VIOLATION = "23505"
_POSTGRESQL: Dialect = make_url("postgresql+psycopg://").get_dialect()()


def on_postgresql(connection: Connection) -> bool:
    """Whether the database takes arrays."""
    return connection.dialect.name == "postgresql"


def among(
    connection: Connection, column: InstrumentedAttribute[Any] | ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """A condition: the column has one of these values; numbers or texts."""
    if not on_postgresql(connection):
        return column.in_(values)
    return column == any_(as_array(list(values), column.type))


def as_array(values: Sequence[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """Values as one parameter, an array of PostgreSQL's; `kind` is a value's type."""
    return literal(values, _Array(kind))


class _Array(UserDefinedType[Any]):
    """An array in PostgreSQL's own notation, written in one go.

    The driver's way is a look-up, a call and a regular expression for each member: eight hundredths of what
    a worker computed.
    """

    cache_ok = True
    #: The database is told the type; the driver gives it a text.
    render_bind_cast = True

    def __init__(self, member: TypeEngine[Any]) -> None:
        self.member = _without_length(member)

    def get_col_spec(self, **_options: Any) -> str:
        return f"{self.member.compile(dialect=_POSTGRESQL)}[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Sequence[Any] | None], str | None]:
        to_driver = self.member.dialect_impl(dialect).bind_processor(dialect)

        def as_text(values: Sequence[Any] | None) -> str | None:
            if values is None:
                return None
            if to_driver is not None:
                values = [to_driver(value) for value in values]
            # All of them at once: cleaning each would cost as much as writing it.
            return storable("{" + ",".join(map(_member, values)) + "}")

        return as_text


def _member(value: object) -> str:
    if isinstance(value, str):
        if "\\" in value or '"' in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"no notation for {type(value).__name__} in an array")


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
    given, columns = given_rows(table, rows), table.__table__.c
    values: list[ColumnElement[Any]] = [literal(value, columns[name].type) for name, value in same.items()]
    values += [given.c[name] for name in rows[0]]
    return statement.from_select([*same, *rows[0]], select(*values)), None


def add_rows(
    connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]], *, same: Mapping[str, Any]
) -> bool:
    """Write rows that are not there yet, without the price of ON CONFLICT: a mark in each, taken off again.

    Args:
        connection: an open transaction.
        table: a mapped class.
        rows: each with the same columns. They are written, and so locked, in this order.
        same: columns that are the same in all rows.

    Returns:
        Whether they were written; False where one of them is there after all: then none was.
    """
    if not rows:
        return True
    try:
        with connection.begin_nested():
            connection.execute(*insertion(connection, table, rows, same=same))
    except IntegrityError as error:
        if not _is_there(error):
            raise
        return False
    return True


def _is_there(error: IntegrityError) -> bool:
    """Whether a row's key, or another of its unique columns, is taken."""
    if isinstance(error.orig, sqlite3.IntegrityError):
        return error.orig.sqlite_errorname in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
    return getattr(error.orig, "sqlstate", None) == _UNIQUE_VIOLATION


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
    given = given_rows(table, rows)
    connection.execute(
        update(table).where(table.id == given.c.id).values({name: given.c[name] for name in names})
    )


def given_rows(table: Any, rows: Sequence[Mapping[str, Any]]) -> FromClause:
    """The rows as PostgreSQL reads them from one array for each column.

    Four times as fast as VALUES, whose parameters are the driver's and the parser's work; COPY into a
    temporary table is no faster at the size of a message, and would leave a table behind in each session.
    """
    columns = table.__table__.c
    arrays = [as_array([row[name] for row in rows], columns[name].type) for name in rows[0]]
    return func.unnest(*arrays).table_valued(*rows[0], name="given").render_derived()


def _without_length(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """A length would make statements differ for nothing."""
    if isinstance(kind, OutsideText) and kind.longest is not None:
        return OutsideText(longest=kind.longest)
    if kind.python_type is str:
        return Text()
    if kind.python_type is int:
        return BigInteger()
    return kind
