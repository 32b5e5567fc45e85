"""A campaign's items by pages of refs, for schedulers: each is bounded, and says where the next begins."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from models.asset import Asset
from models.bulk import among
from models.item import Item
from models.media import Media, alive
from models.progress import ItemStatus, item_status

#: Items that are looked at in one statement.
ITEMS_A_LOOK = 1_000
#: And in one answer, where none of them is asked for.
MOST_LOOKS = 50


@dataclass(frozen=True, kw_only=True)
class UnsendableItem:
    """An item that was rejected or given up, and why."""

    ref: str
    status: ItemStatus
    reason: str | None
    detail: str


def unsendable_items(
    connection: Connection, campaign_id: str, *, after: str, now: datetime
) -> tuple[list[UnsendableItem], str | None]:
    """Items that cannot be sent as they are, in the order of their refs.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        after: the ref that the last answer ended with; empty for the first.
        now: the present.

    Returns:
        Some hundreds at the most, and where the next begin: None where there are no more.
    """
    rows, last = _first_found(connection, _unsendable(now), campaign_id, after)
    return [_as_unsendable(*row) for row in rows], last


def unsendable_among(
    connection: Connection, campaign_id: str, refs: Collection[str], *, now: datetime
) -> list[UnsendableItem]:
    """Those of the refs that cannot be sent as they are."""
    statement = _unsendable(now).where(Item.campaign_id == campaign_id, among(Item.ref, refs))
    return [_as_unsendable(*row) for row in connection.execute(statement)]


def _unsendable(now: datetime) -> Select[*tuple[Any, ...]]:
    status = item_status(Item, now)
    return (
        select(Item.ref, status, func.coalesce(Item.reason, Asset.reason), Item.detail, Asset.detail)
        .outerjoin(Asset, Asset.id == Item.asset_id)
        .outerjoin(Media, and_(Media.asset_id == Asset.id, alive(now)))
        .where(status.in_((ItemStatus.REJECTED.value, ItemStatus.FAILED.value)))
    )


def _as_unsendable(
    ref: str, status: str, reason: str | None, detail: str | None, of_asset: str | None
) -> UnsendableItem:
    return UnsendableItem(ref=ref, status=ItemStatus(status), reason=reason, detail=detail or of_asset or "")


def media_ids_by_ref(
    connection: Connection, campaign_id: str, *, after: str, now: datetime
) -> tuple[dict[str, str], str | None]:
    """Live media IDs of a campaign by ref, in the order of the refs; arguments and end as above."""
    joined = select(Item.ref, Media.media_id).join(Media, Media.asset_id == Item.asset_id)
    rows, last = _first_found(connection, joined.where(alive(now)), campaign_id, after)
    return {row.ref: row.media_id for row in rows}, last


def _first_found(
    connection: Connection, statement: Select[*tuple[Any, ...]], campaign_id: str, after: str
) -> tuple[list[Any], str | None]:
    """What a statement finds in the first look that finds something."""
    last: str | None = after
    for begin, last in _looks(connection, campaign_id, after):
        mine = statement.where(Item.campaign_id == campaign_id, Item.ref > begin).order_by(Item.ref)
        rows = connection.execute(mine if last is None else mine.where(Item.ref <= last)).all()
        if rows:
            return list(rows), last
    return [], last


def _looks(connection: Connection, campaign_id: str, after: str) -> Iterator[tuple[str, str | None]]:
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
