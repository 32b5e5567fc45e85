"""A campaign and its dates: written, and all that follows from dates that changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from greenroom.manifest import CampaignPlan
from models.campaign import CampaignRow, save_campaign
from models.manifest_items import lock_items, move_items
from models.references import follow_send_times, want_again


def save_and_move(
    connection: Connection, plan: CampaignPlan, *, upload_from: datetime, now: datetime
) -> CampaignRow:
    """Write the campaign; where it has other dates than before, all of its items and assets follow.

    Those are locked then, in the one order.

    Args:
        connection: an open transaction.
        plan: the campaign.
        upload_from: when its uploads begin.
        now: the present.

    Raises:
        UnknownName: there is no such channel.
        Misuse: as of :func:`models.campaign.save_campaign`.
    """
    campaign = save_campaign(
        connection,
        campaign_id=plan.id,
        channel_id=plan.channel,
        send_at=plan.send_at,
        keep_until=plan.keep_until,
        upload_from=upload_from,
        now=now,
    )
    if campaign.moved:
        if campaign.upload_from is None:
            want_again(connection, plan.id, refs=None, due_at=plan.send_at, now=now)
        follow_send_times(connection, plan.id)
        lock_items(connection, campaign_id=plan.id, refs=None)
        move_items(connection, campaign_id=plan.id, due_at=plan.send_at)
    return campaign
