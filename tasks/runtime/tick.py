"""Beat's tick: one look at the database says what there is to do, and only that is asked for.

An installation that has nothing to do gets one message every few seconds, and nothing else.
"""

from __future__ import annotations

from contextlib import suppress

from redis.exceptions import RedisError

from greenroom.errors import DatabaseUnavailable
from greenroom.task_names import TICK_SECONDS, TaskName
from models.due import Due, what_is_due
from tasks.runtime.announcements import Message, announce
from tasks.runtime.context import Context
from tasks.sweep import claims_could_not_be_renewed

#: Where the last tick of beat is noted, for `greenroom doctor`.
HEARTBEAT = "greenroom:beat"
#: Seconds for which what a tick has asked for is not asked for again, where beat ticks more often than every
#: `TICK_SECONDS`: less than these, for no tick comes exactly on time.
NOT_AGAIN_SECONDS = TICK_SECONDS - 1.0


def look_round(context: Context) -> Due:
    """Note that beat ticks, and ask for what is due beside dispatch.

    Raises:
        DatabaseUnavailable: it is away, or somebody has locked the tables; the next tick looks again.
    """
    # Redis may be away: files can be looked at all the same.
    with suppress(RedisError):
        context.redis.set(HEARTBEAT, context.clock.now().isoformat())
    try:
        with context.database.read_briefly() as connection:
            due = what_is_due(connection, now=context.clock.now())
    except DatabaseUnavailable:
        # Whoever has claims could not keep them either.
        claims_could_not_be_renewed(context)
        raise
    if due.claims:
        _ask_seldom(context, TaskName.SWEEP, "somebody has claims")
    if due.starts:
        announce(context, _message(TaskName.START_UPLOADS, "the date of campaigns has come"))
    if due.callbacks:
        _ask_seldom(context, TaskName.NOTE_READY, "campaigns want to be told")
    return due


def _ask_seldom(context: Context, name: TaskName, why: str) -> None:
    """Ask for a task, unless a tick did so just now."""
    try:
        first = context.redis.set(
            f"greenroom:ticked:{name}", "1", nx=True, px=round(NOT_AGAIN_SECONDS * 1000)
        )
    except RedisError:
        first = True
    if first:
        announce(context, _message(name, why))


def _message(name: TaskName, why: str) -> Message:
    return Message(name=name, args=[], summary=why)
