"""Two beats at once are harmless: every tick may run twice at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from greenroom.task_names import TaskName
from models.cancellation import cancel_campaign
from tasks.dispatch import claims_from_json, dispatch
from tasks.prepare import prepare
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tasks.runtime.context import Context
from tasks.sweep import sweep
from tasks.upload import upload
from tasks.verify import verify
from tests.support.rows import media_rows
from tests.support.world import CANARY_KEY, CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

DAY = timedelta(days=1)
FILES = 30


def twice(work: Callable[[], Any]) -> list[Any]:
    """Run something in two threads, begun at the same moment; returns what both answered."""
    start = Barrier(2)

    def run() -> Any:
        start.wait(timeout=30)
        return work()

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(run), pool.submit(run)]]


@pytest.fixture
def full(world: World, make_image: MakeImage) -> World:
    """A world with thirty ready files, which a campaign keeps for 60 days."""
    items = [
        {"ref": str(number), "source": str(make_image(f"{number}.jpg", number))} for number in range(FILES)
    ]
    prepare(world.context, world.campaign(days=60), items)
    inspect_all(world)
    while len(media_rows(world)) < FILES:
        upload_all(world)
    # The rules are worked out once, under locks that a second run would skip and leave to its next tick.
    refresh(world.context)
    return world


def hand_out(context: Context, world: World) -> list[list[list[int]]]:
    """Two dispatchers at once; returns the claims of all upload tasks."""
    world.published.clear()
    twice(lambda: dispatch(context))
    return [message.args[0][CHANNEL] for message in world.published if message.name is TaskName.UPLOAD]


def test_renewals_are_queued_and_handed_out_once(full: World) -> None:
    """Each file has one new ID, however many beats asked for it."""
    world, context = full, full.context
    world.clock.advance(28 * DAY)
    assert sum(twice(lambda: refresh(context))) == FILES
    batches = hand_out(context, world)
    claims = [tuple(claim) for batch in batches for claim in batch]
    assert len(claims) == len({row_id for row_id, _ in claims})
    uploaded = 0
    for batch in batches:
        # The same message, delivered twice at the same moment; whoever has it continues with the rest.
        answers = twice(partial(upload, context, {CHANNEL: claims_from_json(batch)}))
        uploaded += sum(answer["uploaded"] for answer in answers)
    assert uploaded == FILES
    assert len([row for row in media_rows(world) if row.is_current]) == FILES
    assert world.sandbox.stats()[CANARY_KEY]["uploads"] == 2 * FILES


def test_look_ups_are_made_once_and_failures_counted_together(full: World) -> None:
    """Two runs at once share what may fail: four, and not four each."""
    world, context = full, full.context
    world.clock.advance(8 * DAY)
    world.sandbox.faults({"forget_media": [row.media_id for row in media_rows(world)]})
    found = twice(lambda: verify(context, CHANNEL))
    assert sum(one["dead"] for one in found) <= 4
    for _ in range(3):
        found += twice(lambda: verify(context, CHANNEL))
    assert sum(one["dead"] for one in found) == 4
    stats = world.sandbox.stats()[CANARY_KEY]
    assert (stats["lookups"], stats["lookup_errors"], stats["lookups_blocked"]) == (4, 4, 0)


def test_deletes_and_drops_happen_once(full: World) -> None:
    """Retire, sweep and prune."""
    world, context = full, full.context
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    done = twice(lambda: retire(context))
    assert sum(one["retired"] for one in done) == FILES
    retire(context)
    assert world.sandbox.stats()[CANARY_KEY]["deletes"] == FILES
    assert world.sandbox.live_media_ids(CANARY_KEY) == []
    twice(lambda: sweep(context))
    world.clock.advance(91 * DAY)
    twice(lambda: prune(context))
    prune(context)
    assert media_rows(world) == []


def test_everything_at_once(full: World) -> None:
    """All ticks of two beats in no order: nothing fails, and every file can be sent at the end."""
    world, context = full, full.context
    world.clock.advance(28 * DAY)
    ticks: list[Callable[[], Any]] = [
        lambda: refresh(context),
        lambda: retire(context),
        lambda: verify(context, CHANNEL),
        lambda: sweep(context),
        lambda: prune(context),
        lambda: dispatch(context),
    ]
    for _ in range(5):
        with ThreadPoolExecutor(12) as pool:
            for future in [pool.submit(tick) for tick in [*ticks, *ticks]]:
                future.result()
    world.clock.advance(timedelta(minutes=5))
    sweep(context)
    for _ in range(10):
        upload_all(world)
    assert len(resolve(context, "spring", [str(number) for number in range(FILES)])) == FILES
    assert len([row for row in media_rows(world) if not row.is_current]) == FILES
