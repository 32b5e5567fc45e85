"""Who needs an asset, and how soon: campaigns that hold it, have begun, and are not cancelled or over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    func,
    select,
    update,
)

from models.asset import Asset, AssetState, Priority
from models.asset_locks import IN_LOCK_ORDER
from models.bulk import among, among_bound
from models.campaign import Campaign
from models.item import Item
from models.item_asset import Holding, on_all_channels
from models.media import Media, lock_media
from models.states import in_state
from models.wanted_assets import put_back

#: A condition on :class:`Asset`: nobody is at it, and it has no media ID.
WITHOUT_AN_ID = in_state(Asset.state, AssetState.IDLE, AssetState.FAILED)


def _in_need(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """A condition on :class:`Campaign`: it needs what it holds now."""
    begun = Campaign.cancelled_at.is_(None) & Campaign.upload_from.is_(None)
    return begun & (Campaign.keep_until > now)


def _needed(held: Holding) -> Select[*tuple[Any, ...]]:
    needed = among_bound(held.asset_id, "ids") & _in_need(bindparam("now"))
    return _with_campaigns(select(held.asset_id), held).where(needed).distinct()


def _with_campaigns(asked: Select[*tuple[Any, ...]], held: Holding) -> Select[*tuple[Any, ...]]:
    return asked.select_from(held.items).join(Campaign, Campaign.id == Item.campaign_id)


_NEEDED_NOW = on_all_channels(_needed)


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

    def in_need(held: Holding) -> Select[*tuple[Any, ...]]:
        return _with_campaigns(select(Campaign.id), held).where(held.asset_id == asset_id, _in_need(now))

    found = on_all_channels(in_need).subquery()
    return list(connection.execute(select(found.c.id).distinct().order_by(found.c.id).limit(limit)).scalars())


def needed_until(connection: Connection, asset_ids: Collection[int]) -> dict[int, datetime]:
    """Until when the last campaign needs each asset; those that no campaign holds are left out.

    A campaign that was cancelled never needed anything, and one whose uploads begin later does not yet.
    """
    latest: dict[int, datetime] = {}
    for asset_id, until in connection.execute(_NEEDED_UNTIL, {"ids": list(asset_ids)}):
        if asset_id is not None:
            latest[asset_id] = max(until, latest.get(asset_id, until))
    return latest


def _latest_need(held: Holding) -> Select[*tuple[Any, ...]]:
    begun = Campaign.cancelled_at.is_(None) & Campaign.upload_from.is_(None)
    of_each = _with_campaigns(select(held.asset_id, func.max(Campaign.keep_until)), held)
    return of_each.where(among_bound(held.asset_id, "ids"), begun).group_by(held.asset_id)


_NEEDED_UNTIL = on_all_channels(_latest_need)


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
    held = held_by(campaign_id, refs=refs)
    locked = select(Asset.id).where(Asset.id.in_(held)).order_by(*IN_LOCK_ORDER).with_for_update()
    return list(connection.execute(locked).scalars())


def held_by(campaign_id: str, *, refs: Sequence[str] | None = None) -> CompoundSelect[*tuple[Any, ...]]:
    """The assets that a campaign's items hold, on all of its channels."""
    mine = Item.campaign_id == campaign_id
    if refs is not None:
        mine &= among(Item.ref, refs)

    def assets(held: Holding) -> Select[*tuple[Any, ...]]:
        return select(held.asset_id).select_from(held.items).where(mine, held.asset_id.is_not(None))

    return on_all_channels(assets, campaign_id=campaign_id)


def follow_send_times(connection: Connection, campaign_id: str) -> None:
    """Order the waiting uploads of a campaign by its present send time, after it was moved."""
    begun = Campaign.cancelled_at.is_(None) & Campaign.upload_from.is_(None)

    def send_times(held: Holding) -> Select[*tuple[Any, ...]]:
        sent = _with_campaigns(select(Campaign.send_at), held).correlate(Asset)
        return sent.where(held.asset_id == Asset.id, begun)

    sent_at = on_all_channels(send_times).subquery()
    earliest = select(func.min(sent_at.c.send_at)).scalar_subquery()
    connection.execute(
        update(Asset)
        .where(
            Asset.id.in_(held_by(campaign_id)),
            Asset.state == AssetState.WAITING,
            Asset.priority == Priority.CAMPAIGN,
        )
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
