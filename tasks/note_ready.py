"""Note ready: find campaigns that have been judged or are ready, and write the call-backs that they want.

What is to be told is written in one transaction with the note that it was, with the campaign held: nobody can
change its manifest in between, and no crash loses or repeats it. :mod:`tasks.deliver` delivers it.
"""

from __future__ import annotations

import logging
from datetime import datetime

from celery import shared_task
from sqlalchemy import Connection

from greenroom.callbacks.payload import CallbackEvent, CallbackPayload
from greenroom.figures import counted
from greenroom.log_fields import about
from greenroom.task_names import TaskName
from models.callback import CallbackStage, WatchedCampaign, set_stage, watched_campaigns
from models.campaign import hold_campaign
from models.outbox import anything_due, latest_number, put_in_outbox
from models.settling import campaigns_to_look_at, find_unsettled, rejected_count
from tasks.runtime.announcements import announce_delivery
from tasks.runtime.callback_payload import payload_of
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask

logger = logging.getLogger(__name__)

#: Campaigns that one tick looks at closely.
CAMPAIGNS_A_TICK = 100


def note_ready(context: Context) -> int:
    """Write call-backs of what has come about since the last tick; returns how many.

    Delivery of what is due, those that failed before among them, is asked for.
    """
    now = context.clock.now()
    with context.database.read() as connection:
        found = campaigns_to_look_at(connection, now=now, limit=CAMPAIGNS_A_TICK)
    written = 0
    for campaign_id in found:
        written += _note_judged(context, campaign_id)
        written += _note_settled(context, campaign_id)
    with context.database.read() as connection:
        due = anything_due(connection, now=context.clock.now())
    if due:
        announce_delivery(context, why="call-backs are due")
    return written


def _watched(
    connection: Connection, campaign_id: str, stage: CallbackStage, now: datetime
) -> WatchedCampaign | None:
    """The campaign, if it waits for just this."""
    watched = watched_campaigns(connection, [campaign_id], now=now).get(campaign_id)
    return watched if watched is not None and watched.stage is stage else None


def _note_judged(context: Context, campaign_id: str) -> int:
    """Say what inspection did not take, once nothing waits for it, and if it is more than was said before."""
    now = context.clock.now()
    with context.database.write() as connection:
        hold_campaign(connection, campaign_id, shared=False)
        watched = _watched(connection, campaign_id, CallbackStage.JUDGING, now)
        rejected = None if watched is None else rejected_count(connection, campaign_id)
        if watched is None or rejected is None:
            return 0
        set_stage(connection, watched, CallbackStage.UPLOADING)
        event = CallbackEvent.REJECTED
        if rejected <= latest_number(connection, watched, event):
            return 0
        return _write(connection, payload_of(connection, watched, event, now=now), number=rejected)


def _note_settled(context: Context, campaign_id: str) -> int:
    """Say that the campaign is ready, if it is; else note what it waits for."""
    now = context.clock.now()
    # Without holding it: all items of a large one are looked at.
    with context.database.read() as connection:
        before = _watched(connection, campaign_id, CallbackStage.UPLOADING, now)
        if before is None:
            return 0
        unsettled = find_unsettled(connection, campaign_id, now=now, further=before.further_channels)
        ready = None if unsettled else payload_of(connection, before, CallbackEvent.READY, now=now)
    with context.database.write() as connection:
        hold_campaign(connection, campaign_id, shared=False)
        # Whoever changed its manifest meanwhile has set it back.
        watched = _watched(connection, campaign_id, CallbackStage.UPLOADING, now)
        if watched != before:
            return 0
        if ready is None:
            set_stage(connection, before, CallbackStage.UPLOADING, unsettled_item=unsettled)
            return 0
        set_stage(connection, before, CallbackStage.TOLD)
        return _write(connection, ready, number=0)


def _write(connection: Connection, payload: CallbackPayload, *, number: int) -> int:
    written = put_in_outbox(connection, payload, number=number)
    if written:
        data = payload.data
        fields = about(campaign=data.campaign_id, channel=data.channel)
        logger.info(
            "Campaign %s, version %d: %s.", data.campaign_id, data.version, payload.type, extra=fields
        )
    return int(written)


@shared_task(base=ReportingTask, name=TaskName.NOTE_READY)
def note_ready_task() -> str:
    """Write call-backs of what has come about."""
    written = note_ready(current_context())
    return f"wrote {counted(written, 'call-back')}" if written else ""
