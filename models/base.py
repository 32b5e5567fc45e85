"""What all tables share: the declarative base, names of constraints, and column types."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler
from sqlalchemy.types import TypeEngine

from greenroom.clock import require_aware
from greenroom.untrusted_text import LONGEST_SENTENCE, storable

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

#: A 64-bit key that counts up by itself on PostgreSQL and on SQLite (which does so for INTEGER alone).
BigKey = BigInteger().with_variant(Integer(), "sqlite")


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that meet a condition, on both databases."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where))


@compiles(CreateIndex, "postgresql")
def _create_index(create: CreateIndex, compiler: DDLCompiler, **options: Any) -> str:
    """With the condition that SQLite is told.

    An option of PostgreSQL's would load that dialect, a tenth of all that is loaded, where there is none.
    """
    options_given = create.element.dialect_kwargs
    if "sqlite_where" in options_given:
        options_given["postgresql_where"] = options_given["sqlite_where"]
    # By its stubs it has no types.
    visit: Callable[..., str] = compiler.visit_create_index
    return visit(create, **options)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: aware in, aware UTC out, on databases with time zones and without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive datetimes at the door; SQLite gets UTC without its zone."""
        if value is None:
            return None
        aware = require_aware(value)
        return aware.replace(tzinfo=None) if dialect.name == "sqlite" else aware

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the API
        """Give the zone back."""
        if value is None:
            return None
        moment: datetime = value
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class OutsideText(TypeDecorator[str]):
    """Text that somebody outside wrote: whatever a database would refuse in it is replaced on the way in.

    The one cleaner that all text passes, in rows and in conditions: a name with a NUL is found nowhere,
    instead of failing the statement, and all that goes with it.

    Args:
        length: of the column, for what is refused where it comes in if it is longer; None for any.
        longest: characters that are kept of longer text; None for all.
    """

    # The class; an instance's own is that of its column.
    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True

    def __init__(self, length: int | None = None, *, longest: int | None = None) -> None:
        super().__init__()
        self.length = length
        self.longest = longest
        self.impl = Text() if length is None else String(length)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the API
        """Clean it, and cut it."""
        return None if value is None else storable(value, longest=self.longest)


class Names(TypeDecorator[tuple[str, ...]]):
    """Some names, in their order, as JSON; NULL for none."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the API
        """Write them."""
        return json.dumps(list(value)) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...]:  # noqa: ARG002 - the API
        """Read them."""
        return tuple(json.loads(value)) if value else ()


#: What a person reads: a reason, a label.
Sentence = OutsideText(longest=LONGEST_SENTENCE)


class Base(DeclarativeBase):
    """The root of Greenroom's tables."""

    metadata = MetaData(naming_convention=NAMING)
