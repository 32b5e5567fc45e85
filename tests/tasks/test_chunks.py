"""A manifest comes in parts, which several workers write at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, text

from greenroom.errors import Misuse
from greenroom.manifest import parse_items, parse_plan
from models.campaign import get_campaign, hold_campaign, save_campaign
from models.cancellation import cancel_campaign
from models.manifest_items import add_items
from tasks.prepare import prepare, write_beside
from tests.support.rows import item_rows
from tests.support.world import World

PATIENCE = 30.0
FIRST = [{"ref": f"a-{number}", "source": f"/media/a-{number}.jpg"} for number in range(3)]
SECOND = [{"ref": f"b-{number}", "source": f"/media/b-{number}.jpg"} for number in range(3)]

# SQLite has one writer at a time: nothing is ever half written there.
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """For what is done meanwhile."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


@contextmanager
def first_part_in_flight(world: World) -> Iterator[None]:
    """Another worker has written the first part of a known campaign; it commits at the end of the block."""
    prepare(world.context, world.campaign(), [])
    with world.database.write() as connection:
        now = world.clock.now()
        plan = parse_plan(world.campaign())
        assert write_beside(connection, plan, parse_items(FIRST), upload_from=now, now=now)
        yield


def write_first(world: World, connection: Connection) -> None:
    """Write the first part, and with it the campaign."""
    plan = parse_plan(world.campaign())
    save_campaign(
        connection,
        campaign_id=plan.id,
        channel_id=plan.channel,
        send_at=plan.send_at,
        keep_until=plan.keep_until,
        now=world.clock.now(),
    )
    assert add_items(connection, campaign_id=plan.id, due_at=plan.send_at, items=parse_items(FIRST))


def waiting(world: World, *work: Future[Any]) -> bool:
    """Whether all of these come to wait for a lock, rather than to their end."""
    statement = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + PATIENCE
    while not any(one.done() for one in work) and time.monotonic() < deadline:
        with world.database.read() as connection:
            if connection.execute(statement).scalar_one() == len(work):
                return True
    return False


@on_postgresql
def test_parts_are_written_side_by_side(world: World, threads: ThreadPoolExecutor) -> None:
    """None waits for another one to be committed."""
    with first_part_in_flight(world):
        second = threads.submit(prepare, world.context, world.campaign(), SECOND)
        assert second.result(PATIENCE) == 3
    assert sorted(row.ref for row in item_rows(world)) == [item["ref"] for item in FIRST + SECOND]


@on_postgresql
def test_what_another_part_has_meanwhile_is_not_written_twice(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """The later one waits, and finds: one that is there, one with another source, and a new one."""
    other = {"ref": "a-1", "source": "/media/other.jpg"}
    with first_part_in_flight(world):
        later = threads.submit(prepare, world.context, world.campaign(), [FIRST[0], other, SECOND[0]])
        assert waiting(world, later)
    assert later.result(PATIENCE) == 3
    assert sorted((row.ref, row.source, row.state, row.token) for row in item_rows(world)) == [
        ("a-0", "/media/a-0.jpg", "waiting", 0),
        ("a-1", "/media/other.jpg", "waiting", 1),
        ("a-2", "/media/a-2.jpg", "waiting", 0),
        ("b-0", "/media/b-0.jpg", "waiting", 0),
    ]


@on_postgresql
def test_cancelling_waits_for_parts_in_hand_and_for_no_later_ones(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """Two parts that come meanwhile wait behind it, and both are refused."""

    def cancel() -> None:
        with world.database.write() as connection:
            cancel_campaign(connection, "spring", now=world.clock.now())

    with first_part_in_flight(world):
        cancelling = threads.submit(cancel)
        assert waiting(world, cancelling)
        parts = [threads.submit(prepare, world.context, world.campaign(), [item]) for item in SECOND[:2]]
        assert waiting(world, cancelling, *parts)
    cancelling.result(PATIENCE)
    for part in parts:
        with pytest.raises(Misuse, match="was cancelled"):
            part.result(PATIENCE)
    with world.database.read() as connection:
        assert get_campaign(connection, "spring").cancelled_at is not None
    assert len(item_rows(world)) == 3


@on_postgresql
def test_a_part_with_other_dates_moves_what_is_being_written(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """It waits for the parts that have the old dates, and then gives its own to all."""
    moved = world.campaign(days=3)
    moved["send_at"] = moved["keep_until"]
    with first_part_in_flight(world):
        second = threads.submit(prepare, world.context, moved, SECOND)
        assert waiting(world, second)
    assert second.result(PATIENCE) == 3
    assert {row.due_at for row in item_rows(world)} == {parse_plan(moved).send_at}
    assert len(item_rows(world)) == 6


@on_postgresql
def test_the_first_parts_may_differ_in_their_dates(world: World, threads: ThreadPoolExecutor) -> None:
    """The later one finds a campaign that nobody has committed when it begins, and moves it all the same."""
    moved = world.campaign(days=3)
    moved["send_at"] = moved["keep_until"]
    with world.database.write() as connection:
        write_first(world, connection)
        second = threads.submit(prepare, world.context, moved, SECOND)
        assert waiting(world, second)
    assert second.result(PATIENCE) == 3
    assert {row.due_at for row in item_rows(world)} == {parse_plan(moved).send_at}


@on_postgresql
def test_parts_wait_for_the_first_one_and_not_for_each_other(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """Two begin before the campaign is committed; once it is, one ends while the other is in hand."""
    done = Event()

    def hold_on() -> None:
        with world.database.write() as connection:
            hold_campaign(connection, "spring", shared=True)
            assert done.wait(PATIENCE)

    with world.database.write() as connection:
        write_first(world, connection)
        other = threads.submit(hold_on)
        assert waiting(world, other)
        second = threads.submit(prepare, world.context, world.campaign(), SECOND)
        assert waiting(world, other, second)
    try:
        assert second.result(PATIENCE) == 3
    finally:
        done.set()
    other.result(PATIENCE)
    assert sorted(row.ref for row in item_rows(world)) == [item["ref"] for item in FIRST + SECOND]


@on_postgresql
def test_where_the_first_part_fails_the_next_one_writes_the_campaign(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """It had waited for it."""
    with suppress(ZeroDivisionError), world.database.write() as connection:
        write_first(world, connection)
        second = threads.submit(prepare, world.context, world.campaign(), SECOND)
        assert waiting(world, second)
        raise ZeroDivisionError
    assert second.result(PATIENCE) == 3
    assert sorted(row.ref for row in item_rows(world)) == [item["ref"] for item in SECOND]
