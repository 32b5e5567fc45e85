"""Somebody locks a table for longer than a lease: nothing is sent twice, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import func, select, text

from greenroom.errors import DatabaseUnavailable
from models import Asset, Database
from models.asset_claims import take_assets
from tasks.dispatch import claims_from_json
from tasks.sweep import NOT_RENEWED, sweep
from tasks.upload import upload
from tests.support.rows import media_rows
from tests.support.world import CANARY_KEY, CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out, eventually, upload_all

FILES = 20
#: The shortest that there is, for renewals come by the machine's own clock.
LEASE = timedelta(seconds=5)


@pytest.fixture
def world(make_world: MakeWorld, make_image: MakeImage) -> World:
    """A campaign whose files are to be uploaded, on PostgreSQL."""
    world = make_world(lease_seconds=LEASE.total_seconds(), batch_size=5)
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite has no locks of tables")
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(FILES)))
    assert inspect_all(world)["accepted"] == FILES
    return world


@contextmanager
def locked(database: Database, table: str) -> Iterator[None]:
    """A table that nobody else can read or write, as while somebody alters it."""
    with database.engine.connect() as connection:
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield


@pytest.fixture
def later_half(world: World, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until this is set, files after the fifth are not sent: the first ones are written down before.

    Who waits for a locked table may lose the channel after four seconds of Redis's time, which no test moves:
    others would find it owned until then. Here nobody loses it, however slow the machine is, and whoever does
    not release it holds it for longer than the test looks.
    """
    for module in ("limiter", "ownership"):
        monkeypatch.setattr(f"greenroom.rate_limit.{module}.OWNERSHIP_SECONDS", 600.0)
    go = threading.Event()
    send, begun = world.context.provider.upload_later, count()

    def waiting(*args: Any, **more: Any) -> None:
        if next(begun) >= 5:
            assert go.wait(60)
        send(*args, **more)

    monkeypatch.setattr(world.context.provider, "upload_later", waiting)
    return go


def somebody_waits(world: World) -> bool:
    """Whether a transaction waits for the table."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE relation IS NOT NULL AND NOT granted")
    with world.database.read() as connection:
        return bool(connection.execute(waiting).scalar_one())


def uploads(world: World) -> int:
    """How many the provider has seen."""
    return int(world.sandbox.stats().get(CANARY_KEY, {}).get("uploads", 0))


def with_a_worker(world: World, *, but: list[list[int]]) -> list[int]:
    """Files that a worker has, but for those of these claims."""
    first = [row_id for row_id, _ in but]
    statement = select(Asset.id).where(Asset.state == "uploading", Asset.id.not_in(first))
    with world.database.read() as connection:
        return list(connection.execute(statement).scalars())


def are_renewed(world: World, files: list[int]) -> bool:
    """Whether the claims on these were renewed since the clock was moved.

    Locks nothing: a renewal leaves out what is locked, and whoever looked again and again would hold it up.
    """
    stale = select(func.count()).where(Asset.id.in_(files), Asset.lease_until < world.clock.now() + LEASE)
    with world.database.read() as connection:
        return connection.execute(stale).scalar_one() == 0


def finish(world: World, turn: Future[dict[str, int]]) -> None:
    """Everything was sent once, and nothing is left."""
    turn.result()
    world.context.redis.delete(NOT_RENEWED)
    assert sweep(world.context)["uploads"] == 0
    for _ in range(10):
        # What a turn could not send before it let the channel go waits for a moment.
        world.clock.advance(timedelta(minutes=1))
        upload_all(world)
    stats = world.sandbox.stats()[CANARY_KEY]
    assert (len(media_rows(world)), stats["uploads"], stats["duplicates"]) == (FILES, FILES, 0)


def test_claims_are_renewed_while_ids_wait_to_be_recorded(world: World, later_half: threading.Event) -> None:
    """The table of media IDs is locked: what was sent keeps its claims for as long as that takes."""
    (claims,) = claims_handed_out(world)
    with ThreadPoolExecutor(1) as threads:
        with locked(world.database, "media"):
            turn = threads.submit(upload, world.context, {CHANNEL: claims_from_json(claims)})
            assert eventually(lambda: somebody_waits(world))
            later_half.set()
            assert eventually(lambda: uploads(world) >= 10)
            # The first five are being written down, the next five were sent, and five more wait for that.
            files = with_a_worker(world, but=claims)
            assert len(files) == 10
            for _ in range(2):
                world.clock.advance(LEASE * 0.9)
                assert eventually(lambda: are_renewed(world, files))
                assert sweep(world.context)["uploads"] == 0
        finish(world, turn)


def test_what_lapses_while_nobody_can_renew_is_left_to_the_living(
    world: World, later_half: threading.Event
) -> None:
    """The table of claims itself is locked: a sweep gives up soon, and says that others could not renew."""
    (claims,) = claims_handed_out(world)
    with ThreadPoolExecutor(1) as threads:
        turn = threads.submit(upload, world.context, {CHANNEL: claims_from_json(claims)})
        assert eventually(lambda: uploads(world) >= 5)
        with locked(world.database, "assets"):
            later_half.set()
            assert eventually(lambda: somebody_waits(world))
            world.clock.advance(LEASE * 2)
            with pytest.raises(DatabaseUnavailable):
                sweep(world.context)
        assert sweep(world.context)["uploads"] == 0
        finish(world, turn)


def test_a_sweep_that_nothing_held_up_puts_back_what_lapsed(world: World) -> None:
    """A worker that died is found out by its lease, as ever."""
    (claims,) = claims_handed_out(world)
    with world.database.write() as connection:
        now = world.clock.now()
        take_assets(connection, claims_from_json(claims), now=now, lease=LEASE)
    world.clock.advance(LEASE * 2)
    assert sweep(world.context)["uploads"] == 5
