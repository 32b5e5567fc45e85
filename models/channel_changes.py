"""A campaign's channels that changed: what was accepted gets assets on new ones, and loses those on others.

Nothing is inspected again for it, but what is with an inspector at this moment, who knows the channels of
before. All of it is one transaction, in which the campaign is held: whoever looks at it later finds the whole
change, or none of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import aliased

from models.asset import Asset
from models.asset_locks import IN_LOCK_ORDER, lock_assets
from models.bulk import among
from models.campaign import CampaignRow
from models.item import Item, ItemState
from models.item_asset import ItemAsset, holds, remove_assets
from models.item_queue import put_items_back
from models.locks import lock_rows
from models.manifest_items import lock_items
from models.media import live_assets, lock_media
from models.references import check_references_again
from models.states import in_state
from models.wanted_assets import NewAsset, queue_uploads, want_assets

#: Contents for which assets are made in one statement.
CONTENTS_AT_ONCE = 1_000
_IS_WITH_A_WORKER = in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING)


def lacks_assets(connection: Connection, campaign: CampaignRow) -> bool:
    """Whether some accepted item has no asset on a channel of its campaign.

    So it is after workers of a version that knows one channel have inspected it.
    """
    return any(
        connection.execute(select(Item.id).where(_is_without(campaign.id, channel)).limit(1)).first()
        for channel in campaign.further_channels
    )


def follow_channels(connection: Connection, campaign: CampaignRow, *, now: datetime) -> None:
    """Have the items on all channels of the campaign, and on no others.

    To be called before anything of the campaign is locked; what is locked here is in the one order.

    Args:
        connection: an open transaction, in which the campaign was written with its channels.
        campaign: as it was written.
        now: the present.
    """
    before = campaign.channels_before or campaign.channels
    wanted: list[int] = []
    gone: list[int] = []
    kept: list[int] = []
    for channel in sorted({*before, *campaign.channels}):
        held = _lock_held(connection, campaign.id, channel, first=channel == before[0])
        if channel not in campaign.channels:
            gone += held
            continue
        kept += held
        if channel != before[0]:
            wanted += _want_on(connection, campaign, channel)
    # All that is looked at again, here or when the campaign has other dates, too: media come before items.
    lock_media(connection, current_of=[*gone, *kept, *wanted])
    check_references_again(connection, gone, now=now)
    if campaign.upload_from is None:
        queue_uploads(connection, set(wanted) - live_assets(connection, wanted, now=now))
    lock_items(connection, campaign_id=campaign.id, refs=None)
    mine = Item.campaign_id == campaign.id
    put_items_back(connection, mine & _IS_WITH_A_WORKER, counts=False, detail=None)
    others = [channel for channel in campaign.channels if channel != before[0]]
    _link(connection, campaign.id, others, to=wanted)
    if campaign.channel_id != before[0]:
        _make_first(connection, campaign)
    remove_assets(connection, campaign.id, set(before) - set(campaign.further_channels))
    # What was accepted while assets were made here; and what had none on the channel that is the first now.
    lacking = [_is_without(campaign.id, channel) for channel in campaign.further_channels]
    nothing = and_(mine, in_state(Item.state, ItemState.ACCEPTED), Item.asset_id.is_(None))
    put_items_back(connection, or_(nothing, *lacking), counts=False, detail=None)


def _lock_held(connection: Connection, campaign_id: str, channel_id: str, *, first: bool) -> list[int]:
    """Lock the assets that the campaign's items have on a channel."""
    mine = Item.campaign_id == campaign_id
    held: Select[Any] = select(Item.asset_id).where(mine, Item.asset_id.is_not(None))
    if not first:
        held = select(ItemAsset.asset_id).join(Item, holds()).where(mine, ItemAsset.channel_id == channel_id)
    ids = list(connection.execute(held.distinct()).scalars())
    return list(lock_assets(connection, ids))


def _want_on(connection: Connection, campaign: CampaignRow, channel_id: str) -> Iterator[int]:
    """Make assets of what was accepted, and has none on the channel; they are locked."""
    after = ("", "")
    while True:
        found = connection.execute(_contents(campaign.id, channel_id, after)).all()
        new = [
            NewAsset(
                channel_id=channel_id,
                sha256=row.sha256,
                mime_type=row.mime_type,
                category=row.category,
                size=row.size,
                file_name=row.file_name,
                source=row.source,
                due_at=campaign.send_at,
                begun=campaign.upload_from is None,
            )
            for row in found
        ]
        yield from want_assets(connection, new).values()
        if len(found) < CONTENTS_AT_ONCE:
            return
        after = (found[-1].sha256, found[-1].mime_type)


def _contents(campaign_id: str, channel_id: str, after: tuple[str, str]) -> Select[*tuple[Any, ...]]:
    """Contents of items that have no asset on a channel, in the order in which assets are locked."""
    _, *key = IN_LOCK_ORDER
    without = select(Item.asset_id).where(_is_without(campaign_id, channel_id))
    columns = (Asset.sha256, Asset.mime_type, Asset.category, Asset.size, Asset.file_name, Asset.source)
    return (
        select(*columns)
        .where(Asset.id.in_(without), tuple_(*key) > tuple_(*map(literal, after)))
        .order_by(*key)
        .limit(CONTENTS_AT_ONCE)
    )


def _is_without(campaign_id: str, channel_id: str) -> ColumnElement[bool]:
    """A condition on :class:`Item`: it was accepted, and has no asset on a further channel."""
    there = select(ItemAsset.id).where(holds(), ItemAsset.channel_id == channel_id).correlate(Item).exists()
    return and_(Item.campaign_id == campaign_id, Item.asset_id.is_not(None), ~there)


def _link(
    connection: Connection, campaign_id: str, channel_ids: Sequence[str], *, to: Collection[int]
) -> None:
    """Say of accepted items, which are locked, that they have the assets of their contents on channels.

    To those alone that were locked and queued here: another one may be idle, or go at this moment.
    """
    mine = select(Item.id).where(Item.campaign_id == campaign_id)
    stale = and_(ItemAsset.item_id.in_(mine), ~select(Item.id).where(holds()).correlate(ItemAsset).exists())
    lock_rows(connection, ItemAsset, stale)
    connection.execute(delete(ItemAsset).where(stale))
    first, there = aliased(Asset), aliased(Asset)
    for channel in channel_ids:
        found = (
            select(Item.id, there.channel_id, there.id, Item.token)
            .join(first, first.id == Item.asset_id)
            .join(there, and_(there.sha256 == first.sha256, there.mime_type == first.mime_type))
            .where(there.channel_id == channel, among(there.id, to), _is_without(campaign_id, channel))
        )
        names = ["item_id", "channel_id", "asset_id", "token"]
        connection.execute(insert(ItemAsset).from_select(names, found))


def _make_first(connection: Connection, campaign: CampaignRow) -> None:
    """Have what items have on a further channel as what they have on the first."""
    there = select(ItemAsset.asset_id).where(holds(), ItemAsset.channel_id == campaign.channel_id)
    accepted = (Item.campaign_id == campaign.id, Item.asset_id.is_not(None))
    connection.execute(update(Item).where(*accepted).values(asset_id=there.scalar_subquery()))
