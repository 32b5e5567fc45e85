"""Who needs an asset, and how soon: any campaign that holds it, is not cancelled, and is still to be kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, func, select, update

from models.asset import Asset, AssetState, Priority
from models.campaign import Campaign
from models.item import Item


def needed(at: datetime) -> ColumnElement[bool]:
    """A condition on :class:`Asset`: some campaign needs it at this moment."""
    return (
        exists()
        .where(
            Item.asset_id == Asset.id,
            Campaign.id == Item.campaign_id,
            Campaign.cancelled_at.is_(None),
            Campaign.keep_until > at,
        )
        .correlate(Asset)
    )


def needed_now(connection: Connection, asset_ids: list[int], *, now: datetime) -> set[int]:
    """Those of the assets that some campaign needs."""
    statement = select(Asset.id).where(Asset.id.in_(asset_ids), needed(now))
    return set(connection.execute(statement).scalars())


def follow_send_times(connection: Connection, campaign_id: str) -> None:
    """Order the waiting uploads of a campaign by its present send time, after it was moved."""
    earliest = (
        select(func.min(Campaign.send_at))
        .join(Item, Item.campaign_id == Campaign.id)
        .where(Item.asset_id == Asset.id, Campaign.cancelled_at.is_(None))
        .correlate(Asset)
        .scalar_subquery()
    )
    held = select(Item.asset_id).where(Item.campaign_id == campaign_id, Item.asset_id.is_not(None))
    connection.execute(
        update(Asset)
        .where(Asset.id.in_(held), Asset.state == AssetState.WAITING, Asset.priority == Priority.CAMPAIGN)
        .values(due_at=func.coalesce(earliest, Asset.due_at))
    )


def want_again(connection: Connection, campaign_id: str) -> None:
    """Queue what the campaign holds and has no media ID, because nothing needed it until its dates moved."""
    held = select(Item.asset_id).where(Item.campaign_id == campaign_id, Item.asset_id.is_not(None))
    connection.execute(
        update(Asset)
        .where(Asset.id.in_(held), Asset.state == AssetState.IDLE)
        .values(state=AssetState.WAITING, priority=Priority.CAMPAIGN, attempts=0, not_before=None)
    )
