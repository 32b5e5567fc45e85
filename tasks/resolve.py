"""Resolve, media IDs: a campaign's live media IDs, for schedulers that do not read the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import shared_task

from greenroom.answers import MediaIdsPage
from greenroom.task_names import TaskName
from models import media_reports
from models.campaign import get_campaign
from models.item_pages import media_ids_by_ref
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


def media_ids(context: Context, campaign_id: str, after: str = "") -> MediaIdsPage:
    """Some of all the live media IDs of a campaign, and where the next begin.

    Args:
        context: the world.
        campaign_id: whose.
        after: what the last page ended with.

    Raises:
        UnknownName: there is no such campaign.
        TransientError: the database is away.
    """
    with context.database.read() as connection:
        get_campaign(connection, campaign_id)
        found, last = media_ids_by_ref(connection, campaign_id, after=after, now=context.clock.now())
    return MediaIdsPage(media_ids=found, after=last)


@shared_task(base=CheckedTask, name=TaskName.RESOLVE, ignore_result=False)
def resolve_task(campaign_id: str, refs: Sequence[str]) -> dict[str, str]:
    """Return live media IDs."""
    return resolve(current_context(), campaign_id, refs)


@shared_task(base=CheckedTask, name=TaskName.MEDIA_IDS, ignore_result=False)
def media_ids_task(campaign_id: str, after: str = "") -> dict[str, Any]:
    """Return live media IDs, a page of all."""
    return media_ids(current_context(), campaign_id, after).model_dump(mode="json")
