"""Which campaigns that want call-backs may have been judged, or be ready: what beat's tick looks at.

All of a campaign is looked at seldom, and not at each tick. An item that was found on its way is noted, and
while it is, the campaign is not ready. It is the last one by its ref, and files are uploaded in no order of
refs: of a campaign of a million, some twenty are noted one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import aliased

from models.asset import Asset
from models.callback import Callback, CallbackStage
from models.campaign import Campaign
from models.item import Item, ItemState
from models.item_asset import ItemAsset, holds, item_on
from models.media import Media
from models.progress import PAGE, UNSETTLED, item_status
from models.states import in_state


def _is_unjudged(campaign_id: ColumnElement[str]) -> ColumnElement[bool]:
    waiting = exists().where(Item.campaign_id == campaign_id, in_state(Item.state, ItemState.WAITING))
    claimed = in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING)
    return waiting | exists().where(Item.campaign_id == campaign_id, claimed)


def _is_on_its_way(item_id: ColumnElement[int | None], now: datetime) -> ColumnElement[bool]:
    """Whether an item is on its way on some channel; not where it has no asset there yet, which is rare."""
    of_item = (Item.id == item_id, item_status(Item, now).in_(UNSETTLED))
    current = and_(Media.asset_id == Asset.id, Media.is_current)
    first = select(Item.id).outerjoin(Asset, Asset.id == Item.asset_id).outerjoin(Media, current)
    further = select(Item.id).join(ItemAsset, holds()).join(Asset, Asset.id == ItemAsset.asset_id)
    further = further.outerjoin(Media, current)
    return or_(*(found.where(*of_item).correlate(Callback).exists() for found in (first, further)))


def campaigns_to_look_at(connection: Connection, *, now: datetime, limit: int) -> list[str]:
    """Campaigns of which something may have to be said, those that are sent first before others."""
    statement = _to_look_at(now).order_by(Campaign.send_at, Callback.campaign_id).limit(limit)
    return list(connection.execute(statement).scalars())


def anything_to_look_at(now: datetime) -> ColumnElement[bool]:
    """Whether there is such a campaign."""
    return _to_look_at(now).exists()


def _to_look_at(now: datetime) -> Select[str]:
    of_campaign = Callback.campaign_id.expression
    has_items = exists().where(Item.campaign_id == Callback.campaign_id)
    return (
        select(Callback.campaign_id)
        .join(Campaign, Campaign.id == Callback.campaign_id)
        .where(
            Callback.stage != CallbackStage.TOLD,
            Callback.submission.is_(None),
            Campaign.cancelled_at.is_(None),
            Campaign.keep_until > now,
            case(
                (Callback.stage == CallbackStage.JUDGING, ~_is_unjudged(of_campaign) & has_items),
                else_=~_is_on_its_way(Callback.unsettled_item.expression, now),
            ),
        )
    )


def rejected_count(connection: Connection, campaign_id: str) -> int | None:
    """How many items inspection did not take; None where some have not been judged, or there are none."""
    judged = in_state(Item.state, ItemState.ACCEPTED, ItemState.REJECTED)
    rejected = in_state(Item.state, ItemState.REJECTED)
    total, of_these, not_taken = connection.execute(
        select(func.count(), _how_many(judged), _how_many(rejected)).where(Item.campaign_id == campaign_id)
    ).one()
    return int(not_taken) if 0 < total == of_these else None


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def find_unsettled(
    connection: Connection, campaign_id: str, *, now: datetime, further: Sequence[str] = ()
) -> int | None:
    """An item that is on its way, of the last ones of a campaign by their refs; None where none is.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        now: the present.
        further: its channels besides the first.
    """
    before: str | None = None
    while True:
        mine = select(Item).where(Item.campaign_id == campaign_id).order_by(Item.ref.desc()).limit(PAGE)
        page = aliased(Item, (mine if before is None else mine.where(Item.ref < before)).subquery())
        for channel in (None, *further):
            item = item_on(channel, page)
            found = connection.execute(
                select(item.id)
                .outerjoin(Asset, Asset.id == item.asset_id)
                .outerjoin(Media, and_(Media.asset_id == Asset.id, Media.is_current))
                .where(item_status(item, now).in_(UNSETTLED))
                .order_by(item.ref.desc())
                .limit(1)
            ).scalar()
            if found is not None:
                return int(found)
        # The first as the index has it, and not as Python sorts letters.
        before = connection.execute(select(func.min(page.ref))).scalar()
        if before is None:
            return None
