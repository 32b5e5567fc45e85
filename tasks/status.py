"""Status, rejected: how far a campaign is, and what of it cannot be sent, for schedulers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from celery import shared_task
from sqlalchemy import Connection

from greenroom.answers import CampaignState, CampaignStatus, ChannelProgress, RejectedPage
from greenroom.task_names import TaskName
from models.campaign import CampaignRow, get_campaign
from models.channel import ChannelRow, get_channel
from models.forecast import count_at_risk
from models.item_pages import unsendable_items
from models.progress import campaign_progress, progress_by_channel
from tasks.runtime.callback_payload import as_rejected_item
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import Context, current_context


def status(context: Context, campaign_id: str) -> CampaignStatus:
    """How far a campaign is.

    Raises:
        UnknownName: there is no such campaign.
        TransientError: the database is away.
    """
    now = context.clock.now()
    with context.database.read() as connection:
        campaign = get_campaign(connection, campaign_id)
        channel = get_channel(connection, campaign.channel_id)
        further = campaign.further_channels
        progress = campaign_progress(connection, campaign_id, now=now, further=further)
        channels = _by_channel(connection, campaign, now) if further else []
        rules_of = context.settings.life_rules
        endangered = count_at_risk(connection, campaign_id, now=now, rules_of=rules_of)
    reasons = [_paused_reason(channel), *(one.paused_reason for one in channels)]
    return CampaignStatus(
        campaign_id=campaign.id,
        channel=channel.id,
        send_at=campaign.send_at,
        keep_until=campaign.keep_until,
        upload_from=campaign.upload_from,
        at_risk_since=campaign.at_risk_since,
        state=_state_on_all(_state(campaign, channel, now), channels),
        paused_reason=next(filter(None, reasons), ""),
        at_risk=endangered,
        channels=channels,
        **asdict(progress),
    )


def _by_channel(connection: Connection, campaign: CampaignRow, now: datetime) -> list[ChannelProgress]:
    found = []
    for channel_id, progress in progress_by_channel(connection, campaign, now=now).items():
        channel = get_channel(connection, channel_id)
        found.append(
            ChannelProgress(
                channel=channel_id,
                state=_state(campaign, channel, now),
                paused_reason=_paused_reason(channel),
                **asdict(progress),
            )
        )
    return found


def _paused_reason(channel: ChannelRow) -> str:
    return "" if channel.paused_at is None else channel.paused_reason or ""


def _state_on_all(first: CampaignState, channels: Sequence[ChannelProgress]) -> CampaignState:
    """One paused channel is enough for a campaign to wait."""
    paused = any(one.state is CampaignState.PAUSED for one in channels)
    return CampaignState.PAUSED if paused else first


def _state(campaign: CampaignRow, channel: ChannelRow, now: datetime) -> CampaignState:
    if campaign.cancelled_at is not None:
        return CampaignState.CANCELLED
    if campaign.keep_until <= now:
        return CampaignState.OVER
    return CampaignState.RUNNING if channel.paused_at is None else CampaignState.PAUSED


def rejected(context: Context, campaign_id: str, after: str = "") -> RejectedPage:
    """Some of a campaign's items that cannot be sent, and where the next begin.

    Args:
        context: the world.
        campaign_id: whose.
        after: what the last page ended with.

    Raises:
        UnknownName: there is no such campaign.
        TransientError: the database is away.
    """
    with context.database.read() as connection:
        channels = get_campaign(connection, campaign_id).channels
        now = context.clock.now()
        found, last = unsendable_items(connection, campaign_id, channels, after=after, now=now)
    return RejectedPage(items=[as_rejected_item(item) for item in found], after=last)


@shared_task(base=CheckedTask, name=TaskName.STATUS, ignore_result=False)
def status_task(campaign_id: str) -> dict[str, Any]:
    """Return how far a campaign is."""
    return status(current_context(), campaign_id).model_dump(mode="json")


@shared_task(base=CheckedTask, name=TaskName.REJECTED, ignore_result=False)
def rejected_task(campaign_id: str, after: str = "") -> dict[str, Any]:
    """Return items that cannot be sent."""
    return rejected(current_context(), campaign_id, after).model_dump(mode="json")
