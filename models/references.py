"""Who needs an asset, and how soon: campaigns that hold it, have begun, and are not cancelled or over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, func, select, update

from models.asset import Asset, AssetState, Priority
from models.asset_locks import IN_LOCK_ORDER
from models.bulk import among, among_bound
from models.campaign import Campaign
from models.item import Item
from models.media import Media, lock_media
from models.states import in_state
from models.wanted_assets import put_back

#: A condition on :class:`Asset`: nobody is at it, and it has no media ID.
WITHOUT_AN_ID = in_state(Asset.state, AssetState.IDLE, AssetState.FAILED)


def _in_need(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """A condition on :class:`Campaign`: it needs what it holds now."""
    begun = Campaign.cancelled_at.is_(None) & Campaign.upload_from.is_(None)
    return begun & (Campaign.keep_until > now)


_NEEDED_NOW = (
    select(Item.asset_id)
    .join(Campaign, Campaign.id == Item.campaign_id)
    .where(among_bound(Item.asset_id, "ids"), _in_need(bindparam("now")))
    .distinct()
)


def needed_now(connection: Connection, asset_ids: Collection[int], *, now: datetime) -> set[int]:
    """Those of the assets that some campaign needs: not cancelled, begun, and still to be kept."""
    if not asset_ids:
        return set()
    found = connection.execute(_NEEDED_NOW, {"ids": list(asset_ids), "now": now}).scalars()
    return {asset_id for asset_id in found if asset_id is not None}


def campaigns_that_need(
    connection: Connection, asset_id: int, *, now: datetime, limit: int = 10
) -> list[str]:
    """Campaigns that need an asset, as :func:`needed_now` says it."""
    statement = (
        select(Campaign.id)
        .join(Item, Item.campaign_id == Campaign.id)
        .where(Item.asset_id == asset_id, _in_need(now))
        .distinct()
        .order_by(Campaign.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def needed_until(connection: Connection, asset_ids: Collection[int]) -> dict[int, datetime]:
    """Until when the last campaign needs each asset; those that no campaign holds are left out.

    A campaign that was cancelled never needed anything, and one whose uploads begin later does not yet.
    """
    rows = connection.execute(_NEEDED, {"ids": list(asset_ids)}).all()
    return {asset_id: until for asset_id, until in rows if asset_id is not None}


_NEEDED = (
    select(Item.asset_id, func.max(Campaign.keep_until))
    .join(Campaign, Campaign.id == Item.campaign_id)
    .where(among_bound(Item.asset_id, "ids"), Campaign.cancelled_at.is_(None), Campaign.upload_from.is_(None))
    .group_by(Item.asset_id)
)


def check_references_again(connection: Connection, asset_ids: Collection[int], *, now: datetime) -> None:
    """Look at these assets' media IDs at the next chance: what needed them may not do so any more.

    The assets are to be locked: an ID that is just being recorded is then either seen here, or recorded with
    what this transaction knows.
    """
    lock_media(connection, current_of=asset_ids)
    mine = among(Media.asset_id, asset_ids)
    connection.execute(update(Media).where(mine, Media.is_current).values(retire_at=now))


def lock_assets_of(connection: Connection, campaign_id: str, *, refs: Sequence[str] | None) -> list[int]:
    """Lock the assets that a campaign's items hold, in the one order in which everybody locks assets."""
    held = select(Item.asset_id).where(Item.campaign_id == campaign_id, Item.asset_id.is_not(None))
    if refs is not None:
        held = held.where(among(Item.ref, refs))
    locked = select(Asset.id).where(Asset.id.in_(held)).order_by(*IN_LOCK_ORDER).with_for_update()
    return list(connection.execute(locked).scalars())


def follow_send_times(connection: Connection, campaign_id: str) -> None:
    """Order the waiting uploads of a campaign by its present send time, after it was moved."""
    earliest = (
        select(func.min(Campaign.send_at))
        .join(Item, Item.campaign_id == Campaign.id)
        .where(Item.asset_id == Asset.id, Campaign.cancelled_at.is_(None), Campaign.upload_from.is_(None))
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
    connection: Connection, campaign_id: str, *, refs: Sequence[str] | None, due_at: datetime, now: datetime
) -> int:
    """Follow a campaign's new dates and items, when it is handed over (again); returns how many are queued.

    What it holds without an ID, and that is not on its way, is queued: that is what nothing needed until its
    dates were moved, and uploads that were given up. What it holds with an ID is looked at: it may be needed
    for a shorter time now. To be called before the campaign's items are written, for assets are locked before
    items.

    Args:
        connection: an open transaction, in which the campaign has its new dates.
        campaign_id: whose.
        refs: of these items alone; None for all.
        due_at: the campaign's send time.
        now: the present.
    """
    # A statement of its own: once it has the locks, the next one sees what was retired until then.
    held = lock_assets_of(connection, campaign_id, refs=refs)
    check_references_again(connection, held, now=now)
    dates = {"due_at": due_at, "priority": Priority.CAMPAIGN}
    return put_back(connection, [{"id": asset_id} for asset_id in held], only=WITHOUT_AN_ID, same=dates)
