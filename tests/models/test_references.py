"""A campaign that is handed over again: what it holds is queued or looked at, all of it at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from models import Asset
from models.references import want_again
from tests.support.rows import accepted_item, asset_row
from tests.support.world import World


@pytest.mark.parametrize("files", [1, 40])
def test_all_that_failed_is_queued_at_once(world: World, files: int) -> None:
    """In as many statements for forty files as for one, on either database."""
    assets = [accepted_item(world, f"file {number}") for number in range(files)]
    due_at = world.clock.now() + timedelta(hours=2)
    given_up = {"state": "failed", "reason": "upload_failed", "detail": "It is away.", "attempts": 9}
    statements: list[str] = []

    def note(_connection: Connection, _cursor: Any, statement: str, _p: Any, _c: Any, many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's own signature
        assert not many, statement
        statements.append(statement)

    with world.database.write() as connection:
        connection.execute(update(Asset).values(given_up))
        event.listen(connection, "before_cursor_execute", note)
        want_again(connection, "spring", refs=None, due_at=due_at, now=world.clock.now())
    # Assets and, where there are locks, their IDs are locked; those are looked at, these put back.
    assert len(statements) == {"sqlite": 3, "postgresql": 4}[world.database.dialect]
    for asset_id in assets:
        row = asset_row(world, asset_id)
        assert (row.state, row.reason, row.detail, row.attempts) == ("waiting", None, "", 0)
        assert row.due_at == due_at
