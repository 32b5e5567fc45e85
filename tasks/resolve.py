"""Resolve, media IDs: a campaign's live media IDs, for schedulers that do not read the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import shared_task

from greenroom.answers import MediaIdsPage
from greenroom.errors import Misuse, UnknownName
from greenroom.manifest import parse_channel_name
from greenroom.task_names import TaskName
from models import media_reports
from models.campaign import CampaignRow, get_campaign
from models.item_pages import media_ids_by_ref
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import Context, current_context


def resolve(
    context: Context, campaign_id: str, refs: Sequence[str], channel: str | None = None
) -> dict[str, str]:
    """The live media ID of each ref; a ref without one is left out.

    Args:
        context: the world.
        campaign_id: whose.
        refs: the scheduler's own references.
        channel: on which of the campaign's channels; it may be left out where it has one.

    Raises:
        UnknownName: there is no such campaign, or it is not on that channel.
        Misuse: it is on several channels, and none was given.
        TransientError: the database is away.
    """
    now = context.clock.now()
    with context.database.read() as connection:
        there = _further(get_campaign(connection, campaign_id), channel)
        return media_reports.live_media_ids(connection, campaign_id, refs=refs, now=now, channel=there)


def media_ids(
    context: Context, campaign_id: str, after: str = "", channel: str | None = None
) -> MediaIdsPage:
    """Some of all the live media IDs of a campaign, and where the next begin.

    Args:
        context: the world.
        campaign_id: whose.
        after: what the last page ended with.
        channel: as above.

    Raises:
        UnknownName: there is no such campaign, or it is not on that channel.
        Misuse: it is on several channels, and none was given.
        TransientError: the database is away.
    """
    now = context.clock.now()
    with context.database.read() as connection:
        there = _further(get_campaign(connection, campaign_id), channel)
        found, last = media_ids_by_ref(connection, campaign_id, after=after, now=now, channel=there)
    return MediaIdsPage(media_ids=found, after=last)


def _further(campaign: CampaignRow, channel: str | None) -> str | None:
    """The further channel of a campaign that is meant; None for its first."""
    named = ", ".join(campaign.channels)
    if channel is None and campaign.further_channels:
        raise Misuse(
            f"Campaign {campaign.id} is on {len(campaign.channels)} channels, and a media ID is good on one "
            f"of them alone. Say for which channel: {named}."
        )
    if channel is None:
        return None
    wanted = parse_channel_name(channel)
    if wanted not in campaign.channels:
        raise UnknownName(f"Campaign {campaign.id} is not on channel {wanted}; it is on {named}.")
    return None if wanted == campaign.channel_id else wanted


@shared_task(base=CheckedTask, name=TaskName.RESOLVE, ignore_result=False)
def resolve_task(campaign_id: str, refs: Sequence[str], channel: str | None = None) -> dict[str, str]:
    """Return live media IDs."""
    return resolve(current_context(), campaign_id, refs, channel)


@shared_task(base=CheckedTask, name=TaskName.MEDIA_IDS, ignore_result=False)
def media_ids_task(campaign_id: str, after: str = "", channel: str | None = None) -> dict[str, Any]:
    """Return live media IDs, a page of all."""
    return media_ids(current_context(), campaign_id, after, channel).model_dump(mode="json")
