"""Many rows in one statement, at a cost that does not grow with the number of parameters.

On PostgreSQL a list goes over as one array: a statement has one text, whatever the number of rows, and
neither the driver nor the parser deals with thousands of parameters. SQLite has no arrays, and no network.

Statements that every upload or inspection executes are built once and kept: to build one, and to find it
among those that were compiled, takes SQLAlchemy half a millisecond, as much as an upload costs a worker
(`make bench-backlog`). Their values are bound by name when they are executed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    FromClause,
    Text,
    Update,
    any_,
    bindparam,
    func,
    literal,
    make_url,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine, UserDefinedType

from greenroom.untrusted_text import storable
from models.base import OutsideText
from models.upsert import insert

#: IDs in one statement that names each: it takes 65,535 parameters on PostgreSQL, and 32,766 on SQLite.
STATEMENT_IDS = 5_000
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


def among_bound(
    column: InstrumentedAttribute[Any] | ColumnElement[Any], name: str, *, postgresql: bool
) -> ColumnElement[bool]:
    """A condition: the column has one of the values that are bound to a name; for statements that are kept.

    Args:
        column: of numbers or texts.
        name: of the parameter, a list.
        postgresql: whether the database takes arrays.
    """
    if not postgresql:
        return column.in_(bindparam(name, expanding=True))
    return column == any_(bindparam(name, type_=_Array(column.type)))


def as_array(values: Sequence[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """Values as one parameter, an array of PostgreSQL's; `kind` is a value's type."""
    return literal(values, _Array(kind))


class _Array(UserDefinedType[Any]):
    """An array in PostgreSQL's own notation, written in one go.

    The driver's way is a look-up, a call and a regular expression for each member: eight hundredths of what
    a worker computed (`make bench-backlog`).
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


def insert_rows(
    connection: Connection,
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    *,
    same: Mapping[str, Any] | None = None,
    more: Callable[[Insert], Insert] | None = None,
) -> CursorResult[Any]:
    """Write new rows.

    Args:
        connection: an open transaction.
        table: a mapped class.
        rows: at least one; each with the same columns. They are written, and so locked, in this order.
        same: columns that are the same in all rows.
        more: a function of a module, which adds an ON CONFLICT, or a RETURNING; it is called once.
    """
    same = same or {}
    if not on_postgresql(connection):
        statement = insert(connection, table)
        return connection.execute(more(statement) if more else statement, [{**same, **row} for row in rows])
    given = {f"same_{name}": value for name, value in same.items()}
    statement = _insertion(table, tuple(same), tuple(rows[0]), more)
    return connection.execute(statement, {**given, **columns_of(rows)})


@cache
def _insertion(
    table: Any,
    same: tuple[str, ...],
    names: tuple[str, ...],
    more: Callable[[Insert], Insert] | None,
) -> Insert:
    given, columns = given_rows(table, names), table.__table__.c
    values: list[ColumnElement[Any]] = [bindparam(f"same_{name}", type_=columns[name].type) for name in same]
    values += [given.c[name] for name in names]
    statement = postgresql.insert(table).from_select([*same, *names], select(*values))
    return more(statement) if more else statement


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
            insert_rows(connection, table, rows, same=same)
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


def update_rows(
    connection: Connection,
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    *,
    same: Mapping[str, Any] | None = None,
    only: ColumnElement[bool] | None = None,
) -> None:
    """Give rows other values, each its own; to be called with the rows locked.

    Args:
        connection: an open transaction.
        table: a mapped class, with an `id`.
        rows: each with the same columns, of which `id` says which row it is.
        same: columns that are the same in all rows.
        only: a condition, that of a module: a statement is built and kept for each. Other rows are left as
            they are.
    """
    if not rows:
        return
    same, names = same or {}, tuple(rows[0])
    given = {f"same_{name}": value for name, value in same.items()}
    if on_postgresql(connection):
        connection.execute(_update(table, tuple(same), names, only), {**given, **columns_of(rows)})
        return
    each: dict[str, ColumnElement[Any]] = {name: bindparam(f"new_{name}") for name in names if name != "id"}
    statement = _changed(table, tuple(same), table.id == bindparam("row_id"), each, only)
    connection.execute(
        statement,
        [{"row_id": row["id"], **given, **{f"new_{name}": row[name] for name in each}} for row in rows],
    )


@cache
def _update(
    table: Any, same: tuple[str, ...], names: tuple[str, ...], only: ColumnElement[bool] | None
) -> Update:
    given = given_rows(table, names)
    each = {name: given.c[name] for name in names if name != "id"}
    return _changed(table, same, table.id == given.c.id, each, only)


def _changed(
    table: Any,
    same: tuple[str, ...],
    mine: ColumnElement[bool],
    each: Mapping[str, ColumnElement[Any]],
    only: ColumnElement[bool] | None,
) -> Update:
    columns = table.__table__.c
    of_all = {name: bindparam(f"same_{name}", type_=columns[name].type) for name in same}
    conditions = [mine] if only is None else [mine, only]
    return update(table).where(*conditions).values({**of_all, **each})


def given_rows(table: Any, names: Sequence[str]) -> FromClause:
    """Rows as PostgreSQL reads them from one array for each column, bound as :func:`columns_of` has them.

    Four times as fast as VALUES, whose parameters are the driver's and the parser's work; COPY into a
    temporary table is no faster at the size of a message, and would leave a table behind in each session.

    Args:
        table: a mapped class.
        names: of the columns.
    """
    columns = table.__table__.c
    arrays = [bindparam(f"each_{name}", type_=_Array(columns[name].type)) for name in names]
    return func.unnest(*arrays).table_valued(*names, name="given").render_derived()


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The parameters of :func:`given_rows`: each column's values, of at least one row."""
    return {f"each_{name}": [row[name] for row in rows] for name in rows[0]}


def _without_length(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """A length would make statements differ for nothing."""
    if isinstance(kind, OutsideText) and kind.longest is not None:
        return OutsideText(longest=kind.longest)
    if kind.python_type is str:
        return Text()
    if kind.python_type is int:
        return BigInteger()
    return kind
