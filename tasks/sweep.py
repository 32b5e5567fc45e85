"""Sweep: put back what a worker had claimed when it died.

Each claim has a lease, which its worker renews every few seconds. Beat's tick puts back the claims whose
lease is over. A worker whose heartbeat in Redis stands still (:mod:`tasks.runtime.heartbeat`) is dead, and
its claims are put back at once. Either way a new token makes the old claim void: what the old worker still
says of it is not heard. A file that was being uploaded may have arrived: it is counted as a possible orphan
(an ID at the provider that nobody has) and as an attempt, of which it has ``GREENROOM_MAX_ATTEMPTS`` until
it is given up (:func:`models.asset_claims.sweep_assets`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from celery import shared_task
from redis.exceptions import RedisError
from sqlalchemy import Connection

from greenroom.clock import EARLIEST, LATEST
from greenroom.counters import RECOVERED
from greenroom.errors import DatabaseUnavailable
from greenroom.figures import counted
from greenroom.task_names import TaskName
from models.asset_claims import sweep_assets
from models.item_claims import sweep_items
from models.locks import wait_for_claims
from models.statistics import refresh_statistics
from tasks.runtime.announcements import Message, announce
from tasks.runtime.behind import moment_of_redis
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask
from tasks.runtime.sentences import what_was_done

logger = logging.getLogger(__name__)

#: Rows put back in one transaction.
SWEEP_CHUNK = 500
#: Set while claims may have lapsed for no fault of their workers.
NOT_RENEWED = "greenroom:claims-could-not-be-renewed"
#: Seconds for which it is set: a living worker renews within three, and beat's next tick sets it anew.
RENEWING_SECONDS = 15


def sweep(context: Context) -> dict[str, int]:
    """Put back lapsed claims; returns how many inspections and uploads.

    A claim that lapsed while nobody could write to the database says nothing about its worker. So a sweep
    that finds the database away, or the tables locked, says so, and those that follow soon leave all claims
    alone: the living renew theirs first, and send nothing twice.

    Raises:
        DatabaseUnavailable: it is away, or somebody has locked the tables; the next tick tries again.
    """
    _refresh_statistics(context)
    try:
        inspections, uploads = _put_back(context, _put_back_lapsed, whose="silent")
    except DatabaseUnavailable:
        claims_could_not_be_renewed(context)
        raise
    return {"inspections": inspections, "uploads": uploads}


def claims_could_not_be_renewed(context: Context, *, seconds: float = RENEWING_SECONDS) -> None:
    """Have all lapsed claims left alone for a while: nobody could write to the database, say."""
    with suppress(RedisError):
        context.redis.set(NOT_RENEWED, "1", ex=round(seconds))


def put_back_claims_of(context: Context, silent: Sequence[str]) -> None:
    """Put back what these workers have claimed, who are dead, whatever their leases say.

    Raises:
        DatabaseUnavailable: it is away, or somebody has locked the tables.
    """

    def put_back(context: Context, connection: Connection) -> tuple[int, int]:
        # No lease ends before this moment.
        return _chunk(context, connection, now=EARLIEST, silent=silent)

    inspections, uploads = _put_back(context, put_back, whose="dead")
    if inspections or uploads:
        logger.warning(
            "Workers are gone: %d inspections and %d uploads of theirs are back.", inspections, uploads
        )


def _put_back(
    context: Context, put_back: Callable[[Context, Connection], tuple[int, int]], *, whose: str
) -> tuple[int, int]:
    """Put claims back, a chunk in each transaction, and ask for a dispatch: how many inspections, uploads."""
    inspections = uploads = 0
    while True:
        with context.database.write_briefly() as connection:
            items, assets = put_back(context, connection)
        inspections, uploads = inspections + items, uploads + assets
        if max(items, assets) < SWEEP_CHUNK:
            break
    if inspections or uploads:
        RECOVERED.add("inspection", count=inspections)
        RECOVERED.add("upload", count=uploads)
        summary = f"{inspections + uploads} files of {whose} workers are back"
        announce(context, Message(name=TaskName.DISPATCH, args=[], summary=summary))
    return inspections, uploads


def _put_back_lapsed(context: Context, connection: Connection) -> tuple[int, int]:
    # Asked with the locks had: whoever waited for them before has said that they were held.
    wait_for_claims(connection)
    may_be_renewed, redis_now = _ask_redis(context)
    if may_be_renewed:
        return 0, 0
    return _chunk(context, connection, now=min(context.clock.now(), redis_now))


def _chunk(
    context: Context, connection: Connection, *, now: datetime, silent: Sequence[str] = ()
) -> tuple[int, int]:
    most = context.settings.max_attempts
    return (
        sweep_items(connection, now=now, max_attempts=most, limit=SWEEP_CHUNK, silent=silent),
        sweep_assets(connection, now=now, max_attempts=most, limit=SWEEP_CHUNK, silent=silent),
    )


def _ask_redis(context: Context) -> tuple[bool, datetime]:
    """Whether the living have not had the time to renew what lapsed, and Redis's time.

    A lease is over when it is so by both clocks: a worker whose own has jumped ahead would put back what all
    others work on.
    """
    try:
        pipeline = context.redis.pipeline(transaction=False)
        pipeline.exists(NOT_RENEWED)
        pipeline.time()
        not_renewed, redis_time = pipeline.execute()
    except RedisError:
        return False, LATEST
    return bool(not_renewed), moment_of_redis(context.clock, redis_time)


def _refresh_statistics(context: Context) -> None:
    """What follows finds its rows by index then; see `models.statistics`."""
    try:
        with context.database.write_briefly() as connection:
            refresh_statistics(connection)
    except DatabaseUnavailable as error:
        # Most often the server makes them itself at this moment.
        logger.info("Statistics were not made: %s", error)


@shared_task(base=ReportingTask, name=TaskName.SWEEP)
def sweep_task() -> str:
    """Put back what silent workers had claimed."""
    back = sweep(current_context())
    inspections, uploads = back["inspections"], back["uploads"]
    done = {counted(inspections, "inspection"): inspections, counted(uploads, "upload"): uploads}
    return f"put back {what} of silent workers" if (what := what_was_done(done)) else ""
