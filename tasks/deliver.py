"""Deliver: send call-backs that are due, by HTTP or as tasks; what fails comes again later, with back-off.

Each is leased before it is sent, and noted as delivered afterwards. A worker that dies in between leaves the
lease, and it is sent once more when that is over, under the same ID, by which its receiver knows it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import timedelta

from celery import shared_task
from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from sqlalchemy import Connection

from greenroom.errors import CallbackFailed, CallbackUnwanted
from greenroom.figures import counted
from greenroom.log_fields import about
from greenroom.redis_client import is_lost_connection
from greenroom.task_names import TaskName
from models.outbox import DueCallback, claim_due, give_up_delivery, postpone_delivery, record_delivery
from tasks.runtime.announcements import OutsideTask, begins
from tasks.runtime.backoff import backoff
from tasks.runtime.context import OTHER_THREADS, Context, current_context
from tasks.runtime.reporting_task import ReportingTask

logger = logging.getLogger(__name__)

#: Call-backs that are sent at once, and for how long they are nobody else's: longer than any of them takes.
AT_ONCE = OTHER_THREADS
LEASE = timedelta(minutes=1)
#: One run begins nothing new after so long; the next one continues.
TICK = timedelta(seconds=50)
#: The longest pause between two attempts, and after how long a last one has been made.
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=3)


def deliver(context: Context) -> int:
    """Send what is due; returns how many were delivered."""
    begins(context, TaskName.DELIVER)
    began = context.clock.now()
    #: What was said by receivers that failed in this run: nobody waits for them twice.
    failed: dict[str, str] = {}
    delivered = 0
    in_flight: set[Future[bool]] = set()
    more = True
    while more or in_flight:
        more = more and context.clock.now() - began < TICK and not context.stopping.is_set()
        if more:
            with context.database.write() as connection:
                room = AT_ONCE - len(in_flight)
                due = claim_due(connection, now=context.clock.now(), lease=LEASE, limit=room)
            in_flight.update(context.other_threads.submit(_deliver_one, context, one, failed) for one in due)
            more = len(due) == room
        # One that a receiver keeps waiting holds up no other.
        ended, in_flight = wait(in_flight, return_when=FIRST_COMPLETED)
        delivered += sum(one.result() for one in ended)
    return delivered


def _deliver_one(context: Context, due: DueCallback, failed: dict[str, str]) -> bool:
    """Send one, unless its receiver has just failed; returns whether it was delivered."""
    try:
        _send(context, due, failed)
    except CallbackUnwanted as error:
        _give_up(context, due, str(error))
    except CallbackFailed as error:
        failed.setdefault(due.target.receiver, str(error))
        _postpone(context, due, error)
    else:
        now = context.clock.now()
        _write(context, lambda connection: record_delivery(connection, due.id, now=now))
        return True
    return False


def _send(context: Context, due: DueCallback, failed: dict[str, str]) -> None:
    refused = failed.get(due.target.receiver) or context.callbacks.refusal(due.target)
    if refused is not None:
        raise CallbackFailed(refused)
    if due.target.url is not None:
        context.callbacks.post(due.target.url, due.id, due.body.encode())
        return
    _publish(context, due, due.target.task or "")


def _publish(context: Context, due: DueCallback, name: str) -> None:
    task = OutsideTask(
        name=name,
        queue=due.target.queue,
        payload=json.loads(due.body),
        id=due.id,
        summary=f"campaign {due.campaign_id}: {due.event}",
    )
    try:
        context.publish_outside(task)
    except (KombuError, RedisError, OSError) as error:
        raise CallbackFailed(f"The broker did not take task {name}.") from error
    except AttributeError as error:
        if not is_lost_connection(error):
            raise
        raise CallbackFailed(f"The broker was lost while it was sent task {name}.") from error


def _postpone(context: Context, due: DueCallback, error: CallbackFailed) -> None:
    now = context.clock.now()
    if now - due.created_at >= GIVE_UP_AFTER:
        _give_up(context, due, str(error))
        return
    longest = LONGEST_PAUSE.total_seconds()
    until = now + backoff(due.attempts, asked=error.retry_after, longest=longest)
    fields = about(campaign=due.campaign_id)
    logger.warning("Call-back %s of campaign %s waits: %s", due.event, due.campaign_id, error, extra=fields)
    _write(context, lambda connection: postpone_delivery(connection, due, until=until, failure=str(error)))


def _give_up(context: Context, due: DueCallback, failure: str) -> None:
    now = context.clock.now()
    fields = about(campaign=due.campaign_id)
    logger.error(
        "Call-back %s of campaign %s is given up: %s", due.event, due.campaign_id, failure, extra=fields
    )
    _write(context, lambda connection: give_up_delivery(connection, due.id, now=now, failure=failure))


def _write(context: Context, note: Callable[[Connection], object]) -> None:
    with context.database.write() as connection:
        note(connection)


@shared_task(base=ReportingTask, name=TaskName.DELIVER)
def deliver_task() -> str:
    """Send call-backs that are due."""
    delivered = deliver(current_context())
    return f"delivered {counted(delivered, 'call-back')}" if delivered else ""
