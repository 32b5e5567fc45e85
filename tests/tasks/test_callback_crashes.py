"""Every call-back exactly once under `kill -9`: one row and one ID for each, and none is lost."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from examples.makers import drawn_image, saved
from greenroom.settings import Settings
from models.asset import Asset, AssetState
from models.channel import pause_channel
from tasks.deliver import LEASE, deliver
from tasks.foresee import foresee
from tasks.note_ready import note_ready
from tasks.prepare import prepare
from tasks.runtime.risk_callbacks import AGAIN_AFTER
from tests.support.harness import DAY
from tests.support.killed import POINTS
from tests.support.receiver import HOSTS, SECRET, Receiver, receiving
from tests.support.world import CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_callbacks import bad_file, items, outbox
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all
from worker.checkout import CHECKOUT

#: How often the receiver is asked: twice, where it was told and nobody could note that.
ASKED_TWICE = {"after it was sent", "before that is committed"}
TASKS = "crm.*"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A scheduler's web server."""
    with receiving() as running:
        yield running


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world that allows call-backs."""
    world = make_world(callback_hosts=HOSTS, callback_secret=SECRET, callback_tasks=TASKS)
    world.add_channel()
    return world


def make_ready(world: World, make_image: MakeImage, callback: dict[str, str]) -> None:
    """A campaign that is ready, of which nobody was told yet."""
    prepare(world.context, {**world.campaign(), "callback": callback}, items(make_image()))
    inspect_all(world)
    upload_all(world)


def run(world: World, *arguments: str) -> int:
    """Run a task in a process of its own, as a worker does; returns how that ended."""
    settings = world.context.settings
    given = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "CALLBACK_HOSTS": HOSTS,
        "CALLBACK_SECRET": SECRET,
        "CALLBACK_TASKS": TASKS,
    }
    assert {name.lower() for name in given} <= Settings.model_fields.keys()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")},
        **{f"GREENROOM_{name}": value for name, value in given.items()},
    }
    name, *more = arguments
    command = [sys.executable, "-m", "tests.support.killed", name, world.clock.now().isoformat(), *more]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode


#: Those of a campaign that is ready; of risks there is a test of its own.
OF_READY = [point for point, (task, _, _) in POINTS.items() if task != "foresee"]


@pytest.mark.parametrize("point", OF_READY)
def test_by_http(world: World, receiver: Receiver, make_image: MakeImage, point: str) -> None:
    """Asked twice where the first answer was lost with its worker, and by the same ID."""
    make_ready(world, make_image, {"url": receiver.url})
    task = POINTS[point][0]
    if task == "deliver":
        note_ready(world.context)
    assert run(world, task, point) == -signal.SIGKILL
    for _ in range(3):
        world.clock.advance(LEASE)
        note_ready(world.context)
        deliver(world.context)
    (row,) = outbox(world)
    assert row.delivered_at is not None
    assert receiver.ids == [row.id] * (2 if point in ASKED_TWICE else 1)
    assert len({request.body for request in receiver.requests}) == 1


def messages(world: World) -> list[dict[str, Any]]:
    """What waits in the broker for the other program."""
    return [json.loads(text) for text in world.context.redis.lrange("crm", 0, -1)]


def fall_into_all(world: World, folder: Path, callback: dict[str, str]) -> None:
    """A campaign with a file that is rejected, one that is ready, and one that will be late."""
    good, late, bad = (folder / name for name in ("good.jpg", "late.jpg", "bad.jpg"))
    for number, path in enumerate((good, late)):
        path.write_bytes(saved(drawn_image(64, 64, title=path.stem, look=number), "JPEG"))
    bad_file(folder)
    prepare(world.context, {**world.campaign(), "callback": callback}, items(good, bad))
    inspect_all(world)
    upload_all(world)
    late_plan = {**world.campaign("late"), "callback": callback}
    prepare(world.context, late_plan, items(late))
    inspect_all(world)
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="unpaid", now=world.clock.now(), tried=None)


@pytest.mark.parametrize(
    ("by", "point"),
    [
        ("task", "before what is to be told is committed"),
        ("http", "before a risk is committed"),
        ("task", "before that is committed"),
        ("http", "before that is committed"),
    ],
)
def test_every_kind_of_event(world: World, receiver: Receiver, tmp_path: Path, point: str, by: str) -> None:
    """Rejected, ready and at risk: one row each, whatever died; delivered again under the same ID alone."""
    task = {"task": "crm.campaign_told", "queue": "crm"}
    fall_into_all(world, tmp_path, {"url": receiver.url} if by == "http" else task)
    if POINTS[point][0] == "deliver":
        note_ready(world.context)
        foresee(world.context)
    assert run(world, POINTS[point][0], point) == -signal.SIGKILL
    for _ in range(2):
        world.clock.advance(LEASE)
        note_ready(world.context)
        foresee(world.context)
        if by == "http":
            deliver(world.context)
        else:
            assert run(world, "deliver") == 0
    rows = outbox(world)
    assert sorted((row.campaign_id, row.event) for row in rows) == [
        ("late", "campaign.at_risk"),
        ("spring", "campaign.ready"),
        ("spring", "campaign.rejected"),
    ]
    assert all(row.delivered_at is not None for row in rows)
    told = receiver.ids if by == "http" else [one["headers"]["id"] for one in messages(world)]
    assert set(told) == {row.id for row in rows}
    again = 1 if POINTS[point][0] == "deliver" else 0
    # The threads of the worker that was killed may have sent the others, too.
    assert len(rows) <= len(told) <= len(rows) + again * len(rows)


def fall_at_risk(world: World, make_image: MakeImage, callback: dict[str, str], reason: str) -> None:
    """A campaign that is at risk for this reason; nobody has noted it yet."""
    keep_until = (world.clock.now() + 60 * DAY).isoformat()
    prepare(
        world.context,
        {**world.campaign(), "callback": callback, "keep_until": keep_until},
        items(make_image()),
    )
    inspect_all(world)
    if reason == "uploads_late":
        with world.database.write() as connection:
            pause_channel(connection, CHANNEL, reason="unpaid", now=world.clock.now(), tried=None)
        return
    upload_all(world)
    note_ready(world.context)
    deliver(world.context)
    world.clock.advance(28 * DAY)
    with world.database.write() as connection:
        connection.execute(update(Asset).values(state=AssetState.WAITING, detail="The provider is away."))


@pytest.mark.parametrize("by", ["http", "task"])
@pytest.mark.parametrize("reason", ["uploads_late", "ids_ending"])
@pytest.mark.parametrize("point", [point for point, (task, _, _) in POINTS.items() if task == "foresee"])
def test_of_a_risk(  # noqa: PLR0917 - three are of the table above
    world: World, receiver: Receiver, make_image: MakeImage, point: str, reason: str, by: str
) -> None:
    """Noted once and sent once, wherever the task that foresees it dies; what was noted is not lost."""
    task = {"task": "crm.campaign_told", "queue": "crm"}
    fall_at_risk(world, make_image, {"url": receiver.url} if by == "http" else task, reason)
    earlier = {row.id for row in outbox(world)}
    assert run(world, "foresee", point) == -signal.SIGKILL
    assert len(outbox(world)) - len(earlier) == (1 if point == "after a risk is committed" else 0)
    for _ in range(2):
        foresee(world.context)
        if by == "http":
            deliver(world.context)
        else:
            assert run(world, "deliver") == 0
        world.clock.advance(2 * AGAIN_AFTER)
    (row,) = (row for row in outbox(world) if row.id not in earlier)
    assert (row.event, json.loads(row.body)["data"]["reasons"]) == ("campaign.at_risk", [reason])
    assert row.delivered_at is not None
    told = receiver.ids if by == "http" else [one["headers"]["id"] for one in messages(world)]
    assert [one for one in told if one not in earlier] == [row.id]


@pytest.mark.parametrize("point", ["before it is sent", "after it was sent"])
def test_as_a_task(world: World, make_image: MakeImage, point: str) -> None:
    """The task has the call-back's ID, each time."""
    make_ready(world, make_image, {"task": "crm.campaign_ready", "queue": "crm"})
    note_ready(world.context)
    assert run(world, "deliver", point) == -signal.SIGKILL
    for _ in range(2):
        world.clock.advance(LEASE)
        assert run(world, "deliver") == 0
    (row,) = outbox(world)
    found = messages(world)
    assert [one["headers"]["id"] for one in found] == [row.id] * (2 if point in ASKED_TWICE else 1)
    (argument,), _, _ = json.loads(base64.b64decode(found[0]["body"]))
    assert found[0]["headers"]["task"] == "crm.campaign_ready"
    assert argument == json.loads(row.body)
    assert SECRET not in json.dumps(found)
