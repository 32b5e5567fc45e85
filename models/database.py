"""The way to the database: transactions to read in and to write in, on PostgreSQL and on SQLite."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from greenroom.errors import DatabaseUnavailable, SettingsError

#: Seconds that a writer waits for another one on SQLite, where there is one at a time.
SQLITE_BUSY_SECONDS = 30.0
#: Seconds that a renewal of claims, or a sweep of those that lapsed, waits for a lock or a connection. What
#: was not renewed is tried again at once, and must not stand behind what waits for the same lock.
BRIEF_SECONDS = 2.0
#: Connections for those, which all of a process share.
BRIEF_CONNECTIONS = 2
#: Seconds after which a pooled connection is tried before it is used: a server that went away meanwhile is
#: found so. One that was used just now is not asked: that costs as much as a statement.
TRY_AFTER_SECONDS = 1.0
#: What PostgreSQL answers to whoever wants to write where nobody can (SQLSTATE).
READ_ONLY = "25006"


class Database:
    """An engine, and the two kinds of transaction that are made on it.

    Args:
        url: ``postgresql://``, ``postgresql+psycopg://`` or ``sqlite:///``; may hold a password.

    Raises:
        SettingsError: it is not one of these.
    """

    def __init__(self, url: SecretStr) -> None:
        try:
            parsed = make_url(url.get_secret_value())
        except (ArgumentError, ValueError):
            # Not `from` it: its words may have a part of the password.
            raise SettingsError(
                "GREENROOM_DATABASE_URL is no database's address. In a password, write @ as %40 and / as %2F."
            ) from None
        self.engine = _engine(parsed)
        # Connections are made when they are needed first.
        self._brief = _engine(parsed, brief=True)

    @property
    def dialect(self) -> str:
        """``"postgresql"`` or ``"sqlite"``."""
        return self.engine.dialect.name

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, and undone by an exception.

        Raises:
            DatabaseUnavailable: the database is away; nothing of the block is kept.
        """
        with _failures_as_ours(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write_briefly(self) -> Iterator[Connection]:
        """A transaction like those of :meth:`write` that waits for nobody for long.

        It has connections of its own: where all others wait for a table that somebody has locked, claims are
        renewed all the same.

        Raises:
            DatabaseUnavailable: as :meth:`write`, or a lock was not had within :data:`BRIEF_SECONDS`.
        """
        with _failures_as_ours(), self._brief.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; on SQLite it never waits for a writer.

        Raises:
            DatabaseUnavailable: the database is away.
        """
        with _reading(self.engine) as connection:
            yield connection

    @contextmanager
    def read_briefly(self) -> Iterator[Connection]:
        """A transaction like those of :meth:`read` that waits for nobody for long.

        Raises:
            DatabaseUnavailable: as :meth:`read`, or a lock was not had within :data:`BRIEF_SECONDS`.
        """
        with _reading(self._brief) as connection:
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self._brief.dispose()


@contextmanager
def _failures_as_ours() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        # The driver's own words; SQLAlchemy's would add the statement and its parameters.
        raise DatabaseUnavailable(f"The database is not available: {error.orig}") from error
    except PoolTimeout as error:
        raise DatabaseUnavailable("All connections to the database are in use.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable(f"The connection to the database was lost: {error.orig}") from error
        raise


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    with (
        _failures_as_ours(),
        engine.connect().execution_options(greenroom_read_only=True) as connection,
        connection.begin(),
    ):
        yield connection


def _give_up_replicas(context: ExceptionContext) -> None:
    """A server that lets nobody write any more is another one's replica: connections to it are no use."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _engine(url: URL, *, brief: bool = False) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite":
        patience = BRIEF_SECONDS if brief else SQLITE_BUSY_SECONDS
        engine = create_engine(url, connect_args={"timeout": patience}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        # What is beyond the pool is closed after its transaction, and opening one costs as much as fifty
        # transactions; a process opens no more than it uses at the same time.
        pool_size=BRIEF_CONNECTIONS if brief else 15,
        max_overflow=0,
        pool_timeout=BRIEF_SECONDS if brief else 30,
        # The connection that was used last has its statements prepared.
        pool_use_lifo=True,
        # Claims skip rows that are locked, and read what was committed until then.
        isolation_level="READ COMMITTED",
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    if brief:
        event.listen(engine, "connect", _wait_briefly)
    event.listen(engine, "handle_error", _give_up_replicas)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _try_idle)
    return engine


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _try_idle(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Find out whether a connection that nobody used for a while stands; if not, the pool makes another.

    Outside of a transaction: after a ROLLBACK the driver forgets which statements it has prepared.
    """
    if time.monotonic() - record.info.get("used_at", math.inf) < TRY_AFTER_SECONDS:
        return
    try:
        connection.autocommit = True
        connection.execute("")
        connection.autocommit = False
    except connection.OperationalError as error:
        raise InvalidatePoolError from error


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    """What days, and moments written as text, mean here is the same whoever keeps the database.

    A default of the server's, the database's or the role's would hold otherwise. Said by the session itself:
    poolers in between know these two, and refuse what comes with the connection's beginning.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false)")
    # Else the first rollback would undo it.
    connection.commit()


def _wait_briefly(connection: Any, _record: Any) -> None:
    """Give up on locks soon."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('lock_timeout', '{BRIEF_SECONDS * 1000:.0f}ms', false)")
    connection.commit()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """One writer beside many readers (WAL), foreign keys on, and BEGIN left to `_begin_sqlite`."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes later may fail on SQLite."""
    read_only = connection.get_execution_options().get("greenroom_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
