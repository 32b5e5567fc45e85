"""A campaign's items by pages of refs, for schedulers: each is bounded, and says where the next begins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, null, select

from models.asset import Asset
from models.bulk import among
from models.item import Item
from models.item_asset import item_on
from models.media import Media, alive
from models.progress import ItemStatus, item_status

#: Items that are looked at in one statement.
ITEMS_A_LOOK = 1_000
#: And in one answer, where none of them is asked for.
MOST_LOOKS = 50


@dataclass(frozen=True, kw_only=True)
class UnsendableItem:
    """An item that was rejected or given up, and why.

    Attributes:
        channel: on which channel it was given up, of a campaign that has several; None where it is on all.
    """

    ref: str
    status: ItemStatus
    reason: str | None
    detail: str
    channel: str | None = None


def unsendable_items(
    connection: Connection, campaign_id: str, channels: Sequence[str], *, after: str, now: datetime
) -> tuple[list[UnsendableItem], str | None]:
    """Items that cannot be sent as they are, in the order of their refs, those of one channel after another.

    What was rejected is named once; what was given up, once for each channel on which it was.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        channels: all of the campaign's, the first one first.
        after: the ref that the last answer ended with; empty for the first.
        now: the present.

    Returns:
        Some hundreds on each channel at the most, and where the next begin: None where there are no more.
    """
    rows, last = _first_found(connection, _unsendable(channels, now), campaign_id, after)
    return [_as_unsendable(*row) for row in rows], last


def unsendable_among(
    connection: Connection,
    campaign_id: str,
    channels: Sequence[str],
    refs: Collection[str],
    *,
    now: datetime,
) -> list[UnsendableItem]:
    """Those of the refs that cannot be sent as they are."""
    found = []
    for item, statement in _unsendable(channels, now):
        mine = statement.where(item.campaign_id == campaign_id, among(item.ref, refs))
        found += [_as_unsendable(*row) for row in connection.execute(mine)]
    return found


#: Statements on items as they are on one channel each, with that form of the items.
OfChannels = Sequence[tuple[type[Item], Select[*tuple[Any, ...]]]]


def _unsendable(channels: Sequence[str], now: datetime) -> OfChannels:
    several = len(channels) > 1
    found = []
    for place, channel in enumerate(channels):
        item = item_on(channel if place else None)
        status = item_status(item, now)
        where = case((status == ItemStatus.FAILED.value, channel)) if several else null()
        reason = func.coalesce(item.reason, Asset.reason)
        detail = func.coalesce(func.nullif(item.detail, ""), Asset.detail, "")
        statement = (
            select(item.ref, status, reason, detail, where)
            .outerjoin(Asset, Asset.id == item.asset_id)
            .outerjoin(Media, and_(Media.asset_id == Asset.id, alive(now)))
        )
        # Rejected ones are the same on all channels.
        of_all = status.in_((ItemStatus.REJECTED.value, ItemStatus.FAILED.value))
        found.append((item, statement.where(status == ItemStatus.FAILED.value if place else of_all)))
    return found


def _as_unsendable(
    ref: str, status: str, reason: str | None, detail: str, channel: str | None
) -> UnsendableItem:
    return UnsendableItem(ref=ref, status=ItemStatus(status), reason=reason, detail=detail, channel=channel)


def media_ids_by_ref(
    connection: Connection, campaign_id: str, *, after: str, now: datetime, channel: str | None = None
) -> tuple[dict[str, str], str | None]:
    """Live media IDs of a campaign by ref, in the order of the refs; arguments and end as above.

    They are those of its first channel, or of a further one that is named.
    """
    item = item_on(channel)
    joined = select(item.ref, Media.media_id).join(Media, Media.asset_id == item.asset_id)
    rows, last = _first_found(connection, [(item, joined.where(alive(now)))], campaign_id, after)
    return {row.ref: row.media_id for row in rows}, last


def _first_found(
    connection: Connection, statements: OfChannels, campaign_id: str, after: str
) -> tuple[list[Any], str | None]:
    """What statements find in the first look that finds something; each in the order of the refs."""
    last: str | None = after
    for begin, last in looks(connection, campaign_id, after):
        rows: list[Any] = []
        for item, statement in statements:
            mine = statement.where(item.campaign_id == campaign_id, item.ref > begin).order_by(item.ref)
            rows += connection.execute(mine if last is None else mine.where(item.ref <= last)).all()
        if rows:
            return rows, last
    return [], last


def looks(connection: Connection, campaign_id: str, after: str) -> Iterator[tuple[str, str | None]]:
    """Pages of items: after which ref, and up to which; None for the last one, which is not full."""
    # The last as the index has it, and not as Python sorts letters.
    following = select(Item.ref).where(Item.campaign_id == campaign_id).order_by(Item.ref)
    for _ in range(MOST_LOOKS):
        of_page = following.where(Item.ref > after).offset(ITEMS_A_LOOK - 1).limit(1)
        last = connection.execute(of_page).scalar()
        yield after, last
        if last is None:
            return
        after = last
