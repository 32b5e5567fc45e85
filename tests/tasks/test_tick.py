"""Beat's tick: one statement says what there is to do, and only that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from greenroom.errors import DatabaseUnavailable
from greenroom.task_names import TICK_SECONDS, TaskName
from models import Database
from models.asset import Asset, AssetState
from models.cancellation import cancel_campaign
from models.item import Item, ItemState
from tasks.dispatch import dispatch
from tasks.note_ready import note_ready
from tasks.prepare import prepare
from tasks.runtime import tick as ticking
from tasks.runtime.tick import look_round
from tasks.sweep import NOT_RENEWED
from tests.support.receiver import HOSTS, SECRET
from tests.support.world import MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all

DAY = timedelta(days=1)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """All that is sent meanwhile, those that begin and end transactions excepted."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not text.startswith("BEGIN"):
            sent.append(text)

    engines = (database.engine, database._brief)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def asked_for(world: World) -> list[TaskName]:
    """What one tick asks for beside what it hands out itself."""
    before = len(world.published)
    look_round(world.context)
    return [message.name for message in world.published[before:]]


def test_with_nothing_to_do_a_tick_is_one_statement(world: World, make_image: MakeImage) -> None:
    """And no message; with campaigns that are done, too, or that were cancelled before anybody looked."""
    hand_over(world, make_image())
    inspect_all(world)
    upload_all(world)
    hand_over(world, make_image("late.jpg", 2), campaign="cancelled")
    with world.database.write() as connection:
        cancel_campaign(connection, "cancelled", now=world.clock.now())
    world.published.clear()
    with statements(world.database) as sent:
        assert dispatch(world.context, tick=True) == {"inspections": 0, "uploads": 0}
    assert (len(sent), world.published) == (1, [])


def test_files_that_wait_are_handed_out_by_the_tick_itself(world: World, make_image: MakeImage) -> None:
    """To be looked at, and to be uploaded."""
    hand_over(world, make_image())
    inspect_all(world)
    with world.database.write() as connection:
        connection.execute(update(Asset).values(state=AssetState.WAITING))
    hand_over(world, make_image("late.jpg", 2), campaign="late")
    world.published.clear()
    assert dispatch(world.context, tick=True) == {"inspections": 1, "uploads": 1}
    assert {message.name for message in world.published} == {TaskName.INSPECT, TaskName.UPLOAD}


@pytest.mark.parametrize(
    ("table", "state"),
    [
        (Asset, AssetState.CLAIMED),
        (Asset, AssetState.UPLOADING),
        (Item, ItemState.CLAIMED),
        (Item, ItemState.INSPECTING),
    ],
)
def test_claims_are_swept_whether_they_have_lapsed_or_not(
    world: World, make_image: MakeImage, table: Any, state: str
) -> None:
    """A sweep also finds out that tables are locked; and once in five seconds is enough."""
    hand_over(world, make_image())
    inspect_all(world)
    with world.database.write() as connection:
        connection.execute(update(table).values(state=state))
    world.context.redis.delete(f"greenroom:ticked:{TaskName.SWEEP}")
    assert TaskName.SWEEP in asked_for(world)
    assert TaskName.SWEEP not in asked_for(world)
    lasts = world.context.redis.pttl(f"greenroom:ticked:{TaskName.SWEEP}")
    assert 0 < lasts <= ticking.NOT_AGAIN_SECONDS * 1000 < TICK_SECONDS * 1000


def test_uploads_begin_with_the_tick_after_their_date(world: World, make_image: MakeImage) -> None:
    """And not before."""
    start = world.clock.now() + DAY
    plan = world.campaign("later") | {"upload_from": start.isoformat()}
    prepare(world.context, plan, [{"ref": "a", "source": str(make_image())}])
    inspect_all(world)
    assert asked_for(world) == []
    world.clock.advance(DAY)
    assert asked_for(world) == [TaskName.START_UPLOADS]


def test_campaigns_that_want_call_backs_are_looked_at(make_world: MakeWorld, make_image: MakeImage) -> None:
    """While there is something to say; not while it is on its way, nor when all was said and delivered."""
    world = make_world(callback_hosts=HOSTS, callback_secret=SECRET)
    world.add_channel()
    target = {"url": "http://127.0.0.1:1/told"}
    plan = world.campaign("told") | {"callback": target}
    prepare(world.context, plan, [{"ref": "a", "source": str(make_image())}])
    key = f"greenroom:ticked:{TaskName.NOTE_READY}"
    assert TaskName.NOTE_READY not in asked_for(world)
    inspect_all(world)
    world.context.redis.delete(key)
    assert TaskName.NOTE_READY in asked_for(world)
    note_ready(world.context)
    world.context.redis.delete(key)
    assert TaskName.NOTE_READY not in asked_for(world)
    upload_all(world)
    assert TaskName.NOTE_READY in asked_for(world)
    assert note_ready(world.context) == 1
    # It is written, and to be delivered.
    world.context.redis.delete(key)
    assert TaskName.NOTE_READY in asked_for(world)


def test_a_database_that_is_away_ends_no_claims(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has some could not renew them: the sweeps that follow leave them alone."""

    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("away")

    world.context.redis.delete(NOT_RENEWED)
    monkeypatch.setattr(ticking, "what_is_due", away)
    with pytest.raises(DatabaseUnavailable):
        look_round(world.context)
    assert world.context.redis.exists(NOT_RENEWED)
    world.context.redis.delete(NOT_RENEWED)
