"""Pruning: rows of what is long over are dropped, in chunks; media rows of live IDs never."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, or_, select

from models.asset import Asset, AssetState
from models.bulk import among
from models.callback import Callback
from models.campaign import Campaign
from models.item import Item
from models.item_asset import ItemAsset, further_assets
from models.locks import lock_rows
from models.media import Media
from models.outbox import OutboxRow
from models.submission_part import SubmissionPart


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What one chunk dropped.

    Attributes:
        rows: of all kinds together; 0 when nothing is left to drop.
        sources: of the assets that were dropped.
    """

    rows: int
    sources: tuple[str, ...] = ()


def prune_campaigns(connection: Connection, *, before: datetime, limit: int) -> Pruned:
    """Drop items of campaigns that were over or cancelled before a moment, and then the campaigns."""
    over = (
        select(Campaign.id, Campaign.further_channels)
        .where(or_(Campaign.keep_until < before, Campaign.cancelled_at < before))
        .order_by(Campaign.keep_until)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(over).one_or_none()
    if found is None:
        return Pruned(rows=0)
    campaign_id, further_channels = found
    chosen = select(Item.id).where(Item.campaign_id == campaign_id).order_by(Item.id).limit(limit)
    ids = list(connection.execute(chosen.with_for_update()).scalars())
    further = further_assets(connection, ids) if further_channels else set()
    items = delete(Item).where(among(Item.id, ids))
    gone = connection.execute(items.returning(Item.asset_id)).scalars()
    asset_ids = list(gone)
    rows = len(asset_ids)
    if rows < limit:
        for table in (Callback, OutboxRow, SubmissionPart):
            lock_rows(connection, table, table.campaign_id == campaign_id)
            connection.execute(delete(table).where(table.campaign_id == campaign_id))
        connection.execute(delete(Campaign).where(Campaign.id == campaign_id))
        rows += 1
    unheld = {asset_id for asset_id in asset_ids if asset_id is not None} | further
    sources = _drop_assets(connection, unheld)
    return Pruned(rows=rows + len(sources), sources=sources)


def prune_media(connection: Connection, *, before: datetime, limit: int) -> Pruned:
    """Drop rows of IDs that were deleted at the provider before a moment."""
    chosen = (
        select(Media.id)
        .where(Media.deleted_at.is_not(None), Media.deleted_at < before)
        .order_by(Media.deleted_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(chosen).scalars())
    media = delete(Media).where(among(Media.id, ids))
    asset_ids = list(connection.execute(media.returning(Media.asset_id)).scalars())
    sources = _drop_assets(connection, set(asset_ids))
    return Pruned(rows=len(asset_ids) + len(sources), sources=sources)


def _drop_assets(connection: Connection, asset_ids: Collection[int]) -> tuple[str, ...]:
    """Drop those of the assets that no item and no media ID has any more; returns their sources."""
    # Locked first: an inspection that links an item to one of them has the lock, or finds it gone.
    locked = (
        select(Asset.id)
        .where(
            among(Asset.id, asset_ids),
            Asset.state.in_((AssetState.IDLE, AssetState.FAILED, AssetState.WAITING)),
        )
        .order_by(Asset.channel_id, Asset.sha256)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(locked).scalars())
    gone = (
        delete(Asset)
        .where(
            among(Asset.id, ids),
            ~exists().where(Item.asset_id == Asset.id),
            ~exists().where(ItemAsset.asset_id == Asset.id),
            ~exists().where(Media.asset_id == Asset.id),
        )
        .returning(Asset.source)
    )
    return tuple(connection.execute(gone).scalars())


def sources_in_use(connection: Connection, sources: Collection[str]) -> set[str]:
    """Those of the sources that some asset is still read from."""
    return set(connection.execute(select(Asset.source).where(among(Asset.source, sources))).scalars())
