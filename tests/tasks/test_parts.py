"""A manifest comes in parts, which several workers write at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from greenroom.errors import Misuse
from greenroom.manifest import parse_items, parse_plan
from models.campaign import get_campaign, save_campaign
from models.item import add_items
from models.need import cancel_campaign
from tasks.prepare import prepare
from tests.conftest import World
from tests.models.rows import item_rows

PATIENCE = 30.0
FIRST = [{"ref": f"a-{number}", "source": f"/media/a-{number}.jpg"} for number in range(3)]
SECOND = [{"ref": f"b-{number}", "source": f"/media/b-{number}.jpg"} for number in range(3)]

# SQLite has one writer at a time: nothing is ever half written there.
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """One, for what is done meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@contextmanager
def first_part_under_way(world: World) -> Iterator[None]:
    """Another worker has written the first part, and commits it at the end of the block."""
    plan = parse_plan(world.campaign())
    with world.database.write() as connection:
        save_campaign(
            connection,
            campaign_id=plan.id,
            channel_id=plan.channel,
            send_at=plan.send_at,
            keep_until=plan.keep_until,
            now=world.clock.now(),
        )
        items = parse_items(FIRST)
        assert add_items(connection, campaign_id=plan.id, due_at=plan.send_at, items=items)
        yield


def waits(world: World, work: Future[Any]) -> bool:
    """Whether the work comes to wait for a lock, rather than to its end."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + PATIENCE
    while not work.done() and time.monotonic() < deadline:
        with world.database.read() as connection:
            if connection.execute(waiting).scalar_one():
                return True
    return False


@on_postgresql
def test_parts_are_written_side_by_side(world: World, threads: ThreadPoolExecutor) -> None:
    """None waits for another one to be committed."""
    prepare(world.context, world.campaign(), [])
    with first_part_under_way(world):
        second = threads.submit(prepare, world.context, world.campaign(), SECOND)
        assert second.result(PATIENCE) == 3
    assert sorted(row.ref for row in item_rows(world)) == [item["ref"] for item in FIRST + SECOND]


@on_postgresql
def test_the_same_part_at_the_same_moment_changes_nothing(world: World, threads: ThreadPoolExecutor) -> None:
    """A message that is delivered twice: the second one waits for the first, and finds all done."""
    prepare(world.context, world.campaign(), [])
    with first_part_under_way(world):
        again = threads.submit(prepare, world.context, world.campaign(), FIRST)
        assert waits(world, again)
    assert again.result(PATIENCE) == 3
    assert [(row.ref, row.state, row.token) for row in item_rows(world)] == [
        (item["ref"], "waiting", 0) for item in FIRST
    ]


@on_postgresql
def test_a_part_that_is_being_written_is_cancelled_with_the_others(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """Cancelling waits for it, and whatever comes after that is refused."""
    prepare(world.context, world.campaign(), [])

    def cancel() -> None:
        with world.database.write() as connection:
            cancel_campaign(connection, "spring", now=world.clock.now())

    with first_part_under_way(world):
        cancelling = threads.submit(cancel)
        assert waits(world, cancelling)
    cancelling.result(PATIENCE)
    with world.database.read() as connection:
        assert get_campaign(connection, "spring").cancelled_at is not None
    with pytest.raises(Misuse, match="was cancelled"):
        prepare(world.context, world.campaign(), SECOND)
    assert len(item_rows(world)) == 3


@on_postgresql
def test_a_part_with_other_dates_moves_what_is_being_written(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """It waits for the parts that have the old dates, and then gives theirs to all."""
    prepare(world.context, world.campaign(), [])
    moved = world.campaign(days=3)
    moved["send_at"] = moved["keep_until"]
    with first_part_under_way(world):
        second = threads.submit(prepare, world.context, moved, SECOND)
        assert waits(world, second)
    assert second.result(PATIENCE) == 3
    assert {row.due_at for row in item_rows(world)} == {parse_plan(moved).send_at}
    assert len(item_rows(world)) == 6
