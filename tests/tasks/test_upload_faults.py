"""Faults at the worst moments of a turn: it ends all the same, and no media ID is lost with it."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, BinaryIO

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection

from greenroom.errors import ClaimLost, DatabaseUnavailable, SourceMissing
from greenroom.rate_limit.ownership import OWNERSHIP_SECONDS, OwnedChannel
from greenroom.sources import Sources
from models.asset_claims import claim_assets, take_assets
from models.channel import get_channel
from models.claim import Claim
from models.database import Database
from models.media_records import GivenId, record_media
from tasks.dispatch import claims_from_json
from tasks.sweep import sweep
from tasks.upload import _upload_batch as upload_batch
from tasks.upload import upload
from tasks.uploading import completion as recording
from tasks.uploading.beginning import Batch
from tasks.uploading.sender import Sender, UploadJob, UploadOutcome
from tasks.uploading.turn import Turn
from tests.support.rows import accepted_item, asset_row, item_rows, media_rows
from tests.support.world import CANARY_KEY, CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out, eventually, upload_all

PATIENCE = 60


def two_files(world: World, make_image: MakeImage) -> list[list[int]]:
    """Two accepted files; returns their claims."""
    hand_over(world, make_image("1.jpg", 1), make_image("2.jpg", 2))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    return claims


def test_a_claim_that_was_lost_before_its_file_was_begun_holds_up_no_other(
    world: World, make_image: MakeImage
) -> None:
    """The thread that sends continues with the next file: else the channel has an owner that does nothing."""
    claims = two_files(world, make_image)
    with world.database.write() as connection:
        first, second = take_assets(
            connection,
            claims_from_json(claims),
            now=world.clock.now(),
            lease=world.context.settings.lease,
        )[CHANNEL]
    owned = world.context.limiter.acquire(CHANNEL, timeout=5, sleep=world.context.sleep)
    sender = Sender(world.context, SecretStr(CANARY_KEY), owned)
    sender.forget([first.claim])
    outcomes: list[UploadOutcome] = []

    def both_ended() -> bool:
        outcomes.extend(sender.collect(until=time.monotonic() + 1))
        return len(outcomes) == 2

    sender.add([UploadJob(asset=first), UploadJob(asset=second)])
    assert eventually(both_ended)
    (of_first,) = (outcome for outcome in outcomes if outcome.asset == first)
    (of_second,) = (outcome for outcome in outcomes if outcome.asset == second)
    assert isinstance(of_first.error, ClaimLost)
    assert of_second.media_id
    assert not sender.busy


def test_an_owner_that_was_frozen_lets_go_and_the_next_one_sends_all(
    make_world: MakeWorld, make_image: MakeImage
) -> None:
    """Frozen when it had taken its files, for longer than its lease: nothing is sent twice, and all once."""
    world = make_world(batch_size=50)
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(30)))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    own = world.context.limiter.acquire

    def freeze(*args: Any, **more: Any) -> OwnedChannel:
        owned = own(*args, **more)
        owned._until -= OWNERSHIP_SECONDS
        owned._keep_at -= OWNERSHIP_SECONDS
        world.context.redis.hset(f"greenroom:channel:{CHANNEL}", "until", "1")
        world.clock.advance(world.context.settings.lease * 2)
        sweep(world.context)
        return owned

    world.context.limiter.acquire = freeze  # type: ignore[method-assign]  # frozen for this test
    assert upload(world.context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 0
    assert world.sandbox.stats().get(CANARY_KEY, {}).get("uploads", 0) == 0
    world.context.limiter.acquire = own  # type: ignore[method-assign]  # for this test
    world.clock.advance(timedelta(seconds=5))
    assert upload_all(world)["uploaded"] == 30
    assert world.sandbox.stats()[CANARY_KEY]["duplicates"] == 0


def test_an_owner_that_does_not_get_on_lets_go(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs holds up what it holds, and its worker's other files go to somebody else."""
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(10)))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    hung, goes_on = threading.Event(), threading.Event()

    open_really = Sources.open

    def hang(self: Sources, path: str, *, own: bool = False) -> BinaryIO:
        hung.set()
        goes_on.wait(PATIENCE)
        return open_really(self, path, own=own)

    monkeypatch.setattr(Sources, "open", hang)
    monkeypatch.setattr("tasks.uploading.turn.STALLED_SECONDS", 0.0)
    with ThreadPoolExecutor(1) as threads:
        turn = threads.submit(upload, world.context, {CHANNEL: claims_from_json(claims)})
        try:
            assert hung.wait(PATIENCE)
            assert eventually(lambda: not world.context.limiter.peek([CHANNEL])[CHANNEL].owned)
            assert {asset_row(world, row.asset_id).state for row in item_rows(world)} == {
                "waiting",
                "uploading",
            }
        finally:
            goes_on.set()
    assert turn.result()["postponed"] == 10
    monkeypatch.undo()
    world.clock.advance(timedelta(seconds=5))
    assert upload_all(world)["uploaded"] == 10


def test_a_source_that_goes_missing_while_the_channel_is_being_paused(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for elsewhere by whoever continues with the channel: this turn ends."""
    claims = two_files(world, make_image)
    elsewhere = make_image("2.jpg", 2).with_name("elsewhere.jpg")
    shutil.copy(elsewhere.with_name("2.jpg"), elsewhere)
    hand_over(world, elsewhere, campaign="summer")
    inspect_all(world)
    world.sandbox.faults({"revoke_key": CANARY_KEY})
    stopped = threading.Event()
    stop = Sender.stop

    def stop_and_say(sender: Sender, *why: str) -> list[UploadJob]:
        jobs = stop(sender, *why)
        stopped.set()
        return jobs

    open_really = Sources.open

    def open_(self: Sources, path: str, *, own: bool = False) -> BinaryIO:
        if not path.endswith("1.jpg"):
            assert stopped.wait(PATIENCE)
            raise SourceMissing("it is gone")
        return open_really(self, path, own=own)

    monkeypatch.setattr(Sender, "stop", stop_and_say)
    monkeypatch.setattr(Sources, "open", open_)
    with ThreadPoolExecutor(1) as threads:
        counts = threads.submit(upload, world.context, {CHANNEL: claims_from_json(claims)}).result(PATIENCE)
    assert counts == {"uploaded": 0, "postponed": 2, "failed": 0}
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_at is not None
    # Once the key is right again, the file is found where the other campaign has it.
    monkeypatch.undo()
    elsewhere.with_name("2.jpg").unlink()
    world.sandbox.faults({"restore_key": CANARY_KEY})
    world.add_channel()
    world.clock.advance(timedelta(minutes=10))
    assert upload_all(world)["uploaded"] == 2


def test_a_database_that_is_away_when_the_worker_stops(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that were not begun wait for their leases to end, and IDs that came are recorded."""
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(8)))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    collect, upload_later = Sender.collect, world.context.provider.upload_later
    given_back = threading.Event()
    sent: list[object] = []

    def send_two(*args: Any, **more: Any) -> None:
        sent.append(args)
        if len(sent) > 2:
            assert given_back.wait(PATIENCE)
        upload_later(*args, **more)
        if len(sent) > 1:
            world.context.stopping.set()

    def collect_later(*_: Any, **__: Any) -> list[UploadOutcome]:
        # Nothing is recorded before the worker is asked to stop.
        assert world.context.stopping.wait(PATIENCE)
        monkeypatch.setattr(Sender, "collect", collect)
        return []

    def away(*_: Any, **__: Any) -> None:
        given_back.set()
        raise DatabaseUnavailable("away for a moment")

    monkeypatch.setattr(world.context.provider, "upload_later", send_two)
    monkeypatch.setattr(Sender, "collect", collect_later)
    monkeypatch.setattr("tasks.uploading.turn.postpone_asset", away)
    counts = upload(world.context, {CHANNEL: claims_from_json(claims)})
    live = world.sandbox.live_media_ids(CANARY_KEY)
    assert 2 <= len(live) < 8
    assert {row.media_id for row in media_rows(world)} == set(live)
    assert counts["uploaded"] == len(live)
    monkeypatch.undo()
    world.context.stopping.clear()
    world.clock.advance(timedelta(minutes=10))
    sweep(world.context)
    assert upload_all(world)["uploaded"] == 8 - len(live)


def test_ids_are_recorded_when_a_turn_breaks_off(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever fault of ours."""
    claims = two_files(world, make_image)
    collect = Sender.collect

    def fail(*_: Any, **__: Any) -> list[UploadOutcome]:
        monkeypatch.setattr(Sender, "collect", collect)
        assert eventually(lambda: len(world.sandbox.live_media_ids(CANARY_KEY)) == 2)
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(Sender, "collect", fail)
    with pytest.raises(KeyError):
        upload(world.context, {CHANNEL: claims_from_json(claims)})
    assert {row.media_id for row in media_rows(world)} == set(world.sandbox.live_media_ids(CANARY_KEY))
    assert len(media_rows(world)) == 2


def test_what_a_turn_could_not_write_down_is_not_kept_by_the_others_of_its_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renewed for as long as those go on, the files wait for hours; released, they are claimed again."""
    accepted_item(world, "a")
    turns: list[Turn] = []

    def fail(*_: Any) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(Turn, "run", fail)
    claims = claims_handed_out(world)
    batch = Batch(channel_id=CHANNEL, claims=claims_from_json(claims[0]))
    with pytest.raises(DatabaseUnavailable):
        upload_batch(world.context, batch, turns, "")
    assert turns == []


ELSEWHERE = {"Location": "http://portal.example/login"}


@pytest.mark.parametrize(
    "answer",
    [{"status": 503}, *({"status": status, "headers": ELSEWHERE} for status in (302, 308))],
    ids=lambda answer: str(answer["status"]),
)
def test_a_provider_that_is_away_past_the_send_out_costs_no_file(
    make_world: MakeWorld, make_image: MakeImage, answer: dict[str, object]
) -> None:
    """A file is given up for what is wrong with it, and not for what every file would meet."""
    world = make_world(max_attempts=2)
    world.add_channel()
    two_files(world, make_image)
    world.clock.advance(timedelta(hours=2))
    sweep(world.context)
    world.sandbox.faults({"on": "upload", "answer": answer})
    for _ in range(4):
        assert upload_all(world)["failed"] == 0
        world.clock.advance(timedelta(minutes=10))
    world.sandbox.faults({"clear": True})
    assert upload_all(world)["uploaded"] == 2


def test_who_redirects_uploads_is_told_of_once(
    world: World, make_image: MakeImage, caplog: pytest.LogCaptureFixture
) -> None:
    """With the channel and what to look at; and once more when it was over, and begins again."""
    caplog.set_level(logging.ERROR, "tasks.uploading.completion")
    for times in (1, 2):
        hand_over(world, make_image(f"{times}.jpg", times), campaign=f"of-{times}")
        inspect_all(world)
        world.sandbox.faults({"on": "upload", "answer": {"status": 308, "headers": ELSEWHERE}})
        for _ in range(3):
            upload_all(world)
            world.clock.advance(timedelta(minutes=10))
        assert len(caplog.messages) == times
        world.sandbox.faults({"clear": True})
        assert upload_all(world)["uploaded"] == 1
    assert CHANNEL in caplog.messages[0]
    assert "GREENROOM_API_BASE_URL" in caplog.messages[0]


def test_an_id_that_the_database_refuses_costs_no_other(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its file is given up, for each further ID of it would be lost, too; and the log has the ID."""
    claims = two_files(world, make_image)
    refused = item_rows(world)[0].asset_id

    def record(connection: Connection, given: Sequence[GivenId], **more: Any) -> None:
        if any(one.asset_id == refused for one in given):
            raise ValueError("value too long")
        record_media(connection, given, **more)

    monkeypatch.setattr(recording, "record_media", record)
    counts = upload(world.context, {CHANNEL: claims_from_json(claims)})
    assert counts == {"uploaded": 1, "postponed": 0, "failed": 1}
    (row,) = media_rows(world)
    (lost,) = set(world.sandbox.live_media_ids(CANARY_KEY)) - {row.media_id}
    assert lost in caplog.text
    assert asset_row(world, refused).state == "failed"


def test_two_answers_for_one_file_are_one_current_id(world: World) -> None:
    """A worker that has lost a claim, and has it again by another one: the later claim counts."""
    accepted_item(world, "hero")
    now, lease = world.clock.now(), world.context.settings.lease
    with world.database.write() as connection:
        (handed_out,) = claim_assets(connection, [CHANNEL], limit=1, now=now, lease=lease)[CHANNEL]
        (in_flight,) = take_assets(connection, [handed_out.claim], now=now, lease=lease)[CHANNEL]
    stale = replace(in_flight, claim=Claim(id=in_flight.claim.id, token=in_flight.claim.token - 1))
    outcomes = [
        UploadOutcome(job=UploadJob(asset=one), media_id=media_id, at=now)
        for one, media_id in ((stale, "first"), (in_flight, "second"))
    ]
    entry = recording.ChannelOutcomes(
        channel_id=CHANNEL,
        api_key="as it was read",
        rules=world.context.settings.life_rules(None),
        outcomes=outcomes,
    )
    assert recording.record_outcomes(world.context, entry)["uploaded"] == 2
    assert {row.media_id: row.is_current for row in media_rows(world)} == {"first": False, "second": True}


def let_write(url: SecretStr, *, allowed: bool) -> None:
    """Make a server like a replica, where nobody can write, or undo that; for connections to come."""
    database = Database(url)
    with database.engine.connect() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar()
        setting = f'ALTER DATABASE "{name}" SET default_transaction_read_only'
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.commit()
        connection.exec_driver_sql(f"{setting} = {'off' if allowed else 'on'}")
        connection.commit()
    database.close()


def test_a_replica_is_no_database_to_stay_with(world: World) -> None:
    """After a failover, the old server answers for a while, and lets nobody write."""
    if world.database.dialect != "postgresql":
        pytest.skip("SQLite has no replicas")
    url = world.context.settings.database_url
    let_write(url, allowed=False)
    try:
        world.database.close()
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match="read-only"):
                world.add_channel("another")
    finally:
        let_write(url, allowed=True)
    # Connections to it are not kept.
    world.add_channel("another")
