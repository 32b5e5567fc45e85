"""Dispatch hands out the next few seconds of work, and no more."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from sqlalchemy import update

from greenroom.errors import LimiterUnavailable
from greenroom.rules import MIB
from greenroom.task_names import TaskName
from models import Asset, AssetState
from models.asset import finish_asset
from models.channel import pause_channel
from models.claim import Claim
from models.item import take_items
from tasks.context import Message
from tasks.dispatch import BYTES_A_BATCH, batch_size, dispatch, from_json
from tasks.prepare import prepare
from tasks.sweep import sweep
from tests.conftest import CHANNEL, MakeWorld, World
from tests.models.rows import LEASE, accepted_item


def uploads(world: World) -> list[Message]:
    """The upload tasks that were published."""
    return [message for message in world.published if message.name is TaskName.UPLOAD]


def files(messages: list[Message]) -> int:
    """How many claims they carry."""
    return sum(len(message.args[-1]) for message in messages)


def test_no_more_is_handed_out_than_the_pace_allows(make_world: MakeWorld) -> None:
    """The database is the backlog; the broker holds only the next few seconds of work."""
    world = make_world(pace=5, horizon=2)
    world.add_channel()
    for number in range(30):
        accepted_item(world, f"file-{number}")
    assert dispatch(world.context)["uploads"] == 10
    assert dispatch(world.context)["uploads"] == 0
    assert files(uploads(world)) == 10


def test_a_little_room_is_left_to_grow(make_world: MakeWorld) -> None:
    """Under load, batches are full: nobody is handed single files while seconds' worth is in hand."""
    world = make_world(pace=5, horizon=4)
    world.add_channel()
    ids = [accepted_item(world, f"file-{number}") for number in range(40)]
    assert dispatch(world.context)["uploads"] == 20
    finished = 0
    while not dispatch(world.context, CHANNEL)["uploads"]:
        with world.database.write() as connection:
            finish_asset(connection, Claim(id=ids[finished], token=1), state=AssetState.READY)
        finished += 1
    assert finished == 5
    assert [len(message.args[1]) for message in uploads(world)[-3:]] == [2, 2, 1]


def test_inspections_are_handed_out_in_batches_and_bounded(make_world: MakeWorld) -> None:
    """A manifest of any size becomes a few messages at a time."""
    world = make_world(inspect_ahead=50, inspect_batch_size=20)
    world.add_channel()
    items = [{"ref": f"{number:03}", "source": f"/media/{number}.jpg"} for number in range(80)]
    prepare(world.context, world.campaign(), items)
    world.published.clear()
    assert dispatch(world.context)["inspections"] == 50
    assert [len(message.args[0]) for message in world.published] == [20, 20, 10]
    assert dispatch(world.context)["inspections"] == 0


def test_what_failed_before_is_inspected_alone(make_world: MakeWorld) -> None:
    """A file that brings its worker down takes no other file with it a second time."""
    world = make_world(inspect_batch_size=20)
    world.add_channel()
    items = [{"ref": f"{number}", "source": f"/media/{number}.jpg"} for number in range(6)]
    prepare(world.context, world.campaign(), items)
    dispatch(world.context)
    (first,) = [message.args[0] for message in world.published if message.name is TaskName.INSPECT]
    with world.database.write() as connection:
        taken = take_items(connection, from_json(first)[:2], now=world.clock.now(), lease=LEASE)
    assert len(taken) == 2
    world.clock.advance(timedelta(hours=1))
    sweep(world.context)
    world.published.clear()
    dispatch(world.context)
    again = [message.args[0] for message in world.published if message.name is TaskName.INSPECT]
    assert sorted(len(part) for part in again) == [1, 1, 4]
    assert [part[0][0] for part in again if len(part) == 1] == [item.claim.id for item in taken]


def test_large_files_make_small_batches(make_world: MakeWorld) -> None:
    """A worker that is asked to end finishes its batch: that must not take minutes."""
    world = make_world(pace=20, horizon=2)
    world.add_channel()
    ids = [accepted_item(world, f"file-{number}") for number in range(40)]
    sizes = {asset_id: (100 if place % 10 == 0 else 12) * MIB for place, asset_id in enumerate(ids)}
    with world.database.write() as connection:
        for asset_id, size in sizes.items():
            connection.execute(update(Asset).where(Asset.id == asset_id).values(size=size))
    dispatch(world.context)
    batches = [[sizes[claim[0]] for claim in message.args[1]] for message in uploads(world)]
    assert sum(map(len, batches)) == 40
    assert all(sum(batch) <= BYTES_A_BATCH or len(batch) == 1 for batch in batches)
    assert max(map(len, batches)) > 1


def test_a_paused_channel_gets_nothing_and_holds_up_nobody(world: World) -> None:
    """Head-of-line blocking nowhere."""
    world.add_channel("4930", "another-key")
    accepted_item(world, "a")
    accepted_item(world, "b", campaign="other", channel="4930")
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="The key was refused.", now=world.clock.now())
    assert dispatch(world.context, CHANNEL)["uploads"] == 0
    assert dispatch(world.context)["uploads"] == 1
    assert uploads(world)[0].args[0] == "4930"


def test_a_channel_that_the_provider_holds_back_keeps_no_worker_from_the_others(world: World) -> None:
    """A 429 slows its channel down; workers that waited for it could send nothing of anybody's."""
    world.add_channel("4930", "another-key")
    accepted_item(world, "a")
    accepted_item(world, "b", campaign="other", channel="4930")
    world.context.limiter.push_back(CHANNEL, world.context.settings.horizon + 60)
    assert dispatch(world.context)["uploads"] == 1
    assert uploads(world)[0].args[0] == "4930"


def test_channels_take_turns_and_share_the_workers(world: World) -> None:
    """However much one has, the others' first batches come before its second; and batches are full."""
    others = [world.add_channel(f"49{number}", f"key-{number}") for number in range(3)]
    for number in range(60):
        accepted_item(world, f"file-{number}")
    for channel in others:
        for number in range(6):
            accepted_item(world, f"file-{number}", campaign=f"campaign-{channel}", channel=channel)
    assert dispatch(world.context)["uploads"] == 60 + 3 * 6
    assert [message.args[0] for message in uploads(world)[:4]] == sorted([CHANNEL, *others])
    assert [len(message.args[1]) for message in uploads(world) if message.args[0] == CHANNEL] == [25, 25, 10]


def test_without_redis_nothing_is_handed_out_for_upload(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing may be sent unmetered; inspections go on."""

    def away(_: str) -> float:
        raise LimiterUnavailable("away")

    accepted_item(world, "a")
    prepare(world.context, world.campaign("summer"), [{"ref": "b", "source": "/media/b.jpg"}])
    monkeypatch.setattr(world.context.limiter, "delay", away)
    assert dispatch(world.context) == {"inspections": 1, "uploads": 0}


def test_what_an_operator_reads_is_file_channel_and_size(world: World) -> None:
    """Flower shows the summary in place of the arguments."""
    accepted_item(world, "hero")
    dispatch(world.context)
    assert uploads(world)[0].summary == f"hero.jpg, 1000 bytes, on {CHANNEL}"


@pytest.mark.parametrize(("waiting", "size"), [(1, 1), (4, 1), (5, 2), (40, 10), (100, 25), (1000, 25)])
def test_single_files_while_little_waits_and_fuller_batches_under_load(waiting: int, size: int) -> None:
    """The first media ID comes soonest alone; under load a task's own cost is shared."""
    assert batch_size(waiting, most=25) == size
    assert math.ceil(waiting / size) <= max(4, math.ceil(waiting / 25))


def test_a_tick_of_beat_is_noted(world: World) -> None:
    """For `greenroom doctor`."""
    dispatch(world.context, tick=True)
    assert world.context.redis.get("greenroom:beat") == world.clock.now().isoformat().encode()
