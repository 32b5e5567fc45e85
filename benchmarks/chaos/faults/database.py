"""The database: gone, frozen, refusing, full, locked, slow."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg

from benchmarks.chaos.disk import NoDisk, small_disk
from benchmarks.chaos.run import Problem, Run, fault
from benchmarks.chaos.services import CONNECTIONS, Postgres, give_to_postgres
from benchmarks.chaos.stack import EMBEDDED, LEASE_SECONDS

READ_ONLY_SECONDS = 8.0
FROZEN_SECONDS = 20.0
USED_UP_SECONDS = 15.0
FULL_SECONDS = 10.0
SLOW_SECONDS = 10.0
#: Longer than a lease: what is renewed and recorded waits behind it.
LOCKED_SECONDS = LEASE_SECONDS + 5.0
#: Enough for the tables, and full in a moment.
SMALL_DISK = 32 << 20


@fault("database", "restarted")
def restart(run: Run) -> None:
    """As for an update: sessions are ended, and for a moment nobody listens."""
    with run.hit():
        run.production.postgres.stop(signal.SIGINT)
    time.sleep(run.chance.uniform(0.5, 2.0))
    run.production.postgres.start()


@fault("database", "killed")
def kill(run: Run) -> None:
    """What was committed is there after the restart, and nothing else."""
    with run.hit():
        run.production.postgres.kill()
    run.production.postgres.start()


@fault("database", "sessions ended, five times")
def end_sessions(run: Run) -> None:
    """``pg_terminate_backend`` for all of Greenroom's."""
    for _ in range(5):
        with run.hit():
            run.production.postgres.end_sessions()
        time.sleep(run.chance.uniform(0.2, 0.8))


@fault("database", "read-only for 8 s")
def read_only(run: Run) -> None:
    """As one that became a replica."""
    postgres = run.production.postgres
    with run.hit():
        postgres.set(default_transaction_read_only="on")
    time.sleep(READ_ONLY_SECONDS)
    postgres.reset("default_transaction_read_only")


@fault("database", "frozen for 20 s")
def freeze(run: Run) -> None:
    """It takes connections, and says nothing on them."""
    with ExitStack() as stack:
        with run.hit():
            stack.enter_context(run.production.postgres.frozen())
        time.sleep(FROZEN_SECONDS)


@fault("database", "all connections used up for 15 s")
def use_up(run: Run) -> None:
    """By another program that has Greenroom's own role."""
    with ExitStack() as stack:
        with run.hit():
            _take_all(run.production.postgres, stack)
        time.sleep(USED_UP_SECONDS)


def _take_all(postgres: Postgres, stack: ExitStack) -> None:
    ours: list[int] = []
    for _ in range(20):
        postgres.end_sessions(but=ours)
        with suppress(psycopg.OperationalError):
            while len(ours) < CONNECTIONS:
                connection = postgres.connect(role="greenroom")
                stack.callback(connection.close)
                ours.append(connection.info.backend_pid)
    if len(ours) < CONNECTIONS / 2:
        raise Problem(f"only {len(ours)} connections could be taken")


@fault("database", "its disk full for 10 s")
def fill_disk(run: Run) -> None:
    """The tables are on a small disk of their own (needs root), which something else fills."""
    postgres = run.production.postgres
    try:
        with small_disk(run.stack.folder / "disk", SMALL_DISK) as disk:
            give_to_postgres(disk.folder)
            postgres.sql(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
            _move(postgres, "small")
            with run.hit():
                disk.fill()
            time.sleep(FULL_SECONDS)
            disk.empty()
            _move(postgres, "pg_default")
            postgres.sql("DROP TABLESPACE small")
    except NoDisk as error:
        raise Problem(str(error)) from error


def _move(postgres: Postgres, target: str) -> None:
    """Tables and indexes one by one, so that nobody waits for more than one of them."""
    kinds = {"r": "TABLE", "i": "INDEX"}
    names = postgres.sql(
        "SELECT relname, relkind::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
    )
    for name, kind in names:
        postgres.sql(f"ALTER {kinds[kind]} {name} SET TABLESPACE {target}")


def locked(table: str) -> None:
    """A table locked for longer than the lease, as by a careless migration."""

    @fault("database", f"{table} locked for {LOCKED_SECONDS:.0f} s")
    def lock(run: Run) -> None:
        with run.production.postgres.connect() as connection, connection.transaction():
            with run.hit():
                connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            time.sleep(LOCKED_SECONDS)


for each in ("assets", "media", "items"):
    locked(each)


@fault("database", "each commit takes 0.1 s longer")
def slow_commits(run: Run) -> None:
    """``commit_delay``: the server waits for others before it writes."""
    with _set(run, commit_delay="100000", commit_siblings="0"):
        time.sleep(SLOW_SECONDS)


@fault("database", "no commit returns for 15 s")
def hanging_commits(run: Run) -> None:
    """They wait for a synchronous standby that is not there."""
    with _set(run, synchronous_standby_names="nobody"):
        time.sleep(LOCKED_SECONDS)


@contextmanager
def _set(run: Run, **settings: str) -> Iterator[None]:
    with run.hit():
        run.production.postgres.set(**settings)
    try:
        yield
    finally:
        run.production.postgres.reset(*settings)


@fault("database", f"SQLite locked for {LOCKED_SECONDS:.0f} s", on=(EMBEDDED,))
def lock_sqlite(run: Run) -> None:
    """By somebody who writes, and does not end."""
    connection = sqlite3.connect(run.embedded.state_dir.database, isolation_level=None, timeout=30)
    try:
        with run.hit():
            connection.execute("BEGIN IMMEDIATE")
        time.sleep(LOCKED_SECONDS)
        connection.execute("ROLLBACK")
    finally:
        connection.close()
