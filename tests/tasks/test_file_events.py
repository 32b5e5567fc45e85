"""Flower has a row for each file: from its verdict to its media ID, or to the reason why it has none."""

from __future__ import annotations

from typing import Any

from celery.events.state import State, Task

from tasks.dispatch import claims_from_json
from tasks.runtime.file_events import UploadedFile, events_of, row_of_item
from tasks.runtime.task_events import MOST_WAITING, EventQueue
from tasks.upload import upload_and_report
from tests.support.rows import item_rows, media_rows
from tests.support.world import CANARY_KEY, CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out, upload_all


def told(world: World, state: State | None = None) -> dict[str, Task]:
    """What a monitor of Celery's makes of what was told, by the ids of the rows."""
    state = state or State()
    rows: Any = vars(state)["tasks"]  # its stubs do not know them
    for event in events_of(world.database, world.context.events.take()):
        received = {"local_received": event.at.timestamp(), "hostname": "upload@test", "clock": 1}
        state.event({"type": event.type, "timestamp": event.at.timestamp(), **received, **event.fields})
    assert CANARY_KEY not in repr([vars(task) for task in rows.values()])
    return dict(rows.items())


def test_a_file_is_one_row_from_its_verdict_to_its_media_id(world: World, make_image: MakeImage) -> None:
    """It waits, then it has the ID; names, campaign, size and channel stand in its arguments."""
    hand_over(world, make_image())
    inspect_all(world)
    state = State()
    (row,) = told(world, state).values()
    assert (row.state, row.result) == ("RECEIVED", "accepted, and not uploaded yet")
    upload_all(world)
    (row,) = told(world, state).values()
    assert (row.name, row.state) == ("media.file", "SUCCESS")
    assert str(row.args).startswith("hero.jpg of spring, ")
    assert str(row.args).endswith(f" bytes, on {CHANNEL}")
    assert row.result == f"media ID {media_rows(world)[0].media_id}"


def test_each_item_of_a_content_has_its_own_row(world: World, make_image: MakeImage) -> None:
    """Whoever looks for the second one finds it, and the ID that it shares."""
    hand_over(world, make_image("one.jpg"), make_image("two.jpg"))
    inspect_all(world)
    upload_all(world)
    rows = told(world)
    named = [str(rows[row_of_item(item.id)].args).partition(" ")[0] for item in item_rows(world)]
    assert named == ["one.jpg", "two.jpg"]
    assert {row.result for row in rows.values()} == {f"media ID {media_rows(world)[0].media_id}"}
    hand_over(world, make_image("three.jpg"), campaign="summer")
    inspect_all(world)
    (row,) = told(world).values()
    assert row.state == "SUCCESS"
    assert row.result == f"media ID {media_rows(world)[0].media_id}, which its content had already"


def test_a_rejected_file_is_a_failure_with_its_reason(world: World, make_image: MakeImage) -> None:
    """And with what to do; handed over anew and accepted, it is a failure no more."""
    path = make_image()
    good = path.read_bytes()
    path.write_bytes(b"")
    hand_over(world, path)
    inspect_all(world)
    state = State()
    (row,) = told(world, state).values()
    assert row.state == "FAILURE"
    assert row.result.startswith("This file is empty (0 bytes). ")
    assert row.exception == f"FileRejected: empty: {row.result}"
    path.write_bytes(good)
    hand_over(world, path)
    inspect_all(world)
    upload_all(world)
    (row,) = told(world, state).values()
    assert (row.state, row.exception) == ("SUCCESS", None)


def test_a_renewal_that_fails_takes_the_place_of_a_success(world: World, make_image: MakeImage) -> None:
    """A monitor takes a failure that follows a success for one that came too late, but after a retry."""
    hand_over(world, make_image())
    inspect_all(world)
    upload_all(world)
    (uploaded,) = (one for one in world.context.events.take() if isinstance(one, UploadedFile))
    failed = uploaded._replace(media_id=None, error="SourceMissing", detail="It is gone.", is_final=True)
    state = State()
    world.context.events.add([uploaded, failed])
    (row,) = told(world, state).values()
    assert (row.state, row.result, row.exception) == ("FAILURE", "It is gone.", "SourceMissing: It is gone.")
    world.context.events.add([uploaded])
    (row,) = told(world, state).values()
    assert (row.state, row.exception) == ("SUCCESS", None)


def test_a_refused_key_says_so_in_each_row_and_in_the_tasks_sentence(
    world: World, make_image: MakeImage
) -> None:
    """The file goes back to the backlog: a retry, with the error and its sentence."""
    hand_over(world, make_image())
    inspect_all(world)
    told(world)
    world.sandbox.faults({"revoke_key": CANARY_KEY})
    (claims,) = claims_handed_out(world)
    report = upload_and_report(world.context, {CHANNEL: claims_from_json(claims)}, task_id="the-task")
    (row,) = told(world).values()
    assert (row.state, row.root_id) == ("RETRY", "the-task")
    assert str(row.exception).startswith("KeyRefused: ")
    assert row.result.startswith("postponed: ")
    said = report.report([CHANNEL], ["spring"])
    assert said.sentence.startswith(f"uploaded 0 files of spring on {CHANNEL}, 1 postponed: ")
    assert row.result.removeprefix("postponed: ").rstrip(".") in said.sentence
    assert said.lines == [f"hero.jpg: {row.exception}"]
    assert said.failure == row.exception


def test_a_queue_that_nobody_reads_is_bounded() -> None:
    """The oldest go, and it is known how many."""
    queue = EventQueue()
    queue.add(range(MOST_WAITING + 3))
    assert (queue.take_dropped(), queue.take_dropped()) == (3, 0)
    taken = queue.take()
    assert (len(taken), taken[0]) == (MOST_WAITING, 3)
    assert queue.take() == []


def test_rows_of_files_can_be_left_out(world: World, make_image: MakeImage) -> None:
    """Then nothing is told of them."""
    world.context.events.files = False
    hand_over(world, make_image())
    inspect_all(world)
    upload_all(world)
    assert world.context.events.take() == []
