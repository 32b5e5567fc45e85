"""Who needs an asset, and how soon: any campaign that holds it, is not cancelled, and is still to be kept."""

from __future__ import annotations

from collections.abc import Sequence
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


def want_again(
    connection: Connection, campaign_id: str, *, refs: Sequence[str] | None, due_at: datetime
) -> None:
    """Queue what a campaign holds without an ID, and that is not on its way, when it is handed over again.

    That is what nothing needed until its dates were moved, and uploads that were given up. To be called
    before the campaign's items are written, for assets are locked before items.

    Args:
        connection: an open transaction, in which the campaign has its new dates.
        campaign_id: whose.
        refs: of these items alone; None for all.
        due_at: the campaign's send time.
    """
    held = select(Item.asset_id).where(Item.campaign_id == campaign_id, Item.asset_id.is_not(None))
    if refs is not None:
        held = held.where(Item.ref.in_(refs))
    # A statement of its own: once it has the locks, the next one sees what was retired until then.
    locked = select(Asset.id).where(Asset.id.in_(held)).order_by(Asset.sha256).with_for_update()
    ids = list(connection.execute(locked).scalars())
    if not ids:
        return
    connection.execute(
        update(Asset)
        .where(Asset.id.in_(held), Asset.state.in_((AssetState.IDLE, AssetState.FAILED)))
        .values(
            state=AssetState.WAITING,
            priority=Priority.CAMPAIGN,
            due_at=due_at,
            attempts=0,
            not_before=None,
            reason=None,
            detail="",
        )
    )
