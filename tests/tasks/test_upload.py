"""Upload records each media ID at once, and each failure by whose fault it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO

import pytest
from sqlalchemy import text

from greenroom.errors import KeyRefused
from greenroom.rate_limit.limiter import Limiter
from greenroom.reasons import Reason
from greenroom.sources import Sources
from models.cancellation import cancel_campaign
from models.channel import get_channel
from tasks.dispatch import claims_from_json, dispatch
from tasks.prepare import prepare
from tasks.retire import retire
from tasks.runtime.announcements import Message
from tasks.sweep import sweep
from tasks.upload import upload
from tests.support.rows import asset_row, item_rows, media_rows
from tests.support.world import CANARY_KEY, CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all

#: Seconds that anything here may take on a busy machine.
PATIENCE = 30.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Look until it is so, half a minute at most."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
    return True


def claims_handed_out(world: World) -> list[list[list[int]]]:
    """The claims of the upload tasks that are handed out and that nobody has begun."""
    dispatch(world.context)
    batches = [message.args[0] for message in world.published if message.name == "media.upload"]
    world.published.clear()
    return [claims for of_each in batches for claims in of_each.values()]


def upload_all(world: World) -> dict[str, int]:
    """Run all uploads that dispatch hands out."""
    total = {"uploaded": 0, "postponed": 0, "failed": 0}
    for claims in claims_handed_out(world):
        for name, number in upload(world.context, {CHANNEL: claims_from_json(claims)}).items():
            total[name] += number
    return total


@pytest.fixture
def one_file(world: World, make_image: MakeImage) -> Path:
    """A campaign of one accepted file; returns the file."""
    path = make_image()
    hand_over(world, path)
    inspect_all(world)
    return path


def only_asset(world: World) -> int:
    """The ID of the campaign's one asset."""
    asset_id: int = item_rows(world)[0].asset_id
    return asset_id


def test_the_id_is_recorded_with_its_dates(world: World, one_file: Path) -> None:
    """The provider keeps it for 30 days after last use, and its upload counts as one."""
    assert upload_all(world) == {"uploaded": 1, "postponed": 0, "failed": 0}
    (row,) = media_rows(world)
    assert world.sandbox.live_media_ids(CANARY_KEY) == [row.media_id]
    assert row.expires_at - row.uploaded_at == timedelta(days=30)
    assert (row.channel_id, row.mime_type, row.is_current) == (CHANNEL, "image/jpeg", True)
    assert asset_row(world, row.asset_id).state == "ready"
    assert one_file.exists()


def test_the_ready_view_has_what_can_be_sent(world: World, one_file: Path) -> None:
    """Schedulers may read it straight from the database."""
    # The view asks the database's own clock, so the world's has to be near it.
    upload_all(world)
    with world.database.write() as connection:
        connection.execute(text("UPDATE media SET expires_at = '2999-01-01 00:00:00+00:00'"))
    with world.database.read() as connection:
        rows = connection.execute(text("SELECT campaign_id, ref, media_id FROM ready_media")).all()
    assert [tuple(row) for row in rows] == [("spring", one_file.name, media_rows(world)[0].media_id)]


def test_a_second_campaign_reuses_the_live_id(world: World, one_file: Path) -> None:
    """The same content on the same channel is not uploaded again."""
    upload_all(world)
    hand_over(world, one_file, campaign="summer")
    inspect_all(world)
    assert upload_all(world)["uploaded"] == 0
    assert len(media_rows(world)) == 1


def test_a_message_delivered_twice_uploads_once(world: World, one_file: Path) -> None:
    """Celery runs one task ID twice after a cut connection; the second run finds the claim taken."""
    (claims,) = claims_handed_out(world)
    assert upload(world.context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 1
    assert upload(world.context, {CHANNEL: claims_from_json(claims)}) == {
        "uploaded": 0,
        "postponed": 0,
        "failed": 0,
    }
    assert world.sandbox.stats()[CANARY_KEY]["uploads"] == 1
    assert one_file.exists()


def test_each_file_of_a_batch_fails_by_itself(make_world: MakeWorld, make_image: MakeImage) -> None:
    """One is refused, one has vanished, one has changed, and the others are ready."""
    world = make_world()
    world.add_channel()
    paths = [make_image(f"{number}.jpg", number) for number in range(6)]
    hand_over(world, *paths)
    inspect_all(world)
    paths[1].unlink()
    make_image("2.jpg", 999)
    assert upload_all(world) == {"uploaded": 4, "postponed": 0, "failed": 2}
    assert len(media_rows(world)) == 4
    rows = item_rows(world)
    assert asset_row(world, rows[1].asset_id).reason == Reason.MISSING
    # Changed since it was inspected: inspected again, and then sent as what it is now.
    assert rows[2].state == "waiting"
    assert inspect_all(world)["accepted"] == 0
    world.clock.advance(timedelta(minutes=1))
    assert inspect_all(world)["accepted"] == 1
    assert upload_all(world)["uploaded"] == 1


def test_a_file_that_is_written_to_all_the_time_is_given_up(
    make_world: MakeWorld, make_image: MakeImage
) -> None:
    """It would be inspected and sent for ever else; the campaign's manager hears of it instead."""
    world = make_world(max_attempts=3)
    world.add_channel()
    path = make_image()
    hand_over(world, path)
    for shade in range(1, 4):
        assert inspect_all(world)["accepted"] == 1
        make_image(path.name, shade)
        assert upload_all(world)["failed"] == 1
        world.clock.advance(timedelta(minutes=5))
    (item,) = item_rows(world)
    assert (item.state, item.reason) == ("rejected", Reason.UNREADABLE)
    assert item.detail == "The file was changed while it was being sent."
    assert inspect_all(world) == {"accepted": 0, "rejected": 0, "postponed": 0}


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError("no broker"), AttributeError("no attribute", name="client", obj=None)],
    ids=lambda error: type(error).__name__,
)
def test_a_broker_that_is_away_undoes_nothing(world: World, one_file: Path, error: Exception) -> None:
    """The ID is recorded; that there is room for more, beat will find out."""

    def away(_message: Message) -> None:
        raise error

    (claims,) = claims_handed_out(world)
    context = replace(world.context, publish=away)
    assert upload(context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 1
    assert len(media_rows(world)) == 1
    assert one_file.exists()


def test_a_fault_of_ours_costs_one_file_and_no_other_its_id(
    make_world: MakeWorld, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw at one file must not keep the others' IDs from being recorded."""
    world = make_world()
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(6)))
    inspect_all(world)

    open_really = Sources.open

    def open_(self: Sources, path: str, *, own: bool = False) -> BinaryIO:
        if path.endswith("3.jpg"):
            raise KeyError("nobody foresaw this")
        return open_really(self, path, own=own)

    monkeypatch.setattr(Sources, "open", open_)
    claims = [claim for batch in claims_handed_out(world) for claim in batch]
    assert upload(world.context, {CHANNEL: claims_from_json(claims)}) == {
        "uploaded": 5,
        "postponed": 0,
        "failed": 1,
    }
    assert {row.media_id for row in media_rows(world)} == set(world.sandbox.live_media_ids(CANARY_KEY))
    assert asset_row(world, item_rows(world)[3].asset_id).reason == Reason.UPLOAD_FAILED


@pytest.mark.parametrize(
    ("answer", "state", "attempts"),
    [
        ({"status": 500, "code": 131000, "message": "Something went wrong"}, "waiting", 1),
        ({"status": 429, "code": 130429, "message": "Rate limit hit"}, "waiting", 0),
        ({"status": 400, "code": 0, "message": "exceeded the endpoint rate limit"}, "waiting", 0),
        ({"status": 400, "code": 100, "message": "(#100) Param file must be a file with ..."}, "failed", 0),
        ({"status": 400, "code": 135000, "message": "Generic user error"}, "failed", 0),
    ],
)
def test_an_error_says_by_its_type_what_becomes_of_the_file(
    world: World, one_file: Path, answer: dict[str, object], state: str, attempts: int
) -> None:
    """The moment's fault: later. The provider's pace: later, and not the file's fault. Else: final."""
    world.sandbox.faults({"on": "upload", "times": 1, "answer": answer})
    upload_all(world)
    row = asset_row(world, only_asset(world))
    assert (row.state, row.attempts) == (state, attempts)
    assert media_rows(world) == []
    assert one_file.exists()
    if state == "waiting":
        world.clock.advance(timedelta(minutes=10))
        assert upload_all(world)["uploaded"] == 1


def test_a_refused_key_pauses_the_channel_and_burns_no_attempts(
    make_world: MakeWorld, make_image: MakeImage
) -> None:
    """Nothing more is sent, and everything waits for the operator."""
    world = make_world(upload_threads=1)
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(8)))
    inspect_all(world)
    world.sandbox.faults({"revoke_key": CANARY_KEY})
    claims = claims_handed_out(world)
    for batch in claims:
        upload(world.context, {CHANNEL: claims_from_json(batch)})
    with world.database.read() as connection:
        channel = get_channel(connection, CHANNEL)
    assert channel.paused_at is not None
    assert CANARY_KEY not in (channel.paused_reason or "")
    assert (channel.paused_reason or "").endswith(f". {KeyRefused.advice}")
    assert claims_handed_out(world) == []
    assert all(asset_row(world, row.asset_id).attempts == 0 for row in item_rows(world))
    # The operator gives the key again: the channel goes on, and all become ready.
    world.sandbox.faults({"restore_key": CANARY_KEY})
    world.add_channel()
    world.clock.advance(timedelta(minutes=10))
    assert upload_all(world)["uploaded"] == 8


def test_an_answer_that_was_lost_is_counted_and_the_file_sent_again(world: World, one_file: Path) -> None:
    """It may be at the provider twice then: a possible orphan."""
    world.sandbox.faults({"on": "upload", "times": 1, "drop": "after"})
    assert upload_all(world) == {"uploaded": 0, "postponed": 1, "failed": 0}
    assert asset_row(world, only_asset(world)).lost_answers == 1
    world.clock.advance(timedelta(minutes=10))
    assert upload_all(world)["uploaded"] == 1
    assert world.sandbox.stats()[CANARY_KEY]["duplicates"] == 1
    assert one_file.exists()


def test_a_provider_that_is_away_gives_nobody_up(world: World, one_file: Path) -> None:
    """An outage of hours costs no file, neither before nor after the hour of its campaign."""
    world.sandbox.faults({"on": "upload", "answer": {"status": 502, "code": 2, "message": "away"}})
    for _ in range(9):
        upload_all(world)
        world.clock.advance(timedelta(minutes=7))
        assert asset_row(world, only_asset(world)).state == "waiting"
    # Past one by now, when the campaign was to be sent, and the tenth failure.
    upload_all(world)
    assert asset_row(world, only_asset(world)).state == "waiting"
    world.sandbox.faults({"clear": True})
    world.clock.advance(timedelta(hours=1))
    assert upload_all(world)["uploaded"] == 1
    assert one_file.exists()


def test_a_campaign_cancelled_meanwhile_uploads_nothing(world: World, one_file: Path) -> None:
    """A task looks again at what it was asked to do."""
    (claims,) = claims_handed_out(world)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert upload(world.context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 0
    assert asset_row(world, only_asset(world)).state == "idle"
    assert world.sandbox.live_media_ids(CANARY_KEY) == []
    assert one_file.exists()


def test_an_id_whose_claim_was_lost_is_deleted_instead_of_forgotten(
    world: World, one_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker thought dead comes back with an ID: somebody else has uploaded the file meanwhile."""
    (claims,) = claims_handed_out(world)
    upload_of = world.context.provider.upload_later

    def take_over(*args: Any, done: Callable[[Any], None], **more: Any) -> None:
        # Before its answer is dealt with, its lease ends and another worker does the work.
        monkeypatch.undo()
        answers: Queue[Any] = Queue()
        upload_of(*args, done=answers.put, **more)
        answer = answers.get(timeout=30)
        # The first one shall not take up again by itself what it has lost.
        world.context.stopping.set()
        world.clock.advance(timedelta(minutes=2))
        sweep(world.context)
        world.published.clear()
        limiter = Limiter(world.context.redis, namespace="another")
        other = replace(world.context, limiter=limiter, stopping=threading.Event())
        dispatch(other)
        (message,) = (message for message in world.published if message.name == "media.upload")
        assert upload(other, {CHANNEL: claims_from_json(message.args[0][CHANNEL])})["uploaded"] == 1
        other.upload_threads.shutdown()
        done(answer)

    monkeypatch.setattr(world.context.provider, "upload_later", take_over)
    assert upload(world.context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 1
    first, second = media_rows(world)
    assert (first.is_current, second.is_current) == (True, False)
    assert set(world.sandbox.live_media_ids(CANARY_KEY)) == {first.media_id, second.media_id}
    retire(world.context)
    assert world.sandbox.live_media_ids(CANARY_KEY) == [first.media_id]
    assert one_file.exists()


def test_a_turn_goes_on_with_what_waits(world: World, make_image: MakeImage) -> None:
    """One message is enough for a campaign of any size: its worker claims what follows by itself."""
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(60)))
    inspect_all(world)
    first, *others = claims_handed_out(world)
    assert (len(first), others) == (world.context.settings.batch_size, [])
    assert upload(world.context, {CHANNEL: claims_from_json(first)}) == {
        "uploaded": 60,
        "postponed": 0,
        "failed": 0,
    }
    assert world.sandbox.stats()[CANARY_KEY]["duplicates"] == 0


def test_a_turn_waits_for_what_is_still_being_inspected(world: World, make_image: MakeImage) -> None:
    """The channel keeps its worker for a while: what is accepted meanwhile needs no message of its own."""
    hand_over(world, make_image("first.jpg", 1))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    context = replace(world.context, linger_seconds=600.0)
    with ThreadPoolExecutor(1) as threads:
        turn = threads.submit(upload, context, {CHANNEL: claims_from_json(claims)})
        try:
            assert eventually(lambda: len(media_rows(world)) == 1)
            hand_over(world, make_image("second.jpg", 2), campaign="summer")
            inspect_all(world)
            assert eventually(lambda: len(media_rows(world)) == 2)
            assert not turn.done()
        finally:
            context.stopping.set()
    assert turn.result() == {"uploaded": 2, "postponed": 0, "failed": 0}
    assert world.sandbox.stats()[CANARY_KEY]["duplicates"] == 0


def test_a_turn_that_waits_for_more_ends_when_its_worker_is_to_end(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at its next look: whoever stops a worker with nothing to do waits for that."""
    hand_over(world, make_image("first.jpg", 1))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    context = replace(world.context, linger_seconds=600.0)
    monkeypatch.setattr("tasks.uploading.turn._next_look", lambda: time.monotonic() + 2 * PATIENCE)
    with ThreadPoolExecutor(1) as threads:
        turn = threads.submit(upload, context, {CHANNEL: claims_from_json(claims)})
        try:
            assert eventually(lambda: len(media_rows(world)) == 1)
        finally:
            context.stopping.set()
        assert turn.result(PATIENCE) == {"uploaded": 1, "postponed": 0, "failed": 0}


def test_a_worker_that_is_to_end_gives_back_what_it_has_not_begun(
    make_world: MakeWorld, make_image: MakeImage
) -> None:
    """Somebody else uploads it at once; none of its attempts are burned."""
    world = make_world(batch_size=50, inspect_batch_size=50)
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(40)))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    world.context.stopping.set()
    counts = upload(world.context, {CHANNEL: claims_from_json(claims)})
    assert counts["postponed"] > 20
    assert sum(counts.values()) == 40
    assert all(asset_row(world, row.asset_id).attempts == 0 for row in item_rows(world))
    world.context.stopping.clear()
    assert upload_all(world)["uploaded"] == counts["postponed"]
    assert world.sandbox.stats()[CANARY_KEY]["duplicates"] == 0


def test_a_campaign_that_is_due_sooner_overtakes(
    make_world: MakeWorld, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a turn has claimed ahead is a second's worth, and no more."""
    world = make_world(batch_size=5)
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(40)))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    send = world.context.provider.upload_later
    sent: list[str] = []

    def noting(*args: Any, **more: Any) -> None:
        sent.append(more["file_name"])
        if len(sent) == 10:
            world.clock.advance(timedelta(seconds=1))
            plan = {
                **world.campaign("soon"),
                "send_at": (world.clock.now() + timedelta(minutes=1)).isoformat(),
            }
            items = [
                {"ref": f"soon-{n}", "source": str(make_image(f"soon-{n}.jpg", 500 + n))} for n in range(5)
            ]
            prepare(world.context, plan, items)
            inspect_all(world)
        send(*args, **more)

    monkeypatch.setattr(world.context.provider, "upload_later", noting)
    assert upload(world.context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 45
    places = [place for place, name in enumerate(sent) if name.startswith("soon")]
    assert len(places) == 5
    assert max(places) < 30


def test_a_channel_that_another_worker_uploads_on_is_left_to_it(world: World, one_file: Path) -> None:
    """A message that comes too late gives its files back, and burns no attempts."""
    (claims,) = claims_handed_out(world)
    owned = world.context.limiter.acquire(CHANNEL, timeout=1)
    assert upload(world.context, {CHANNEL: claims_from_json(claims)}) == {
        "uploaded": 0,
        "postponed": 1,
        "failed": 0,
    }
    owned.release()
    assert upload_all(world)["uploaded"] == 1
    assert one_file.exists()


def test_large_files_go_the_other_way(world: World, tmp_path: Path) -> None:
    """They are streamed, beside small ones that are sent at once."""
    paths = []
    for number, size in enumerate((1_000, 300_000, 2_000, 900_000)):
        path = tmp_path / f"notes-{number}.txt"
        path.write_text(f"{number} notes. " * (size // 9))
        paths.append(path)
    hand_over(world, *paths)
    assert inspect_all(world)["accepted"] == 4
    assert upload_all(world)["uploaded"] == 4
    assert world.sandbox.stats()[CANARY_KEY]["uploads"] == 4
