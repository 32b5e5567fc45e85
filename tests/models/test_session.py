"""Whatever the server, the database or the role has as its default, our sessions read the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text, update

from greenroom.errors import DatabaseUnavailable
from models import Database, Media
from models import database as database_module
from models.forecast import renewals
from tests.support.rows import media_rows, ready_item
from tests.support.world import World

#: Each would be felt: by days, by what the driver can read, and by claims that skip what is locked.
DEFAULTS = {
    "timezone": "Asia/Tokyo",
    "datestyle": "German",
    "default_transaction_isolation": "serializable",
}


@pytest.fixture
def elsewhere(world: World, database_url: str) -> Iterator[Database]:
    """The world's database with other defaults, which hold for sessions from now on."""
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite has no sessions")
    with world.database.read() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
    with world.database.write() as connection:
        for setting, value in DEFAULTS.items():
            connection.execute(text(f'ALTER DATABASE "{name}" SET {setting} TO "{value}"'))
    database = Database(SecretStr(database_url))
    yield database
    database.close()
    with world.database.write() as connection:
        for setting in DEFAULTS:
            connection.execute(text(f'ALTER DATABASE "{name}" RESET {setting}'))


def test_sessions_are_utc_whatever_the_default(elsewhere: Database) -> None:
    """Also after a transaction that was undone."""
    seen = set()
    for _ in range(2):
        with elsewhere.engine.connect() as connection:
            settings = ("TimeZone", "DateStyle", "transaction_isolation")
            seen.add(tuple(connection.execute(text(f"SHOW {name}")).scalar_one() for name in settings))
            connection.rollback()
    ((zone, style, isolation),) = seen
    assert (zone, style.split(",")[0], isolation) == ("UTC", "ISO", "read committed")


def test_a_week_is_the_same_week_everywhere(world: World, elsewhere: Database) -> None:
    """Sunday evening, UTC, is Monday morning in Tokyo."""
    ready_item(world, "a", media_id="m1")
    sunday = datetime(2026, 6, 28, 20, tzinfo=UTC)
    with world.database.write() as connection:
        connection.execute(update(Media).values(refresh_at=sunday))
    with elsewhere.read() as connection:
        weeks = renewals(connection, "spring", now=world.clock.now(), until=sunday + timedelta(days=1))
    assert [(week.monday.isoformat(), week.files) for week in weeks] == [("2026-06-22", 1)]
    assert media_rows(world)[0].refresh_at == sunday


def end_session_of(world: World, database_url: str) -> None:
    """As a server does that restarts, or whatever stands in between."""
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite has no sessions")
    with world.database.read() as connection:
        session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = Database(SecretStr(database_url))
    with other.read() as connection:
        assert connection.execute(text("SELECT pg_terminate_backend(:it, 10000)"), {"it": session}).scalar()
    other.close()


def test_a_session_that_ended_while_nobody_used_it_is_replaced(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes next does not notice."""
    end_session_of(world, database_url)
    monkeypatch.setattr(database_module, "TRY_AFTER_SECONDS", 0.0)
    with world.database.write() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_session_that_ends_just_after_its_use_fails_one_transaction(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a failure of the moment; the next one has another session."""
    end_session_of(world, database_url)
    monkeypatch.setattr(database_module, "TRY_AFTER_SECONDS", 600.0)
    with pytest.raises(DatabaseUnavailable), world.database.write() as connection:
        connection.execute(text("SELECT 1"))
    with world.database.write() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_session_that_is_tried_keeps_its_prepared_statements(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else PostgreSQL would plan each of them anew after each pause, and five times over."""
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite has no sessions")
    monkeypatch.setattr(database_module, "TRY_AFTER_SECONDS", 0.0)
    for _ in range(7):
        with world.database.read() as connection:
            prepared = connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()
    assert prepared == 1
