"""Cancelling a campaign: it needs nothing any more, and media that no other one needs may be deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from models.campaign import Campaign, get_campaign, hold_campaign
from models.references import check_references_again, lock_assets_of


def cancel_campaign(connection: Connection, campaign_id: str, *, now: datetime) -> None:
    """Say that the campaign needs nothing any more.

    Raises:
        UnknownName: there is no such campaign.
    """
    hold_campaign(connection, campaign_id, shared=False)
    get_campaign(connection, campaign_id)
    connection.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id, Campaign.cancelled_at.is_(None))
        .values(cancelled_at=now)
    )
    check_references_again(connection, lock_assets_of(connection, campaign_id, refs=None), now=now)
