"""What is started beside the migration waits for it, and runs on the tables of a later version."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection

from greenroom.errors import DatabaseUnavailable
from models import Database
from models.schema import create_schema, revision_of
from worker.embedded.schema_upgrade import newest_revision
from worker.wait_for_tables import wait_for_tables


@pytest.mark.parametrize("revision", [newest_revision(), "9999"], ids=["of now", "of later"])
def test_tables_that_will_do_are_not_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    """Going back a version does not need the tables of before."""
    monkeypatch.setattr("worker.wait_for_tables.revision_of", lambda _: revision)
    wait_for_tables(database, sleep=lambda _: pytest.fail("it waited"))


def test_it_says_what_it_waits_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database that is away, one without tables, one that somebody migrates meanwhile."""
    database = Database(SecretStr(f"sqlite:///{tmp_path / 'new.db'}"))
    looks = iter(range(6))

    def pass_time(_: float) -> None:
        if next(looks) == 3:
            with database.write() as connection:
                create_schema(connection, newest_revision())

    def look(connection: Connection) -> str | None:
        """The first look finds nobody."""
        if len(away) < 2:
            away.append(True)
            raise DatabaseUnavailable("The database is away.")
        return revision_of(connection)

    away: list[bool] = []
    monkeypatch.setattr("worker.wait_for_tables.revision_of", look)
    wait_for_tables(database, sleep=pass_time)
    database.close()
    assert capsys.readouterr().out.splitlines() == [
        "The database is away. Waiting for: alembic upgrade head",
        (
            f"The tables are at revision none; {newest_revision()} is needed. "
            "Waiting for: alembic upgrade head"
        ),
    ]
