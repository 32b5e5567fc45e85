"""Move, cancel: a campaign is sent at another time, or not at all."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from greenroom.manifest import CampaignPlan, parse_moment
from greenroom.task_names import TaskName
from models.campaign import get_campaign
from models.cancellation import cancel_campaign
from models.moving import save_and_move
from tasks.prepare import look_up
from tasks.runtime.announcements import announce_dispatch
from tasks.runtime.checked_task import CheckedTask, until_done
from tasks.runtime.context import Context, current_context


def move(
    context: Context, campaign_id: str, send_at: str, keep_until: str, upload_from: str | None = None
) -> None:
    """Give a campaign other dates; its items and what they wait for follow. The same dates change nothing.

    Args:
        context: the world.
        campaign_id: which.
        send_at: a moment, in ISO 8601 with a zone; so are the others.
        keep_until: until when its media are kept alive.
        upload_from: from when they are uploaded; None for the operator's setting.

    Raises:
        UnknownName: there is no such campaign.
        ManifestError: a moment is none, or has no zone.
        Misuse: it was cancelled, or would be over already, or would end before it is sent.
        TransientError: the database is away; nothing was written.
    """
    with context.database.read() as connection:
        channels = get_campaign(connection, campaign_id).channels
    plan = CampaignPlan(
        id=campaign_id,
        channels=channels,
        send_at=parse_moment(send_at),
        keep_until=parse_moment(keep_until),
        upload_from=None if upload_from is None else parse_moment(upload_from),
    )
    with context.database.write() as connection:
        begin, *_ = look_up(context, connection, plan)
        save_and_move(connection, plan, upload_from=begin, now=context.clock.now())
    announce_dispatch(context, why=f"campaign {campaign_id} was moved")


def cancel(context: Context, campaign_id: str) -> None:
    """Say that a campaign needs nothing any more. Once more changes nothing.

    Raises:
        UnknownName: there is no such campaign.
        TransientError: the database is away; nothing was written.
    """
    with context.database.write() as connection:
        cancel_campaign(connection, campaign_id, now=context.clock.now())


@shared_task(base=CheckedTask, name=TaskName.MOVE, bind=True, max_retries=None, ignore_result=False)
def move_task(
    self: Task[Any, Any], campaign_id: str, send_at: str, keep_until: str, upload_from: str | None = None
) -> None:
    """Give a campaign other dates."""
    until_done(self, lambda: move(current_context(), campaign_id, send_at, keep_until, upload_from))


@shared_task(base=CheckedTask, name=TaskName.CANCEL, bind=True, max_retries=None, ignore_result=False)
def cancel_task(self: Task[Any, Any], campaign_id: str) -> None:
    """Cancel a campaign."""
    until_done(self, lambda: cancel(current_context(), campaign_id))
