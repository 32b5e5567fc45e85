"""Start uploads: begin the uploads of campaigns whose date for that has come."""

from __future__ import annotations

from celery import shared_task

from greenroom.figures import counted
from greenroom.task_names import TaskName
from models.upload_start import begin_uploads, campaigns_to_start
from tasks.runtime.announcements import Message, announce
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask

#: Campaigns whose uploads begin in one tick.
STARTS_A_TICK = 100


def start_uploads(context: Context) -> int:
    """Begin what is due, each campaign in a transaction of its own; returns how many campaigns."""
    with context.database.read() as connection:
        due = campaigns_to_start(connection, now=context.clock.now(), limit=STARTS_A_TICK)
    started = 0
    for campaign_id in due:
        with context.database.write() as connection:
            started += begin_uploads(connection, campaign_id, now=context.clock.now())
    if started:
        summary = f"the uploads of {started} campaigns begin"
        announce(context, Message(name=TaskName.DISPATCH, args=[], summary=summary))
    return started


@shared_task(base=ReportingTask, name=TaskName.START_UPLOADS)
def start_uploads_task() -> str:
    """Begin the uploads of campaigns whose date has come."""
    started = start_uploads(current_context())
    return f"began the uploads of {counted(started, 'campaign')}" if started else ""
