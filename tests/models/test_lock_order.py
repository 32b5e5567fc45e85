"""Every task locks tables and rows in the one order of `models.locks`: no two can wait for each other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text, update

from greenroom.task_names import TaskName
from models import Base, Channel, Media
from models.channel import note_life
from models.locks import LOCK_ORDER
from models.lookups import book_failure
from models.manifest_items import lock_items
from models.media import lock_media
from models.references import check_references_again
from tasks.compare import compare
from tasks.estimate import estimate
from tasks.foresee import foresee
from tasks.mark_used import mark_dead, mark_used
from tasks.move import move
from tasks.report_error import report_error
from tasks.resolve import media_ids, resolve
from tasks.retry import retry
from tasks.status import rejected, status
from tasks.submit import begin_submission, end_submission, submit
from tests.models.lock_recorder import LockRecorder, step_of
from tests.support.harness import DAY, HOUR, Campaign, Harness
from tests.support.rows import ready_item
from tests.support.world import CHANNEL, World
from worker.checkout import CHECKOUT

#: What has to have been seen for the run to prove anything: one table waited for while another is held.
SEEN = {
    ("assets", "media"),
    ("assets", "items"),
    ("assets", "channels"),
    ("items", "callbacks"),
    ("items", "item_assets"),
    ("campaigns", "assets"),
    ("campaigns", "items"),
    ("media", "channels"),
    ("media", "items"),
    ("media", "lookup_failures"),
}


#: Seconds that anything here may wait for a lock.
PATIENCE = 30.0
SETTINGS = {"prune_after_days": 1, "callback_tasks": "crm.*"}
UNSENDABLE = [{"code": 131053, "title": "Unsupported type"}]


@pytest.fixture
def postgres(database_url: str) -> str:
    """On SQLite there is one writer at a time."""
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has one lock")
    return database_url


@pytest.fixture
def harness(postgres: str, tmp_path: Path) -> Iterator[Harness]:
    """Two numbers, and all that happens to them."""
    harness = Harness(postgres, tmp_path, random.Random(1), settings=SETTINGS)
    yield harness
    harness.close()


def test_every_task_keeps_the_order(harness: Harness) -> None:
    """Campaigns come, share files, move, are cancelled and pruned; sources, IDs and look-ups fail."""
    recorder = LockRecorder(harness.database)
    play(harness)
    assert recorder.violations == []
    assert set(TaskName) <= recorder.tasks
    assert recorder.edges >= SEEN
    assert all(LOCK_ORDER.index(first) < LOCK_ORDER.index(then) for first, then in recorder.edges)


def test_files_that_cannot_be_sent_are_given_up_in_that_order(harness: Harness) -> None:
    """All of a campaign at once, on both numbers."""
    files = {str(number): harness.make_file(f"file-{number}") for number in range(6)}
    for channel in harness.channels:
        harness.submit(f"of-{channel}", channel, files, send_in=DAY, keep=10 * DAY)
    harness.tick()
    recorder = LockRecorder(harness.database)
    at = harness.clock.now().isoformat()
    reports = [
        [channel, media_id, at, UNSENDABLE]
        for channel in harness.channels
        for media_id in resolve(harness.context, f"of-{channel}", list(files)).values()
    ]
    random.Random(1).shuffle(reports)
    assert report_error(harness.context, reports)["fault"] == 12
    assert recorder.violations == []
    assert recorder.edges == {("assets", "media")}


def test_channels_and_dates_that_change_at_once_keep_that_order(harness: Harness) -> None:
    """By a hand-over and by a manifest submitted again: what stays, what goes and what comes."""
    paths = [harness.make_file(f"file-{number}") for number in range(6)]
    one, two = harness.channels
    first = {"id": "on-both", "channels": [one], **dates_in(harness, 5 * DAY)}
    submit_all(harness, first, paths, "1")
    harness.tick()
    harness.tick()
    recorder = LockRecorder(harness.database)
    for number, channels in enumerate(([one, two], [two], [two, one], [one]), start=2):
        plan = {"id": "on-both", "channels": channels, **dates_in(harness, (number + 5) * DAY)}
        submit_all(harness, plan, paths, str(number))
        if number != 3:
            harness.tick()
            harness.tick()
    assert recorder.violations == []
    assert ("media", "items") in recorder.edges


def test_a_campaign_that_changes_both_does_not_wait_in_a_circle(harness: Harness) -> None:
    """Somebody has locked its media IDs, and wants its items then, as the order has it."""
    paths = [harness.make_file(f"file-{number}") for number in range(3)]
    one, two = harness.channels
    submit_all(harness, {"id": "on-both", "channels": [one], **dates_in(harness, 5 * DAY)}, paths, "1")
    harness.tick()
    harness.tick()
    plan = {"id": "on-both", "channels": [one, two], **dates_in(harness, 6 * DAY)}
    with ThreadPoolExecutor(1) as threads:
        with harness.database.write() as connection:
            lock_media(connection, named=[(one, media_id) for media_id in harness.live(one)])
            change = threads.submit(begin_submission, harness.context, plan, "2")
            wait_until_it_waits(harness, change)
            lock_items(connection, campaign_id="on-both", refs=None)
        assert change.result(PATIENCE)
    harness.tick()
    harness.tick()
    assert len(harness.live(one)) == len(harness.live(two)) == len(paths)


def wait_until_it_waits(harness: Harness, work: Future[Any]) -> None:
    """Until it waits for rows that somebody else has locked."""
    statement = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + PATIENCE
    while not work.done() and time.monotonic() < deadline:
        with harness.database.read() as connection:
            if connection.execute(statement).scalar_one():
                return
    raise AssertionError("it does not wait")


def dates_in(harness: Harness, send_in: timedelta) -> dict[str, str]:
    """A plan's dates."""
    send_at = harness.clock.now() + send_in
    return {"send_at": send_at.isoformat(), "keep_until": (send_at + DAY).isoformat()}


def submit_all(harness: Harness, plan: dict[str, Any], paths: list[Path], submission: str) -> None:
    """A manifest from its beginning to its end."""
    begun = begin_submission(harness.context, plan, submission)
    submit(harness.context, plan, [{"ref": path.name, "source": str(path)} for path in paths], begun)
    end_submission(harness.context, plan["id"], begun)


def play(harness: Harness) -> None:
    """Some weeks in which everything fails that locks more than its own row."""
    files = [harness.make_file(f"file-{number}") for number in range(12)]
    for number, channel in enumerate(harness.channels * 2):
        harness.submit(
            f"campaign-{number}",
            channel,
            {str(place): path for place, path in enumerate(files[number * 2 : number * 2 + 6])},
            send_in=5 * DAY,
            keep=(number + 1) * 10 * DAY,
        )
    later = {str(number): harness.make_file(f"later-{number}") for number in range(3)}
    harness.submit("later", harness.channels[0], later, send_in=20 * DAY, keep=5 * DAY)
    replace(harness, files[:4], files[2:6])
    change_channels(harness, files[3:9])
    for ask in (status, rejected, media_ids):
        ask(harness.context, "campaign-1")
    foresee(harness.context)
    dates = {name: (harness.clock.now() + DAY).isoformat() for name in ("send_at", "keep_until")}
    compare(harness.context, "campaign-1", [{"ref": "0", "source": str(files[0])}])
    estimate(harness.context, {"id": "new", "channel": harness.channels[0], **dates}, 9)
    retry(harness.context, "campaign-1")
    days(harness, 1)
    harness.move("campaign-0", send_in=4 * DAY, keep=20 * DAY)
    moved = harness.campaigns["campaign-0"]
    move(harness.context, moved.id, (moved.send_at + HOUR).isoformat(), moved.keep_until.isoformat())
    days(harness, 1)
    for channel in harness.channels:
        for media_id in harness.live(channel)[:3]:
            harness.kill(media_id)
    days(harness, 9)
    for channel in harness.channels:
        for media_id in harness.live(channel)[:2]:
            harness.kill(media_id)
    # Renewals find these gone or changed, and ask for the provider's copies, of which two are dead.
    for path in files[2:7]:
        harness.vanish(path)
    harness.change(files[7])
    harness.change(files[8])
    harness.provider.lose_answers = 1
    days(harness, 22)
    harness.cancel("campaign-3")
    days(harness, 12)


def replace(harness: Harness, *manifests: list[Path]) -> None:
    """A campaign that is submitted several times, each time with other files, which others have too."""
    now = harness.clock.now()
    dates = {"send_at": (now + 5 * DAY).isoformat(), "keep_until": (now + 10 * DAY).isoformat()}
    callback = {"task": "crm.campaign_ready"}
    plan = {"id": "replaced", "channel": harness.channels[0], "callback": callback, **dates}
    for number, files in enumerate(manifests):
        submission = begin_submission(harness.context, plan, str(number))
        items = [{"ref": path.name, "source": str(path)} for path in files]
        submit(harness.context, plan, items, submission)
        end_submission(harness.context, "replaced", submission)
        harness.tick()
        harness.tick()
    assert len(harness.called_back) == len(manifests)


def change_channels(harness: Harness, files: list[Path]) -> None:
    """One campaign on both numbers, on each of them alone, and on both again while it is looked at."""
    send_at = harness.clock.now() + 5 * DAY
    dates = {"send_at": send_at.isoformat(), "keep_until": (send_at + DAY).isoformat()}
    one, two = harness.channels
    for number, channels in enumerate(([two, one], [one], [one, two], [two])):
        plan = {"id": "on-both", "channels": channels, **dates}
        items = [{"ref": path.name, "source": str(path)} for path in files[: 4 + number]]
        submission = begin_submission(harness.context, plan, str(number))
        submit(harness.context, plan, items, submission)
        end_submission(harness.context, "on-both", submission)
        if number != 2:
            harness.tick()


def days(harness: Harness, number: int) -> None:
    """Beat's ticks, and the messages that are sent."""
    for _ in range(number):
        harness.clock.advance(23 * HOUR)
        harness.lose_next = True
        harness.tick()
        harness.clock.advance(HOUR)
        for campaign in harness.campaigns.values():
            send(harness, campaign)
        harness.tick()


def send(harness: Harness, campaign: Campaign) -> None:
    """What a scheduler asks and reports."""
    if campaign.cancelled or harness.clock.now() >= campaign.keep_until:
        return
    for read in (status, rejected, media_ids):
        read(harness.context, campaign.id)
    found = resolve(harness.context, campaign.id, list(campaign.files)).values()
    reports = [[campaign.channel, media_id, harness.clock.now().isoformat()] for media_id in found]
    random.Random(1).shuffle(reports)
    mark_used(harness.context, reports)
    mark_dead(harness.context, [report for report in reports if report[1] in harness.deaths][:2])
    # Of an ID that nobody knows: files that are given up would be missed in what follows.
    report_error(
        harness.context, [[campaign.channel, "unheard-of", reports[0][2], UNSENDABLE]] if reports else []
    )


Bad = Callable[[Connection], object]


def media_before_assets(connection: Connection) -> None:
    """Waits for a table that comes before one that it holds."""
    note_life(connection, CHANNEL, timedelta(days=1))
    lock_media(connection, named=[(CHANNEL, "a")])


def rows_in_no_order(connection: Connection) -> None:
    """Writes several rows that it has not locked before."""
    connection.execute(update(Media).values(delete_attempts=1))


def a_row_after_one_behind_it(connection: Connection) -> None:
    """One after the other, from behind."""
    for media_id in ("b", "a"):
        connection.execute(update(Media).where(Media.media_id == media_id).values(delete_attempts=1))


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (media_before_assets, "media is waited for with rows of channels held"),
        (rows_in_no_order, "2 rows of media are locked in no order"),
        (a_row_after_one_behind_it, "a row of media is waited for after one behind it"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_recorder_sees_what_is_wrong(postgres: str, world: World, bad: Bad, complaint: str) -> None:
    """It is asked of the database, and not read from the statements alone."""
    ready_item(world, "a", media_id="a")
    ready_item(world, "b", media_id="b")
    recorder = LockRecorder(world.database)
    with world.database.write() as connection:
        bad(connection)
    assert [complaint in violation for violation in recorder.violations] == [True]
    assert postgres


def test_the_recorder_has_nothing_against_the_order(postgres: str, world: World) -> None:
    """Nor against what is locked already."""
    assets = [ready_item(world, name, media_id=name) for name in "ab"]
    recorder = LockRecorder(world.database)
    with world.database.write() as connection:
        check_references_again(connection, assets, now=world.clock.now())
        rows_in_no_order(connection)
        assert book_failure(connection, CHANNEL, now=world.clock.now()) is not None
        connection.execute(update(Channel).values(early_deaths=1))
    assert recorder.violations == []
    assert recorder.edges == {("media", "channels")}
    assert postgres


def test_every_table_has_its_place() -> None:
    """A new one is asked for its own; and the page says what the code does."""
    assert set(LOCK_ORDER) == set(Base.metadata.tables)
    page = (CHECKOUT / "docs" / "explanation" / "claims.md").read_text(encoding="utf-8")
    assert f"```text\n{', '.join(LOCK_ORDER)}\n```" in page


CASES = [
    ("SELECT a.id FROM media a", ("", (), False)),
    ("SELECT media.id FROM media ORDER BY media.id FOR NO KEY UPDATE", ("SELECT", ("media",), True)),
    ("SELECT 1 FROM media JOIN assets FOR UPDATE OF media SKIP LOCKED", ("SELECT", ("media",), False)),
    ("WITH c AS (SELECT id FROM assets FOR UPDATE) UPDATE assets SET x", ("UPDATE", ("assets",), True)),
    (
        "WITH c AS (SELECT id FROM assets FOR UPDATE SKIP LOCKED) UPDATE assets SET x",
        ("UPDATE", ("assets",), False),
    ),
    ("UPDATE items SET x", ("UPDATE", ("items",), True)),
    ("DELETE FROM items WHERE x", ("DELETE", ("items",), True)),
    ("INSERT INTO items VALUES (1)", ("INSERT", ("items",), False)),
    ("INSERT INTO items VALUES (1) ON CONFLICT (id) DO UPDATE SET x", ("INSERT", ("items",), True)),
]


@pytest.mark.parametrize(("statement", "does"), CASES)
def test_what_a_statement_does(statement: str, does: tuple[str, tuple[str, ...], bool]) -> None:
    """As far as the order is concerned."""
    step = step_of(statement)
    assert (step.verb, step.tables, step.waits) == does
