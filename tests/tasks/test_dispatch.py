"""Dispatch hands out the next few seconds of work, and no more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from sqlalchemy import event, update

from greenroom.errors import LimiterUnavailable
from greenroom.task_names import TaskName
from models.asset import Asset, Priority
from models.channel import pause_channel
from models.item_claims import take_items
from tasks.dispatch import claims_from_json, dispatch, hand_out_uploads
from tasks.prepare import prepare
from tasks.runtime.announcements import Message
from tasks.sweep import sweep
from tests.support.rows import LEASE, accepted_item
from tests.support.world import CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all


def uploads(world: World) -> list[Message]:
    """The upload tasks that were published."""
    return [message for message in world.published if message.name is TaskName.UPLOAD]


def files(messages: list[Message]) -> int:
    """How many claims they carry."""
    return sum(len(message.args[-1]) for message in messages)


def test_a_channel_has_one_batch_on_its_way(make_world: MakeWorld) -> None:
    """The database is the backlog; the broker holds one message for each channel that has work."""
    world = make_world(batch_size=10)
    world.add_channel()
    ids = [accepted_item(world, f"file-{number}") for number in range(30)]
    assert dispatch(world.context)["uploads"] == 10
    assert dispatch(world.context)["uploads"] == 0
    (message,) = uploads(world)
    assert [row_id for row_id, _ in message.args[0][CHANNEL]] == ids[:10]


def test_what_nobody_took_is_handed_out_again(make_world: MakeWorld) -> None:
    """A message that is lost on its way costs as long as its claims last."""
    world = make_world(batch_size=10)
    world.add_channel()
    for number in range(10):
        accepted_item(world, f"file-{number}")
    assert dispatch(world.context)["uploads"] == 10
    world.clock.advance(world.context.settings.lease)
    assert dispatch(world.context)["uploads"] == 0
    sweep(world.context)
    assert dispatch(world.context)["uploads"] == 10


def test_a_channel_that_somebody_uploads_on_is_left_to_it(world: World) -> None:
    """Whoever owns a channel goes on while there is something to upload; one that ends is followed."""
    accepted_item(world, "a")
    owned = world.context.limiter.acquire(CHANNEL, timeout=1)
    assert dispatch(world.context)["uploads"] == 0
    owned.drain()
    assert dispatch(world.context)["uploads"] == 1


def test_the_channels_after_the_longest_backlog_do_not_wait(world: World) -> None:
    """However many files one number has, every number's first batch goes out at once."""
    others = [world.add_channel(f"49{number}", f"key-{number}") for number in range(3)]
    for number in range(60):
        accepted_item(world, f"file-{number}")
    for channel in others:
        for number in range(6):
            accepted_item(world, f"file-{number}", campaign=f"campaign-{channel}", channel=channel)
    assert dispatch(world.context)["uploads"] == 25 + 3 * 6
    (message,) = uploads(world)
    assert sorted(message.args[0]) == sorted([CHANNEL, *others])


def test_the_channel_with_the_most_urgent_file_comes_first(world: World) -> None:
    """A number has no better place for its digits; renewals come after all campaigns."""
    for channel in ("1-renewals", "2-tomorrow", "3-soon"):
        world.add_channel(channel, channel)
    world.add_channel("4-nothing", "4-nothing")
    for number in range(3):
        accepted_item(world, f"later-{number}", campaign="autumn", hours=24, channel="2-tomorrow")
    renewed = accepted_item(world, "renewal", campaign="kept", hours=0.5, channel="1-renewals")
    accepted_item(world, "soon", campaign="spring", hours=1, channel="3-soon")
    with world.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == renewed).values(priority=Priority.REFRESH))
    dispatch(world.context)
    assert [list(message.args[0]) for message in uploads(world)] == [["3-soon", "2-tomorrow", "1-renewals"]]


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
    world.published.clear()
    dispatch(world.context)
    (first,) = [message.args[0] for message in world.published if message.name is TaskName.INSPECT]
    with world.database.write() as connection:
        taken = take_items(connection, claims_from_json(first)[:2], now=world.clock.now(), lease=LEASE)
    assert len(taken) == 2
    world.clock.advance(timedelta(hours=1))
    sweep(world.context)
    world.published.clear()
    dispatch(world.context)
    again = [message.args[0] for message in world.published if message.name is TaskName.INSPECT]
    assert sorted(len(part) for part in again) == [1, 1, 4]
    assert [part[0][0] for part in again if len(part) == 1] == [item.claim.id for item in taken]


def test_a_paused_channel_gets_nothing_and_holds_up_nobody(world: World) -> None:
    """Head-of-line blocking nowhere."""
    world.add_channel("4930", "another-key")
    accepted_item(world, "a")
    accepted_item(world, "b", campaign="other", channel="4930")
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="The key was refused.", now=world.clock.now())
    assert hand_out_uploads(world.context, [CHANNEL]) == 0
    assert dispatch(world.context)["uploads"] == 1
    assert list(uploads(world)[0].args[0]) == ["4930"]


def test_a_channel_that_the_provider_holds_back_keeps_no_worker_from_the_others(world: World) -> None:
    """A 429 slows its channel down; workers that waited for it could send nothing of anybody's."""
    world.add_channel("4930", "another-key")
    accepted_item(world, "a")
    accepted_item(world, "b", campaign="other", channel="4930")
    owned = world.context.limiter.acquire(CHANNEL, timeout=1)
    owned.on_throttled(world.context.settings.max_hold_seconds + 60)
    owned.release()
    assert dispatch(world.context)["uploads"] == 1
    assert list(uploads(world)[0].args[0]) == ["4930"]


def test_without_redis_nothing_is_handed_out_for_upload(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing may be sent unmetered; inspections continue."""

    def away(_: Sequence[str]) -> NoReturn:
        raise LimiterUnavailable("away")

    accepted_item(world, "a")
    prepare(world.context, world.campaign("summer"), [{"ref": "b", "source": "/media/b.jpg"}])
    monkeypatch.setattr(world.context.limiter, "peek", away)
    assert dispatch(world.context) == {"inspections": 1, "uploads": 0}


def test_what_an_operator_reads_is_file_channel_and_size(world: World) -> None:
    """Flower shows the summary in place of the arguments."""
    accepted_item(world, "hero")
    dispatch(world.context)
    assert uploads(world)[0].summary == f"on {CHANNEL}, beginning with hero.jpg (1 file, 1000 bytes)"


def test_a_tick_of_beat_is_noted(world: World) -> None:
    """For `greenroom doctor`."""
    dispatch(world.context, tick=True)
    assert world.context.redis.get("greenroom:beat") == world.clock.now().isoformat().encode()


def test_states_stand_in_the_statements_that_look_for_work(world: World, make_image: MakeImage) -> None:
    """A partial index is of no use to a statement that was planned for any state: it would read all rows."""
    looks: list[str] = []

    def note(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.lstrip().startswith(("SELECT", "WITH")):
            looks.append(text)

    hand_over(world, make_image())
    event.listen(world.database.engine, "before_cursor_execute", note)
    inspect_all(world)
    dispatch(world.context)
    sweep(world.context)
    event.remove(world.database.engine, "before_cursor_execute", note)
    states = [found for text in looks for found in re.findall(r"\bstate (?:=|!=|IN) (\(?\S+)", text)]
    assert len(states) >= 6
    assert [state for state in states if not re.match(r"\(?'[a-z]+'", state)] == []


def test_channels_that_wait_together_share_messages(world: World) -> None:
    """A few each, so that all workers have some; the most urgent first."""
    channels = [world.add_channel(f"49{number:02}", f"key-{number}") for number in range(10)]
    for channel in channels:
        accepted_item(world, "a", campaign=f"campaign-{channel}", channel=channel)
    assert dispatch(world.context)["uploads"] == 10
    assert [list(message.args[0]) for message in uploads(world)] == [channels[:8], channels[8:]]
    assert uploads(world)[0].summary.startswith("on 8 channels, beginning with ")
