"""Many rows in one statement, at a cost that does not grow with the number of parameters.

A list goes over as one parameter, an array on PostgreSQL and JSON on SQLite: a statement has one text,
whatever the number of rows, and neither the driver nor the parser deals with thousands of parameters.

Statements that every upload or inspection executes are built once and kept: to build one, and to find it
among those that were compiled, takes SQLAlchemy half a millisecond, as much as an upload costs a worker
(`make bench-backlog`). Their values are bound by name when they are executed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
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
    TableValuedAlias,
    Text,
    Update,
    bindparam,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy import (
    column as column_clause,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler, TypeCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine, UserDefinedType

from greenroom.untrusted_text import storable
from models.base import OutsideText
from models.upsert import Insert, insert

Column = InstrumentedAttribute[Any] | ColumnElement[Any]

#: PostgreSQL's own code.
_UNIQUE_VIOLATION = "23505"


def on_postgresql(connection: Connection) -> bool:
    """Whether the database takes arrays."""
    return connection.dialect.name == "postgresql"


def among(column: Column, values: Collection[Any]) -> ColumnElement[bool]:
    """A condition: the column has one of these values; numbers or texts, as many as there may be."""
    return _Among(column, literal(list(values), ListOf(column.type)))


def among_bound(column: Column, name: str) -> ColumnElement[bool]:
    """A condition: the column has one of the values that are bound to a name; for statements that are kept.

    Args:
        column: of numbers or texts.
        name: of the parameter, a list.
    """
    return _Among(column, bindparam(name, type_=ListOf(column.type)))


class _Among(FunctionElement[bool]):
    """A column, and a list; without a type of its own, for it stands in conditions as it is."""

    inherit_cache = True


@compiles(_Among)
def _among_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"({column} = ANY ({values}))"


@compiles(_Among, "sqlite")
def _among_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(each, **options) for each in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608 - both are compiled, not given


class ListOf(UserDefinedType[Any]):
    """A list in the database's own notation, written in one go; also a column's: of JSON on SQLite.

    The driver's way to an array is a look-up, a call and a regular expression for each member: eight
    hundredths of what a worker computed (`make bench-backlog`).
    """

    cache_ok = True
    #: PostgreSQL is told the type; the driver gives it a text.
    render_bind_cast = True

    def __init__(self, member: TypeEngine[Any]) -> None:
        self.member = _without_length(member)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Write it as a text."""
        to_driver = self.member.dialect_impl(dialect).bind_processor(dialect)
        written = _as_array if dialect.name == "postgresql" else _as_json
        # An array is cleaned as a whole, which is what texts of any length are given to the driver for.
        whole = isinstance(self.member, OutsideText) and self.member.longest is None
        if whole and dialect.name == "postgresql":
            to_driver = None

        def as_text(values: Sequence[Any]) -> str:
            return written(values if to_driver is None else [to_driver(value) for value in values])

        return as_text

    def result_processor(self, dialect: Dialect, _type: object) -> Callable[[Any], list[Any]] | None:
        """Read it; PostgreSQL's driver has done so."""
        return (
            None if dialect.name == "postgresql" else lambda value: [] if value is None else json.loads(value)
        )


@compiles(ListOf)
def _list_of_array(kind: ListOf, compiler: TypeCompiler, **options: Any) -> str:
    return f"{compiler.process(kind.member, **options)}[]"


@compiles(ListOf, "sqlite")
def _list_of_json(_kind: ListOf, _compiler: TypeCompiler, **_options: Any) -> str:
    return "TEXT"


def collected(column: Column, where: ColumnElement[bool]) -> ColumnElement[list[Any]]:
    """An aggregate: the values of a column where a condition holds, in no order; NULL or none of none."""
    return _Collected(column, type_=ListOf(column.type)).filter(where)


class _Collected(FunctionElement[list[Any]]):
    """An array, or JSON."""

    inherit_cache = True

    def __init__(self, column: Column, *, type_: TypeEngine[Any]) -> None:
        super().__init__(column)
        self.type = type_


@compiles(_Collected)
def _collected_array(element: _Collected, compiler: SQLCompiler, **options: Any) -> str:
    return f"array_agg({compiler.process(element.clauses, **options)})"


@compiles(_Collected, "sqlite")
def _collected_json(element: _Collected, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


def members(column: Column, *, postgresql: bool) -> TableValuedAlias:
    """The members of a column of lists, one a row, as ``value``; its table is to be joined with it."""
    kind = column.type
    each = column_clause("value", kind.member if isinstance(kind, ListOf) else None)
    if postgresql:
        return func.unnest(column).table_valued(each, name="member").render_derived()
    return func.json_each(column).table_valued(each, name="member")


class _Row(UserDefinedType[Any]):
    """A member of a list that has several values; on SQLite."""

    cache_ok = True

    def __init__(self, members: tuple[TypeEngine[Any], ...]) -> None:
        self.members = members

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], list[Any]]:
        to_driver = [member.dialect_impl(dialect).bind_processor(dialect) for member in self.members]

        def each(values: Sequence[Any]) -> list[Any]:
            pairs = zip(to_driver, values, strict=True)
            return [value if process is None else process(value) for process, value in pairs]

        return each


def _as_json(values: Sequence[Any]) -> str:
    return json.dumps(values, separators=(",", ":"))


def _as_array(values: Sequence[Any]) -> str:
    if values and isinstance(values[0], str):
        # Most often plain texts, which are quoted all at once; a NULL among them is none to `join`.
        with suppress(TypeError):
            text = '","'.join(values)
            if "\\" not in text and text.count('"') == 2 * (len(values) - 1):
                return storable(f'{{"{text}"}}')
    if values and type(values[0]) is int:
        # So are whole numbers.
        with suppress(TypeError):
            return "{" + ",".join(map(int.__repr__, values)) + "}"
    return storable("{" + ",".join(map(_member, values)) + "}")


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
    return insert_columns(connection, table, _columns(rows), same=same, more=more)


def insert_columns(
    connection: Connection,
    table: Any,
    columns: Mapping[str, Sequence[Any]],
    *,
    same: Mapping[str, Any] | None = None,
    more: Callable[[Insert], Insert] | None = None,
) -> CursorResult[Any]:
    """Write new rows, whose values are given by column; arguments as of :func:`insert_rows`."""
    same = same or {}
    postgresql = on_postgresql(connection)
    statement = _insertion(table, tuple(same), tuple(columns), more, postgresql=postgresql)
    return connection.execute(
        statement,
        {**parameters_alike(same), **parameters_of(columns, postgresql=postgresql)},
        # SQLAlchemy would keep it of updates and deletes alone.
        execution_options={"preserve_rowcount": True},
    )


@cache
def _insertion(
    table: Any,
    same: tuple[str, ...],
    names: tuple[str, ...],
    more: Callable[[Insert], Insert] | None,
    *,
    postgresql: bool,
) -> Insert:
    given, columns = given_rows(table, names, postgresql=postgresql), table.__table__.c
    values: list[ColumnElement[Any]] = [bindparam(f"same_{name}", type_=columns[name].type) for name in same]
    values += [given.c[name] for name in names]
    # With a condition: SQLite would take ON CONFLICT right behind FROM for that of a join.
    rows = select(*values).where(true())
    statement = insert(table, postgresql=postgresql).from_select([*same, *names], rows)
    return more(statement) if more else statement


def add_columns(
    connection: Connection,
    table: Any,
    columns: Mapping[str, Sequence[Any]],
    *,
    same: Mapping[str, Any],
) -> bool:
    """Write rows that are not there yet, without the price of ON CONFLICT: a mark in each, taken off again.

    Args:
        connection: an open transaction.
        table: a mapped class.
        columns: the rows' values, at least one of each. They are written, and so locked, in this order.
        same: columns that are the same in all rows.

    Returns:
        Whether they were written; False where one of them is there after all: then none was.
    """
    try:
        with connection.begin_nested():
            insert_columns(connection, table, columns, same=same)
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
) -> int:
    """Give rows other values, each its own; to be called with the rows locked. Returns how many it wrote.

    Args:
        connection: an open transaction.
        table: a mapped class, with an `id`.
        rows: each with the same columns, of which `id` says which row it is.
        same: columns that are the same in all rows.
        only: a condition, that of a module: a statement is built and kept for each. Other rows are left as
            they are.
    """
    if not rows:
        return 0
    same, names, postgresql = same or {}, tuple(rows[0]), on_postgresql(connection)
    statement = _update(table, tuple(same), names, only, postgresql=postgresql)
    given = {**parameters_alike(same), **columns_of(rows, postgresql=postgresql)}
    written = connection.execute(statement, given)
    return written.rowcount


@cache
def _update(
    table: Any,
    same: tuple[str, ...],
    names: tuple[str, ...],
    only: ColumnElement[bool] | None,
    *,
    postgresql: bool,
) -> Update:
    given, columns = given_rows(table, names, postgresql=postgresql), table.__table__.c
    alike = {name: bindparam(f"same_{name}", type_=columns[name].type) for name in same}
    each = {name: given.c[name] for name in names if name != "id"}
    conditions = [table.id == given.c.id, *([] if only is None else [only])]
    return update(table).where(*conditions).values({**alike, **each})


def parameters_alike(same: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of columns that are the same in all rows."""
    return {f"same_{name}": value for name, value in same.items()}


def given_rows(table: Any, names: Sequence[str], *, postgresql: bool = True) -> FromClause:
    """Rows as the database reads them from the parameters that :func:`parameters_of` has.

    On PostgreSQL from one array for each column: four times as fast as VALUES, whose parameters are the
    driver's and the parser's work; COPY into a temporary table is no faster at the size of a message, and
    would leave a table behind in each session. On SQLite from JSON: half of what a statement for each row
    costs.

    Args:
        table: a mapped class.
        names: of the columns.
        postgresql: whether the database takes arrays.
    """
    columns = table.__table__.c
    if postgresql:
        lists = [bindparam(f"each_{name}", type_=ListOf(columns[name].type)) for name in names]
        return func.unnest(*lists).table_valued(*names, name="given").render_derived()
    kinds = [columns[name].type for name in names]
    rows = func.json_each(bindparam("each_row", type_=ListOf(_Row(tuple(kinds))))).table_valued("value")
    values = [
        func.json_extract(rows.c.value, f"$[{place}]", type_=kind).label(name)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    return select(*values).subquery("given")


def parameters_of(columns: Mapping[str, Sequence[Any]], *, postgresql: bool = True) -> dict[str, Any]:
    """The parameters of :func:`given_rows`, of at least one row."""
    if postgresql:
        return {f"each_{name}": values for name, values in columns.items()}
    return {"each_row": list(zip(*columns.values(), strict=True))}


def columns_of(rows: Sequence[Mapping[str, Any]], *, postgresql: bool = True) -> dict[str, Any]:
    """The same, of at least one row, each with the same columns."""
    return parameters_of(_columns(rows), postgresql=postgresql)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _without_length(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """A length would make statements differ for nothing."""
    if isinstance(kind, OutsideText) and kind.longest is not None:
        return OutsideText(longest=kind.longest)
    if kind.python_type is str:
        return Text()
    if kind.python_type is int:
        return BigInteger()
    return kind
