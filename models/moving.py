"""A campaign, its dates and its channels: written, and all that follows from those that changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from greenroom.manifest import CampaignPlan
from models.campaign import CampaignRow, save_campaign
from models.channel_changes import follow_channels, lacks_assets
from models.manifest_items import lock_items, move_items
from models.references import follow_send_times, want_again


def save_and_move(
    connection: Connection,
    plan: CampaignPlan,
    *,
    upload_from: datetime,
    now: datetime,
    complete: bool = False,
) -> CampaignRow:
    """Write the campaign; where it has other dates or channels than before, its items and assets follow.

    Those are locked then, in the one order.

    Args:
        connection: an open transaction.
        plan: the campaign.
        upload_from: when its uploads begin.
        now: the present.
        complete: whether to look for items that lack an asset on one of several channels.

    Raises:
        UnknownName: there is no such channel.
        Misuse: as of :func:`models.campaign.save_campaign`.
    """
    campaign = save_campaign(
        connection,
        campaign_id=plan.id,
        channel_id=plan.channels[0],
        further_channels=plan.channels[1:],
        send_at=plan.send_at,
        keep_until=plan.keep_until,
        upload_from=upload_from,
        now=now,
    )
    if campaign.channels_before or (complete and lacks_assets(connection, campaign)):
        follow_channels(connection, campaign, now=now)
    if campaign.moved:
        if campaign.upload_from is None:
            want_again(connection, plan.id, refs=None, due_at=plan.send_at, now=now)
        follow_send_times(connection, plan.id)
        lock_items(connection, campaign_id=plan.id, refs=None)
        move_items(connection, campaign_id=plan.id, due_at=plan.send_at)
    return campaign
