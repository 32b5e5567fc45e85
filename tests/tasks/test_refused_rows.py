"""The database refuses one row: that one alone is lost, in verdicts, outcomes, prepare and reports alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from greenroom.errors import ManifestError
from models import Database
from tasks.dispatch import claims_from_json
from tasks.mark_used import mark_dead, mark_used
from tasks.prepare import prepare
from tasks.runtime.bisecting_writes import write_bisecting
from tasks.runtime.file_events import UploadedFile
from tasks.upload import upload
from tests.support.rows import asset_row, item_rows, media_rows, ready_item
from tests.support.world import CANARY_KEY, CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out, upload_all

Refuse = Callable[[str, str, str], None]
SQLITE = """
    CREATE TRIGGER refuse_{event} BEFORE {event} ON {table} WHEN {condition}
    BEGIN SELECT RAISE(ABORT, 'no such text'); END
"""
POSTGRESQL = """
    CREATE TRIGGER refuse_{event} BEFORE {event} ON {table} FOR EACH ROW WHEN ({condition})
    EXECUTE FUNCTION refuse()
"""
#: As PostgreSQL says of text that it cannot hold.
FUNCTION = """
    CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no such text' USING ERRCODE = '22021'; END $$
"""


@pytest.fixture
def refuse(world: World) -> Iterator[Refuse]:
    """Have the database refuse rows: on INSERT or UPDATE, of a table, where a condition holds."""
    made: list[tuple[str, str]] = []
    postgresql = world.database.dialect == "postgresql"

    def make(event: str, table: str, condition: str) -> None:
        with world.database.write() as connection:
            if postgresql:
                connection.execute(text(FUNCTION))
            statement = POSTGRESQL if postgresql else SQLITE
            connection.execute(text(statement.format(event=event, table=table, condition=condition)))
        made.append((event, table))

    yield make
    for event, table in made:
        on = f" ON {table}" if postgresql else ""
        with world.database.write() as connection:
            connection.execute(text(f"DROP TRIGGER refuse_{event}{on}"))


def test_one_bad_thing_costs_few_transactions(world: World) -> None:
    """All others are written, and it is told once."""
    transactions: list[int] = []

    def write(_connection: object, things: object) -> list[int]:
        assert isinstance(things, range)
        transactions.append(len(things))
        if 700 in things:
            raise RuntimeError("700 is refused")
        return list(things)

    told: list[int] = []

    def refused(thing: int, error: Exception) -> list[int]:
        told.append(thing)
        assert "700" in str(error)
        return []

    parts = write_bisecting(world.database, range(1_000), write, refused=refused)
    written = [number for part in parts for number in part]
    assert written == [number for number in range(1_000) if number != 700]
    assert told == [700]
    assert len(transactions) <= 2 * 10 + 1


def test_a_failure_of_all_is_no_single_things(database: Database) -> None:
    """A channel that is not known is told at once, and not a thousand times."""
    calls: list[object] = []

    def write(_connection: object, things: object) -> None:
        calls.append(things)
        raise ManifestError("The campaign cannot be used.")

    with pytest.raises(ManifestError):
        list(write_bisecting(database, range(1_000), write, refused=lambda *_: None))
    assert len(calls) == 1


def test_a_verdict_that_is_refused(world: World, make_image: MakeImage, refuse: Refuse) -> None:
    """Its file is rejected, and the others of the batch are accepted."""
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(5)))
    refuse("update", "items", "NEW.ref = '3.jpg' AND NEW.state = 'accepted'")
    assert inspect_all(world) == {"accepted": 4, "rejected": 1, "postponed": 0}
    states = {row.ref: (row.state, row.reason) for row in item_rows(world)}
    assert states.pop("3.jpg") == ("rejected", "unreadable")
    assert set(states.values()) == {("accepted", None)}


def test_an_outcome_that_is_refused(world: World, make_image: MakeImage, refuse: Refuse) -> None:
    """Its file is given up, and not sent again and again; the others' IDs are written down."""
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(5)))
    inspect_all(world)
    bad = item_rows(world)[3]
    refuse("insert", "media", f"NEW.asset_id = {bad.asset_id}")
    (claims,) = claims_handed_out(world)
    assert upload(world.context, {CHANNEL: claims_from_json(claims)}) == {
        "uploaded": 4,
        "postponed": 0,
        "failed": 1,
    }
    assert len(media_rows(world)) == 4
    assert asset_row(world, bad.asset_id).state == "failed"
    told = {one.asset_id: one for one in world.context.events.take() if isinstance(one, UploadedFile)}
    given_up = told.pop(bad.asset_id)
    assert (given_up.media_id, given_up.error, given_up.is_final) == (None, "OurFault", True)
    assert all(one.media_id for one in told.values())
    assert upload_all(world)["uploaded"] == 0
    assert world.sandbox.stats()[CANARY_KEY]["uploads"] == 5


def test_an_item_that_is_refused(world: World, refuse: Refuse) -> None:
    """The scheduler is told which; the campaign has the others."""
    refuse("insert", "items", "NEW.ref = 'b'")
    items = [{"ref": ref, "source": f"/media/{ref}.jpg"} for ref in "abcde"]
    with pytest.raises(ManifestError, match=r"refused 1 of 5 items of campaign spring.*'b'"):
        prepare(world.context, world.campaign(), items)
    assert [row.ref for row in item_rows(world)] == ["a", "c", "d", "e"]


def test_a_report_that_is_refused(world: World, refuse: Refuse) -> None:
    """The others are written down."""
    for name in "abc":
        ready_item(world, name, media_id=name)
    refuse("update", "media", "NEW.media_id = 'b'")
    world.clock.advance(timedelta(hours=1))
    at = world.clock.now().isoformat()
    assert mark_used(world.context, [[CHANNEL, name, at] for name in "abc"]) == 2
    assert {row.media_id for row in media_rows(world) if row.last_used_at} == {"a", "c"}
    assert mark_dead(world.context, [[CHANNEL, name, at] for name in "abc"]) == 2
    assert {row.media_id for row in media_rows(world) if row.died_at} == {"a", "c"}
