"""Which campaigns that want call-backs may have been judged, or be ready: what beat's tick looks at.

All of a campaign is looked at seldom, and not at each tick. An item that was found on its way is noted, and
while it is, the campaign is not ready. It is the last one by its ref, and files are uploaded in no order of
refs: of a campaign of a million, some twenty are noted one after the other.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select
from sqlalchemy.orm import aliased

from models.asset import Asset
from models.callback import Callback, CallbackStage
from models.campaign import Campaign
from models.item import Item, ItemState
from models.media import Media
from models.progress import PAGE, UNSETTLED, item_status
from models.states import in_state


def _is_unjudged(campaign_id: ColumnElement[str]) -> ColumnElement[bool]:
    waiting = exists().where(Item.campaign_id == campaign_id, in_state(Item.state, ItemState.WAITING))
    claimed = in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING)
    return waiting | exists().where(Item.campaign_id == campaign_id, claimed)


def _is_on_its_way(item_id: ColumnElement[int | None], now: datetime) -> ColumnElement[bool]:
    found = (
        select(Item.id)
        .outerjoin(Asset, Asset.id == Item.asset_id)
        .outerjoin(Media, and_(Media.asset_id == Asset.id, Media.is_current))
        .where(Item.id == item_id, item_status(Item, now).in_(UNSETTLED))
    )
    return found.correlate(Callback).exists()


def campaigns_to_look_at(connection: Connection, *, now: datetime, limit: int) -> list[str]:
    """Campaigns of which something may have to be said, those that are sent first before others."""
    of_campaign = Callback.campaign_id.expression
    has_items = exists().where(Item.campaign_id == Callback.campaign_id)
    statement = (
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
        .order_by(Campaign.send_at, Callback.campaign_id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


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


def find_unsettled(connection: Connection, campaign_id: str, *, now: datetime) -> int | None:
    """The last of a campaign's items by its ref that is on its way; None where none is."""
    before: str | None = None
    while True:
        mine = select(Item).where(Item.campaign_id == campaign_id).order_by(Item.ref.desc()).limit(PAGE)
        page = aliased(Item, (mine if before is None else mine.where(Item.ref < before)).subquery())
        found = connection.execute(
            select(page.id)
            .outerjoin(Asset, Asset.id == page.asset_id)
            .outerjoin(Media, and_(Media.asset_id == Asset.id, Media.is_current))
            .where(item_status(page, now).in_(UNSETTLED))
            .order_by(page.ref.desc())
            .limit(1)
        ).scalar()
        if found is not None:
            return int(found)
        # The first as the index has it, and not as Python sorts letters.
        before = connection.execute(select(func.min(page.ref))).scalar()
        if before is None:
            return None
