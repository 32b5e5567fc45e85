"""Schedulers that do things twice, by halves, or all at once; and a broker that delivers twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import cycle, islice

from sqlalchemy import func, select

from benchmarks.chaos.campaign import Scheduler, Wave, plan_of
from benchmarks.chaos.observation import known
from benchmarks.chaos.points import set_twice
from benchmarks.chaos.run import BOTH, Problem, Run, fault
from benchmarks.chaos.services import until
from models import Media
from models.cancellation import cancel_campaign

REPORTS = 100_000
#: Seconds that all reports may take to be written down.
REPORT_PATIENCE = 60.0
#: Seconds for which messages are there twice.
TWICE_SECONDS = 6.0


@fault("scheduler", "the same hand-over three times at once", on=BOTH)
def at_once(run: Run) -> None:
    """By three schedulers that know nothing of each other."""
    again = [Scheduler(stack=run.stack) for _ in range(3)]
    for scheduler in again:
        scheduler.begin(run.second_waves)
    if not all(scheduler.wait(30.0) for scheduler in again):
        raise Problem("a hand-over was not acknowledged")


@fault("scheduler", "a hand-over broken off in the middle")
def broken_off(run: Run) -> None:
    """Killed while it hands over; whoever is started in its place hands over all."""
    script = (
        "import sys, json; from greenroom.client import Greenroom; from greenroom import manifest;"
        "plan, items = json.load(sys.stdin); print('begun', flush=True);"
        "Greenroom(sys.argv[1]).add_items(manifest.parse_plan(plan), manifest.parse_items(items))"
    )
    waves = []
    for channel in run.channels:
        wave = Wave(plan=plan_of(f"{channel.id}-broken", channel), files=run.files)
        whole = [item.model_dump(mode="json", exclude_none=True) for item in wave.items()]
        body = json.dumps([wave.plan.model_dump(mode="json"), whole]).encode()
        with subprocess.Popen(
            [sys.executable, "-c", script, run.stack.settings.celery_broker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise AssertionError("both were asked for")
            process.stdin.write(body)
            process.stdin.close()
            process.stdout.readline()
            time.sleep(run.chance.uniform(0.0, 0.2))
            process.kill()
        waves.append(wave)
    run.third.begin(waves)


@fault("scheduler", "campaigns moved and cancelled in mid-run")
def move_and_cancel(run: Run) -> None:
    """One is sent later than planned, one not at all."""
    moved, cancelled = run.channels[0], run.channels[1]
    client = run.stack.client()
    try:
        wave = Wave(plan=plan_of(f"{moved.id}-first", moved, hours=5), files=run.files[: run.fault.first])
        client.add_items(wave.plan, wave.items())
    finally:
        client.close()
    campaign = f"{cancelled.id}-first"
    with run.stack.database.write() as connection:
        cancel_campaign(connection, campaign, now=datetime.now(UTC))
    run.forgiven.add(campaign)


@fault("scheduler", "100,000 reports of use at once")
def report(run: Run) -> None:
    """Of the few IDs that there are, again and again; all of them are written down."""
    recorded = known(run.stack.database, run.channels).media_ids
    ids = [(channel, media_id) for channel, media in recorded.items() for media_id in media]
    now = datetime.now(UTC)
    client = run.stack.client()
    try:
        client.mark_used((channel, media_id, now) for channel, media_id in islice(cycle(ids), REPORTS))
    finally:
        client.close()
    until(lambda: _used(run) >= len(ids), "all reports are written down", patience=REPORT_PATIENCE)


def _used(run: Run) -> int:
    ids = [channel.id for channel in run.channels]
    with run.stack.database.read() as connection:
        statement = (
            select(func.count())
            .select_from(Media)
            .where(Media.channel_id.in_(ids), Media.last_used_at.is_not(None))
        )
        return connection.execute(statement).scalar_one()


@fault("scheduler", "every message delivered twice")
def twice(run: Run) -> None:
    """Those of workers, of beat, and of the scheduler."""
    run.control("twice")
    set_twice(run.stack.controls)
    run.third.begin(run.waves("third", run.files[: run.fault.first]))
    time.sleep(TWICE_SECONDS)
