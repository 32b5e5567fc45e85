"""Inspect judges files, shares assets between items, and reuses live media IDs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from greenroom.errors import DatabaseUnavailable
from greenroom.isolation.process_pool import ProcessPool
from greenroom.isolation.resource_limits import ResourceLimits
from greenroom.reasons import Reason
from greenroom.sources import Sources
from greenroom.task_names import TaskName
from models.verdict_records import Judged, record_verdicts
from tasks.dispatch import claims_from_json, dispatch
from tasks.inspect import inspect, next_round
from tasks.prepare import prepare
from tests.support.odd import ODD
from tests.support.rows import asset_row, item_rows
from tests.support.world import CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage


def hand_over(world: World, *paths: Path, campaign: str = "spring", **more: Any) -> None:
    """Prepare a campaign with these files."""
    items = [{"ref": path.name, "source": str(path), **more} for path in paths]
    prepare(world.context, world.campaign(campaign), items)


def inspect_all(world: World) -> dict[str, int]:
    """Run all inspections that dispatch hands out."""
    world.published.clear()
    dispatch(world.context)
    total = Counter({"accepted": 0, "rejected": 0, "postponed": 0})
    for message in [message for message in world.published if message.name is TaskName.INSPECT]:
        for name, number in inspect(world.context, claims_from_json(message.args[0])).items():
            total[name] += number
    return dict(total)


def test_accepted_and_rejected_side_by_side(world: World, make_image: MakeImage, tmp_path: Path) -> None:
    """Each file of a batch is judged by itself."""
    empty = tmp_path / "empty.jpg"
    empty.touch()
    hand_over(world, make_image("good.jpg"), empty, tmp_path / "missing.png")
    assert inspect_all(world) == {"accepted": 1, "rejected": 2, "postponed": 0}
    empty_row, good_row, missing_row = item_rows(world)
    assert (empty_row.state, empty_row.reason) == ("rejected", Reason.EMPTY)
    assert (good_row.state, good_row.mime_type) == ("accepted", "image/jpeg")
    assert (missing_row.state, missing_row.reason) == ("rejected", Reason.MISSING)


def test_equal_content_shares_one_asset(world: World, make_image: MakeImage) -> None:
    """However many items want it, one upload serves them all."""
    hand_over(world, make_image("one.jpg", 7), make_image("two.jpg", 7))
    inspect_all(world)
    first, second = item_rows(world)
    assert first.asset_id == second.asset_id is not None
    (message,) = (one for one in world.published if one.name is TaskName.UPLOAD)
    assert [row_id for row_id, _ in message.args[0][CHANNEL]] == [first.asset_id]


def test_a_kind_in_the_manifest_narrows(world: World, make_image: MakeImage) -> None:
    """A video was promised, an image came."""
    hand_over(world, make_image(), kind="video")
    assert inspect_all(world)["rejected"] == 1
    assert item_rows(world)[0].reason == Reason.WRONG_KIND


def test_a_message_delivered_twice_does_its_work_once(world: World, make_image: MakeImage) -> None:
    """The second run finds its claims taken."""
    hand_over(world, make_image())
    dispatch(world.context)
    claims = claims_from_json(world.published[-1].args[0])
    assert inspect(world.context, claims)["accepted"] == 1
    assert inspect(world.context, claims) == {"accepted": 0, "rejected": 0, "postponed": 0}


def test_what_is_accepted_is_handed_out_at_once(world: World, make_image: MakeImage) -> None:
    """An accepted file does not wait for the next tick."""
    hand_over(world, make_image())
    inspect_all(world)
    assert world.published[-1].name is TaskName.UPLOAD


def test_a_web_source_that_is_away_is_asked_again_later(world: World) -> None:
    """A failure of the moment rejects nothing; one that lasts does, in the end."""
    items = [{"ref": "a", "source": "http://127.0.0.1:9/hero.jpg?signature=secret"}]
    prepare(world.context, world.campaign(), items)
    assert inspect_all(world)["postponed"] == 1
    row = item_rows(world)[0]
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.not_before > world.clock.now()
    assert "secret" not in row.detail
    for _ in range(world.context.settings.max_attempts):
        world.clock.advance(timedelta(hours=1))
        inspect_all(world)
    assert item_rows(world)[0].reason == Reason.UNREADABLE


def test_the_asset_carries_the_clean_name_and_whatsapps_type(world: World, make_image: MakeImage) -> None:
    """What a sender calls the file is not believed."""
    make_image("hero.jpg").rename(make_image("hero.jpg").with_name("hero.png"))
    hand_over(world, make_image("x.jpg").with_name("hero.png"))
    inspect_all(world)
    row = asset_row(world, item_rows(world)[0].asset_id)
    assert (row.channel_id, row.mime_type, row.file_name) == (CHANNEL, "image/jpeg", "hero.jpg")


def test_a_fault_of_ours_costs_one_file_and_no_other_its_verdict(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw at one file must not send the others back."""
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(3)))

    def badly(self: Sources, source: str) -> AbstractContextManager[Path]:
        if source.endswith("1.jpg"):
            raise KeyError("nobody foresaw this")
        return copy(self, source)

    copy = Sources.copy
    monkeypatch.setattr(Sources, "copy", badly)
    assert inspect_all(world) == {"accepted": 2, "rejected": 1, "postponed": 0}
    assert item_rows(world)[1].reason == Reason.UNREADABLE


@contextmanager
def odd(world: World, bounds: ResourceLimits) -> Iterator[World]:
    """A world whose files do to the process that looks at them what their names say."""
    pool = ProcessPool(bounds, ODD)
    yield replace(world, context=replace(world.context, files=pool))
    pool.close()


@pytest.mark.parametrize("deed", ["kills", "computes"])
def test_a_file_that_ends_its_process_is_rejected_and_no_other(
    world: World, make_image: MakeImage, deed: str
) -> None:
    """A file that is made to crash or to occupy what reads it costs its own verdict, and nobody else's."""
    hand_over(world, *(make_image(f"{name}.jpg", number) for number, name in enumerate(["a", deed, "z"])))
    with odd(world, ResourceLimits(processor=0.5)) as odd_world:
        assert inspect_all(odd_world) == {"accepted": 2, "rejected": 1, "postponed": 0}
    rows = {row.ref: row for row in item_rows(world)}
    assert rows[f"{deed}.jpg"].reason == Reason.BROKEN
    assert rows[f"{deed}.jpg"].detail.startswith("This file ")
    assert {rows["a.jpg"].state, rows["z.jpg"].state} == {"accepted"}


def test_a_file_that_keeps_its_process_waiting_is_looked_at_again(
    world: World, make_image: MakeImage
) -> None:
    """Its disk may be away for a while; the others of its batch have their verdicts meanwhile."""
    hand_over(world, *(make_image(f"{name}.jpg", number) for number, name in enumerate(["a", "hangs", "z"])))
    with odd(world, ResourceLimits(patience=1)) as odd_world:
        assert inspect_all(odd_world) == {"accepted": 2, "rejected": 0, "postponed": 1}
    (row,) = [row for row in item_rows(world) if row.ref == "hangs.jpg"]
    assert row.attempts == 1
    assert "within 1 seconds" in row.detail


def test_verdicts_are_written_again_after_a_failure_of_the_moment(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may undo one of two transactions that wait for each other, or be started anew."""
    hand_over(world, make_image("a.jpg", 1), make_image("b.jpg", 2))
    record, failures = record_verdicts, [DatabaseUnavailable("away"), DatabaseUnavailable("away")]

    def record_in_the_end(*args: Any, **more: Any) -> set[int]:
        if failures:
            raise failures.pop()
        return record(*args, **more)

    monkeypatch.setattr("tasks.inspecting.verdict_writer.record_verdicts", record_in_the_end)
    assert inspect_all(world) == {"accepted": 2, "rejected": 0, "postponed": 0}
    assert len(world.passing.slept) == 2
    assert [(row.state, row.attempts) for row in item_rows(world)] == [("accepted", 0)] * 2


@pytest.fixture
def fetched_in_the_end(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[threading.Event]:
    """Two files of this machine, and one before them that hangs until this is set, or for ten seconds."""
    monkeypatch.setattr("tasks.inspecting.batch_verdicts.WRITE_EVERY_SECONDS", 0.01)
    sources = [
        "http://127.0.0.1:9/hero.jpg",
        *(str(make_image(f"{number}.jpg", number)) for number in (1, 2)),
    ]
    items = [{"ref": str(number), "source": source} for number, source in enumerate(sources)]
    prepare(world.context, world.campaign(), items)
    copy, over, seen = Sources.copy, threading.Event(), []

    def hanging(self: Sources, source: str) -> AbstractContextManager[Path]:
        if source.startswith("http:"):
            seen.append(over.wait(10))
        return copy(self, source)

    monkeypatch.setattr(Sources, "copy", hanging)
    yield over
    assert seen == [True]


def test_verdicts_are_written_while_a_file_of_their_batch_hangs(
    world: World, fetched_in_the_end: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has to be fetched comes after the others, and they do not wait until it is there."""
    write, written = record_verdicts, list[Judged]()

    def record(connection: Connection, verdicts: Sequence[Judged], **more: Any) -> set[int]:
        written.extend(verdicts)
        if len(written) == 2:
            fetched_in_the_end.set()
        return write(connection, verdicts, **more)

    monkeypatch.setattr("tasks.inspecting.verdict_writer.record_verdicts", record)
    assert inspect_all(world) == {"accepted": 2, "rejected": 0, "postponed": 1}


def test_verdicts_that_cannot_be_written_meanwhile_fail_their_task(
    world: World, fetched_in_the_end: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their claims lapse, and somebody else looks at the files again."""

    def record(*_: Any, **__: Any) -> set[int]:
        fetched_in_the_end.set()
        raise DatabaseUnavailable("away")

    monkeypatch.setattr("tasks.inspecting.verdict_writer.record_verdicts", record)
    with pytest.raises(DatabaseUnavailable):
        inspect_all(world)
    assert [row.state for row in item_rows(world)] == ["inspecting"] * 3


@pytest.mark.parametrize(
    ("files", "seconds", "following"),
    [
        (25, 0.0125, 400),
        (25, 0.0, 500),
        (25, 0.1, 50),
        (50, 0.2, 50),
        (200, 0.4, 100),
        (200, 40.0, 25),
        (3, 0.1, 25),
    ],
    ids=["quick", "no time at all", "twice as many", "as before", "slower", "slow disk", "few were left"],
)
def test_rounds_are_as_large_as_files_are_quick(files: int, seconds: float, following: int) -> None:
    """A fifth of a second of them; never so many that a dead worker holds up a whole campaign."""
    assert next_round(files, seconds, smallest=25) == following


def test_whoever_is_asked_to_look_finds_what_waits(world: World, make_image: MakeImage) -> None:
    """One message for all campaigns that come in until somebody looks; the next one is another message."""
    for number in range(3):
        hand_over(world, make_image(f"{number}.jpg", number), campaign=f"campaign-{number}")
    (message,) = world.published
    world.published.clear()
    assert inspect(world.context, claims_from_json(message.args[0]))["accepted"] == 3
    assert [one.name for one in world.published] == [TaskName.UPLOAD]
    hand_over(world, make_image("late.jpg", 9), campaign="late")
    assert world.published[-1].name is TaskName.INSPECT


@pytest.mark.parametrize(("files", "asked"), [(1, TaskName.INSPECT), (3, TaskName.DISPATCH)])
def test_whose_turn_is_over_asks_for_others(
    make_world: MakeWorld,
    make_image: MakeImage,
    monkeypatch: pytest.MonkeyPatch,
    files: int,
    asked: TaskName,
) -> None:
    """Of a backlog all workers get some; for what comes in when there is none, one looks."""
    monkeypatch.setattr("tasks.inspect.INSPECT_TURN_SECONDS", 0.0)
    world = make_world(inspect_batch_size=2)
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(files)))
    world.published.clear()
    assert inspect(world.context, [])["accepted"] == min(files, 2)
    assert [one.name for one in world.published] == [TaskName.UPLOAD, asked]


def test_campaigns_that_come_in_while_others_are_inspected_need_no_message(
    world: World, make_image: MakeImage
) -> None:
    """The task waits a moment before it looks again; whoever comes in meanwhile asks for nothing."""
    hand_over(world, make_image("first.jpg", 1))
    (message,) = world.published

    def come_in(_seconds: float) -> None:
        if len(item_rows(world)) == 1:
            hand_over(world, make_image("second.jpg", 2), campaign="summer")

    context = replace(world.context, gather_seconds=600.0, sleep=come_in)
    assert inspect(context, claims_from_json(message.args[0]))["accepted"] == 2
    assert [one.name for one in world.published].count(TaskName.INSPECT) == 1
