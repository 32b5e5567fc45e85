"""Resolve: the live media IDs of a campaign's refs, for schedulers that do not read the database."""

from __future__ import annotations

from collections.abc import Sequence

from celery import shared_task

from greenroom.task_names import TaskName
from models import media_reports
from models.campaign import get_campaign
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import Context, current_context


def resolve(context: Context, campaign_id: str, refs: Sequence[str]) -> dict[str, str]:
    """The live media ID of each ref; a ref without one is left out.

    Raises:
        UnknownName: there is no such campaign.
        TransientError: the database is away.
    """
    with context.database.read() as connection:
        get_campaign(connection, campaign_id)
        return media_reports.live_media_ids(connection, campaign_id, refs=refs, now=context.clock.now())


@shared_task(base=CheckedTask, name=TaskName.RESOLVE, ignore_result=False)
def resolve_task(campaign_id: str, refs: Sequence[str]) -> dict[str, str]:
    """Return live media IDs."""
    return resolve(current_context(), campaign_id, refs)
