"""Greenroom's own tasks tell of themselves when they did something, or failed, and not of idle ticks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import text

from greenroom.errors import DatabaseUnavailable, MessageRefused
from tasks.dispatch import dispatch_task
from tasks.runtime import task_events
from tasks.runtime.reporting_task import ReportingTask, TaskReport
from tasks.runtime.sentences import what_was_done
from tasks.runtime.task_events import EventQueue, EventThread, TaskEvent
from tasks.sweep import sweep_task
from tasks.upload import upload_task
from tests.support.world import CANARY_KEY, CHANNEL, World, free_port
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out


@pytest.fixture
def working(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Tasks work in this world."""
    for module in ("tasks.runtime.reporting_task", "tasks.dispatch", "tasks.sweep", "tasks.upload"):
        monkeypatch.setattr(f"{module}.current_context", lambda: world.context)
    world.context.events.files = False
    return world


def told(world: World) -> list[tuple[str, str, str]]:
    """What was told: the event, whose, and what it says."""
    events: list[TaskEvent] = world.context.events.take()
    return [(one.type, one.fields["name"], one.fields.get("result", "")) for one in events]


def test_a_tick_that_did_something_tells_of_it_and_the_next_one_does_not(
    working: World, make_image: MakeImage
) -> None:
    """Celery itself sends no event of either."""
    hand_over(working, make_image("one.jpg"), make_image("two.jpg"))
    assert dispatch_task(tick=True) == "handed out 2 files to inspect"
    assert told(working) == [("task-succeeded", "media.dispatch", "handed out 2 files to inspect")]
    assert (dispatch_task(tick=True), told(working)) == ("", [])
    with working.database.write() as connection:
        connection.execute(text("UPDATE items SET lease_until = '2001-01-01 00:00:00+00:00'"))
    assert sweep_task() == "put back 2 inspections of silent workers"
    assert told(working) == [("task-succeeded", "media.sweep", "put back 2 inspections of silent workers")]
    assert not any(task.send_events for task in (dispatch_task, sweep_task, upload_task))


def test_an_upload_tells_when_it_begins_and_of_each_file_when_it_is_over(
    working: World, make_image: MakeImage
) -> None:
    """In the log stands the sentence alone."""
    hand_over(working, make_image())
    inspect_all(working)
    (claims,) = claims_handed_out(working)
    said = upload_task({CHANNEL: claims})
    assert said == f"uploaded 1 file on {CHANNEL}"
    begun, (kind, name, result) = told(working)
    assert begun == ("task-started", "media.upload", "")
    (media_id,) = working.sandbox.live_media_ids(CANARY_KEY)
    assert (kind, name) == ("task-succeeded", "media.upload")
    assert result == f"{said}\nhero.jpg: media ID {media_id}"
    assert upload_task({CHANNEL: claims}) == f"nothing was left to upload on {CHANNEL}"


def test_a_refused_key_is_a_failure_of_the_upload(working: World, make_image: MakeImage) -> None:
    """Operators find it among what failed, though the task has done all that it could."""
    hand_over(working, *(make_image(f"{shade}.jpg", shade) for shade in range(20)))
    inspect_all(working)
    (claims,) = claims_handed_out(working)
    working.sandbox.faults({"revoke_key": CANARY_KEY})
    upload_task({CHANNEL: claims})
    _, event = working.context.events.take()
    assert event.type == "task-failed"
    assert event.fields["exception"].startswith("KeyRefused: upload answered HTTP 401")
    said, *files = event.fields["result"].split("\n")
    assert said.startswith(f"uploaded 0 files on {CHANNEL}, 20 postponed: upload answered HTTP 401")
    assert not any("The worker stopped" in line for line in files)


def test_a_tick_that_fails_is_a_failure_with_its_sentence(
    working: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its type; a message that does not keep to the contract is the log's."""

    def away(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("The database is away.\nReally.")

    monkeypatch.setattr("tasks.sweep.sweep", away)
    with pytest.raises(DatabaseUnavailable):
        sweep_task()
    (event,) = working.context.events.take()
    assert event.type == "task-failed"
    assert event.fields["exception"] == "DatabaseUnavailable: The database is away. Really."
    with pytest.raises(MessageRefused):
        dispatch_task("nonsense")
    assert told(working) == []


def test_a_report_is_bounded_and_a_sentence_of_nothing_is_empty() -> None:
    """Only what was done is said."""
    assert what_was_done({"a": 0, "b": 0}) == ""
    assert what_was_done({"took 1": 1, "left 0": 0, "gave 2": 2}) == "took 1 and gave 2"
    assert TaskReport(sentence="done").lines == ()
    assert ReportingTask.shows_start is False


def test_a_broker_that_is_away_costs_rows_and_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, redis_url: str, world: World
) -> None:
    """Nobody who works sees it; when it is back, what comes is told."""
    event = TaskEvent(
        type="task-succeeded", at=world.clock.now(), fields={"uuid": "one", "name": "media.file"}
    )

    def as_they_are(_database: object, these: Sequence[Any]) -> Sequence[Any]:
        return these

    thread = EventThread(EventQueue(), world.database, as_they_are)
    away = Celery(broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    away.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
    monkeypatch.setattr(task_events, "current_app", away)
    for _ in range(2):
        thread.publish([event])
    assert caplog.text.count("Flower is told nothing while the broker is away") == 1
    back = Celery(broker=redis_url, set_as_current=False)
    monkeypatch.setattr(task_events, "current_app", back)
    caplog.clear()
    thread.publish([event] * 600)
    assert caplog.text == ""


def test_a_database_that_is_away_costs_rows_too(caplog: pytest.LogCaptureFixture, world: World) -> None:
    """Names cannot be found then."""

    def away(_database: object, _told: Sequence[Any]) -> Sequence[TaskEvent]:
        raise DatabaseUnavailable("It is away.")

    with caplog.at_level("INFO"):
        EventThread(EventQueue(), world.database, away).publish(["something"])
    assert "Flower is not told of 1 files: It is away." in caplog.text
