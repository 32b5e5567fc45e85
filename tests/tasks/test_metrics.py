"""The exporter shows how things stand, and what workers counted: real uploads, Redis, both databases."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import text

from greenroom.counters import COUNTERS, COUNTS, FIELD_SEPARATOR, UPLOAD_SECONDS, UPLOADS
from models.channel import pause_channel
from models.lookups import FAILURES_ALLOWED, book_failure
from tasks.runtime.counter_store import COUNTS_KEY
from tasks.sweep import sweep
from tests.support.rows import accepted_item, ready_item
from tests.support.scraper import Scraper, value
from tests.support.world import CANARY_KEY, CHANNEL, World, free_port
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out, upload_all
from worker.exporter.counted import VALUES
from worker.exporter.families import BUILD, GAUGES

#: Those whose series come and go with what they are about.
MAY_BE_MISSING = {
    "greenroom_backlog_oldest_timestamp_seconds",
    "greenroom_backlog_due_timestamp_seconds",
    "greenroom_media_next_end_timestamp_seconds",
    "greenroom_beat_last_tick_timestamp_seconds",
}


def test_every_metric_is_there_before_anything_happened(scraper: Scraper) -> None:
    """A count that began with its first event would have no increase when that came."""
    names = {name for name, _ in scraper.samples()}
    wanted = {family.name for family in (*GAUGES, *COUNTERS, BUILD)} | {f"{UPLOAD_SECONDS.name}_count"}
    assert wanted - names == MAY_BE_MISSING
    assert {name for name in names if not name.startswith("greenroom_")} == set()


def test_uploads_are_counted_and_timed(world: World, scraper: Scraper, make_image: MakeImage) -> None:
    """By channel; each answer is in the histogram."""
    hand_over(world, make_image("1.jpg", 1), make_image("2.jpg", 2))
    before = scraper.samples()
    assert value(before, "greenroom_uploads_total", channel=CHANNEL) == 0
    assert value(before, "greenroom_backlog_files", channel=CHANNEL, work="inspection") == 2
    assert value(before, "greenroom_backlog_work_seconds", channel=CHANNEL) == 0.2
    inspect_all(world)
    waiting = scraper.samples()
    assert value(waiting, "greenroom_files_accepted_total") == 2
    assert value(waiting, "greenroom_claimed_files", work="upload") == 2
    upload_all(world)
    after = scraper.samples()
    assert value(after, "greenroom_uploads_total", channel=CHANNEL) == 2
    assert value(after, "greenroom_upload_duration_seconds_count") == 2
    assert value(after, "greenroom_upload_duration_seconds_bucket", le="+Inf") == 2
    assert value(after, "greenroom_media", state="current") == 2
    assert value(after, "greenroom_backlog_files", channel=CHANNEL, work="upload") == 0


def test_what_the_provider_refuses_is_counted_by_class(
    world: World, scraper: Scraper, make_image: MakeImage
) -> None:
    """A 429 also by channel."""
    hand_over(world, make_image())
    inspect_all(world)
    too_many = {"status": 429, "code": 131056, "message": "(#131056) Too many"}
    world.sandbox.faults({"on": "upload", "times": 1, "answer": too_many})
    upload_all(world)
    seen = scraper.samples()
    assert value(seen, "greenroom_throttled_total", channel=CHANNEL) == 1
    assert value(seen, "greenroom_provider_errors_total", endpoint="upload", error="Throttled") == 1
    assert value(seen, "greenroom_uploads_total", channel=CHANNEL) == 0


def test_an_answer_that_was_lost_is_counted_and_may_be_an_orphan(
    world: World, scraper: Scraper, make_image: MakeImage
) -> None:
    """Until its row is dropped."""
    hand_over(world, make_image())
    inspect_all(world)
    world.sandbox.faults({"on": "upload", "times": 1, "drop": "after"})
    upload_all(world)
    seen = scraper.samples()
    assert value(seen, "greenroom_provider_errors_total", endpoint="upload", error="AnswerLost") == 1
    assert value(seen, "greenroom_possible_orphans") == 1


def test_rejections_are_counted_by_reason(world: World, scraper: Scraper, make_image: MakeImage) -> None:
    """Beside what was accepted."""
    bad = make_image("bad.jpg")
    bad.write_bytes(b"")
    hand_over(world, make_image(), bad)
    inspect_all(world)
    seen = scraper.samples()
    assert value(seen, "greenroom_files_rejected_total", reason="empty") == 1
    assert value(seen, "greenroom_files_rejected_total", reason="broken") == 0
    assert value(seen, "greenroom_files_accepted_total") == 1


def test_what_dead_workers_had_claimed_is_counted_when_it_is_put_back(world: World, scraper: Scraper) -> None:
    """By what they had claimed."""
    accepted_item(world, "hero")
    assert claims_handed_out(world)
    assert value(scraper.samples(), "greenroom_claimed_files", work="upload") == 1
    world.clock.advance(timedelta(minutes=5))
    sweep(world.context)
    assert value(scraper.samples(), "greenroom_claims_recovered_total", work="upload") == 1


def test_a_paused_channel_and_its_look_ups_are_seen(world: World, scraper: Scraper) -> None:
    """Without the reason, which may hold what the provider said."""
    now = world.clock.now()
    with world.database.write() as connection:
        book_failure(connection, CHANNEL, now=now)
        pause_channel(connection, CHANNEL, reason="canary-of-a-sentence", now=now)
    seen = scraper.samples()
    assert value(seen, "greenroom_channel_paused", channel=CHANNEL) == 1
    assert value(seen, "greenroom_lookup_failures_left", channel=CHANNEL) == FAILURES_ALLOWED - 1
    assert "canary" not in scraper.text()


def test_the_next_end_is_that_of_an_id_that_is_needed(world: World, scraper: Scraper) -> None:
    """Also of one whose renewal waits, or was given up."""
    ready_item(world, "hero", media_id="1")
    world.clock.advance(timedelta(days=1))
    ready_item(world, "later", media_id="2", campaign="summer")
    end = (world.clock.now() - timedelta(days=1) + world.context.settings.media_life).timestamp()
    assert value(scraper.samples(), "greenroom_media_next_end_timestamp_seconds") == end
    for state in ("failed", "waiting"):
        with world.database.write() as connection:
            connection.execute(text("UPDATE assets SET state = :state WHERE id = 1"), {"state": state})
        assert value(scraper.samples(), "greenroom_media_next_end_timestamp_seconds") == end
    with world.database.write() as connection:
        connection.execute(text("UPDATE campaigns SET cancelled_at = created_at"))
        connection.execute(text("UPDATE assets SET state = 'ready'"))
    assert value(scraper.samples(), "greenroom_media_next_end_timestamp_seconds") is None


def test_a_file_that_waits_has_an_age_until_it_is_gone(world: World, scraper: Scraper) -> None:
    """As far as this exporter has been watching."""
    accepted_item(world, "hero")
    name, labels = "greenroom_backlog_oldest_timestamp_seconds", {"channel": CHANNEL, "work": "upload"}
    began = world.clock.now().timestamp()
    assert value(scraper.samples(), name, **labels) == began
    world.clock.advance(timedelta(minutes=5))
    accepted_item(world, "second")
    assert value(scraper.samples(), name, **labels) == began
    with world.database.write() as connection:
        connection.execute(text("UPDATE assets SET state = 'ready' WHERE file_name = 'hero.jpg'"))
    assert value(scraper.samples(), name, **labels) == began + 300


def test_a_process_that_says_nothing_more_is_not_counted(scraper: Scraper, redis: Redis) -> None:
    """Its number stands still from one look to the next; the test's own goes on."""
    redis.hset("greenroom:heartbeats", "dead:1:x", "7")
    assert value(scraper.samples(), "greenroom_worker_processes") == 2
    assert value(scraper.samples(), "greenroom_worker_processes") == 1


def test_channels_without_room_are_shown_as_one(world: World) -> None:
    """Those that were added first keep their series, whoever comes after them."""
    for number in range(3):
        world.clock.advance(timedelta(seconds=1))
        world.add_channel(f"49151000000{number}")
    for channel in (CHANNEL, "491510000000", "491510000001", "491510000002"):
        accepted_item(world, f"of {channel}", campaign=channel, channel=channel)
        UPLOADS.add(channel, count=10)
    seen = Scraper(world.context, most_channels=2).samples()
    backlog = {
        dict(labels)["channel"]: number
        for (name, labels), number in seen.items()
        if name == "greenroom_backlog_files" and dict(labels)["work"] == "upload"
    }
    assert backlog == {CHANNEL: 1, "491510000000": 1, "other": 2}
    assert value(seen, "greenroom_uploads_total", channel="other") == 20
    assert value(seen, "greenroom_uploads_total", channel=CHANNEL) == 10


@pytest.mark.parametrize(
    "field",
    [
        "greenroom_uploads_total",
        f"greenroom_uploads_total{FIELD_SEPARATOR}a{FIELD_SEPARATOR}b",
        f'greenroom_provider_errors_total{FIELD_SEPARATOR}upload{FIELD_SEPARATOR}"}} 1\nother 7',
        f"greenroom_files_rejected_total{FIELD_SEPARATOR}{'x' * 10_000}",
        "something_else",
        "\udcff",
    ],
)
def test_what_is_no_count_of_ours_is_left_out(world: World, scraper: Scraper, field: str) -> None:
    """Whoever can write to Redis can lie about numbers, and add no series."""
    before = scraper.samples().keys()
    world.context.redis.hset(COUNTS_KEY, field.encode(errors="surrogateescape"), "1000")
    world.context.redis.hset(COUNTS_KEY, f"greenroom_uploads_total{FIELD_SEPARATOR}{CHANNEL}", "many")
    assert scraper.samples().keys() == before


def test_no_label_but_a_channels_has_more_than_some_values(scraper: Scraper) -> None:
    """And none is called after what there is no end of."""
    labels = {label for family in (*GAUGES, *COUNTERS, BUILD) for label in family.labels}
    assert not labels & {"campaign", "ref", "file", "media_id", "worker", "task_id"}
    assert all(len(values) < 30 for values in VALUES.values())
    assert len(scraper.samples()) < 250


def test_names_and_units_are_those_that_prometheus_asks_for() -> None:
    """Base units, `_total` for what is counted, lower case."""
    for family in (*GAUGES, *COUNTERS, UPLOAD_SECONDS):
        assert re.fullmatch(r"greenroom_[a-z_]+[a-z]", family.name)
        assert family.name.endswith("_total") == (family in COUNTERS)
        assert not re.search(r"milli|micro|minutes|hours|days|percent|bytes", family.name)
        assert family.help.endswith(".")


@pytest.mark.usefixtures("nothing_counted")
def test_counts_outlive_a_redis_that_is_away(world: World) -> None:
    """They go with a later heartbeat."""
    UPLOADS.add(CHANNEL, count=3)
    elsewhere = Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    away = Scraper(replace(world.context, redis=elsewhere)).samples()
    assert value(away, "greenroom_redis_up") == 0
    assert value(away, "greenroom_uploads_total", channel=CHANNEL) is None
    assert value(away, "greenroom_backlog_files", channel=CHANNEL, work="upload") == 0
    back = Scraper(world.context).samples()
    assert value(back, "greenroom_redis_up") == 1
    assert value(back, "greenroom_uploads_total", channel=CHANNEL) == 3
    assert COUNTS.take() == {}


def test_a_database_without_tables_is_one_that_does_not_answer(world: World, scraper: Scraper) -> None:
    """What workers counted is shown all the same, of the channels that were known."""
    UPLOADS.add(CHANNEL)
    assert value(scraper.samples(), "greenroom_database_up") == 1
    with world.database.write() as connection:
        connection.execute(text("ALTER TABLE lookup_failures RENAME TO hidden"))
    try:
        seen = scraper.samples()
    finally:
        with world.database.write() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO lookup_failures"))
    assert value(seen, "greenroom_database_up") == 0
    assert value(seen, "greenroom_uploads_total", channel=CHANNEL) == 1
    assert value(seen, "greenroom_campaigns_at_risk") is None


def test_no_key_is_in_what_is_shown(world: World, scraper: Scraper) -> None:
    """Nor a file's name."""
    accepted_item(world, "hero")
    assert CANARY_KEY not in scraper.text()
    assert "hero" not in scraper.text()
