"""Which items are inspected next: fair shares of all channels' items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, or_, select, true

from models.bulk import columns_of, given_rows, on_postgresql
from models.campaign import Campaign
from models.item import Item, ItemState
from models.states import in_state

_IS_WAITING = in_state(Item.state, ItemState.WAITING)
#: Items of one channel that are handed out at a time, however many channels wait.
SMALLEST_SHARE = 5


def fair_shares(connection: Connection, *, limit: int, now: datetime, also_suspect: bool) -> list[int]:
    """Lock and return up to `limit` items that may be inspected now.

    Each channel that has such items gets the same share, so that a campaign of 100,000 files on one number
    keeps nobody else's waiting; what some do not need, the others get. Within a channel, the earliest send
    time comes first.
    """
    queues = _campaigns_with_waiting_items(connection)
    # Where there are more channels than room, others come first each time.
    order = sorted(queues)
    first = int(now.timestamp() * 1000) % max(1, len(order))
    queues = {channel_id: queues[channel_id] for channel_id in order[first:] + order[:first]}
    chosen: list[int] = []
    after: dict[str, int] = {}
    while queues and len(chosen) < limit:
        share = max(SMALLEST_SHARE, (limit - len(chosen)) // len(queues))
        turn = list(queues.items())[: -(-(limit - len(chosen)) // share)]
        first_of = [(campaign_ids[0], after.get(campaign_ids[0], 0)) for _, campaign_ids in turn]
        found = _lock_waiting(connection, first_of, limit=share, now=now, also_suspect=also_suspect)
        for channel_id, campaign_ids in turn:
            of_this = found[campaign_ids[0]]
            chosen += of_this
            if len(of_this) < share:
                del campaign_ids[0]
            else:
                after[campaign_ids[0]] = of_this[-1]
            if not campaign_ids:
                del queues[channel_id]
    # Of the last channels' shares, what is more than was asked for stays where it is.
    return chosen[:limit]


def _campaigns_with_waiting_items(connection: Connection) -> dict[str, list[str]]:
    """By channel, those of the earliest send time first; one step through the index for each campaign."""
    queues: dict[str, list[str]] = {}
    for row in connection.execute(_queues()):
        queues.setdefault(row.channel_id, []).append(row.id)
    return queues


def anything_to_inspect() -> ColumnElement[bool]:
    """Whether an item waits for inspection, for now or for a later moment, of a campaign that goes on."""
    return _queues().order_by(None).exists()


@cache
def _queues() -> Select[str, str]:
    walk = select(func.min(Item.campaign_id).label("id")).where(_IS_WAITING).cte("walk", recursive=True)
    following = (
        select(func.min(Item.campaign_id)).where(_IS_WAITING, Item.campaign_id > walk.c.id).scalar_subquery()
    )
    walk = walk.union_all(select(following).where(walk.c.id.is_not(None)))
    return (
        select(Campaign.channel_id, Campaign.id)
        .join(walk, walk.c.id == Campaign.id)
        .where(Campaign.cancelled_at.is_(None))
        .order_by(Campaign.send_at, Campaign.id)
    )


def _lock_waiting(
    connection: Connection,
    campaigns: Sequence[tuple[str, int]],
    *,
    limit: int,
    now: datetime,
    also_suspect: bool,
) -> dict[str, list[int]]:
    """Lock up to `limit` items of each campaign, those after the given ID; returns them by campaign."""
    postgresql = on_postgresql(connection)
    values = {"now": now, "most": limit}
    asked: list[dict[str, Any]]
    if postgresql:
        asked = [columns_of([{"campaign_id": campaign_id, "id": after} for campaign_id, after in campaigns])]
    else:
        asked = [{"campaign": campaign_id, "after": after} for campaign_id, after in campaigns]
    statement = _waiting(postgresql=postgresql, also_suspect=also_suspect)
    found: dict[str, list[int]] = {campaign_id: [] for campaign_id, _ in campaigns}
    for one in asked:
        for campaign_id, item_id in connection.execute(statement, {**values, **one}).all():
            found[campaign_id].append(item_id)
    return found


@cache
def _waiting(*, postgresql: bool, also_suspect: bool) -> Select[str, int]:
    """The first items of campaigns that may be inspected now; on SQLite of one campaign."""

    def first_of(campaign_id: Any, after: Any) -> Select[str, int]:
        statement = (
            select(Item.campaign_id, Item.id)
            .where(
                Item.campaign_id == campaign_id,
                _IS_WAITING,
                Item.id > after,
                or_(Item.not_before.is_(None), Item.not_before <= bindparam("now")),
            )
            .order_by(Item.id)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True)
        )
        return statement if also_suspect else statement.where(Item.attempts == 0)

    if not postgresql:
        return first_of(bindparam("campaign"), bindparam("after"))
    asked = given_rows(Item, ["campaign_id", "id"])
    of_each = first_of(asked.c.campaign_id, asked.c.id).correlate(asked).lateral("of_each")
    return (
        select(of_each.c.campaign_id, of_each.c.id)
        .select_from(asked)
        .join(of_each, true())
        .order_by(of_each.c.id)
    )
