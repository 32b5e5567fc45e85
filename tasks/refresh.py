"""Refresh: send needed assets round again before their media ID ends; the old one serves until then."""

from __future__ import annotations

from celery import shared_task

from greenroom.clock import Clock
from greenroom.figures import counted
from greenroom.task_names import TaskName
from models import Database
from models.life_rules import RulesOf
from models.retention import channels_with_other_rules, queue_refreshes, work_out_anew
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask

#: IDs looked at in one transaction, and transactions in one tick.
REFRESH_CHUNK = 500
REFRESH_CHUNKS_A_TICK = 20


def refresh(context: Context) -> int:
    """Queue what is due; returns how many. Uploads of campaigns go first, see `models.asset.Priority`."""
    follow_rules(context.database, rules_of=context.settings.life_rules, clock=context.clock)
    queued = 0
    for _ in range(REFRESH_CHUNKS_A_TICK):
        with context.database.write() as connection:
            found = queue_refreshes(
                connection, now=context.clock.now(), rules_of=context.settings.life_rules, limit=REFRESH_CHUNK
            )
        queued += found["queued"]
        if found["looked"] < REFRESH_CHUNK:
            break
    return queued


def follow_rules(database: Database, *, rules_of: RulesOf, clock: Clock) -> None:
    """Work out the moments of all IDs anew where a setting, or a channel's life, is another one by now."""
    with database.read() as connection:
        changed = channels_with_other_rules(connection, rules_of=rules_of)
    for channel_id, rules in changed.items():
        after: int | None = 0
        while after is not None:
            with database.write() as connection:
                after = work_out_anew(connection, channel_id, rules, after=after, now=clock.now())


@shared_task(base=ReportingTask, name=TaskName.REFRESH)
def refresh_task() -> str:
    """Queue media that near their end."""
    queued = refresh(current_context())
    return f"queued {counted(queued, 'file')} to be uploaded again before the media ID ends" if queued else ""
