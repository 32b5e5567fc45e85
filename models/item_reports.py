"""A line for each item of a campaign, with all that there is to say of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from greenroom.verdict import Notice
from models.asset import Asset
from models.bulk import among
from models.item import Item
from models.media import Media, alive
from models.progress import PAGE, ItemStatus, item_status


@dataclass(frozen=True, kw_only=True)
class ItemReport:
    """All that there is to say of one item."""

    ref: str
    source: str
    status: ItemStatus
    label: str
    category: str | None
    mime_type: str | None
    size: int | None
    sha256: str | None
    original_sha256: str | None
    fixed: tuple[str, ...]
    reason: str | None
    detail: str
    notices: tuple[Notice, ...]
    media_id: str | None
    uploaded_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None


def campaign_items(
    connection: Connection,
    campaign_id: str,
    *,
    now: datetime,
    statuses: Collection[ItemStatus] = tuple(ItemStatus),
) -> Iterator[ItemReport]:
    """A line for each item of a campaign that has one of these statuses, in the order of its manifest."""
    statement = _reports(now)
    if set(statuses) != set(ItemStatus):
        statement = statement.where(among(item_status(Item, now), statuses))
    for ids in _ids(connection, campaign_id):
        yield from map(_report, connection.execute(statement.where(among(Item.id, ids))).all())


def item_report(connection: Connection, campaign_id: str, ref: str, *, now: datetime) -> ItemReport | None:
    """The same of one item; None where the campaign has none of that ref."""
    mine = _reports(now).where(Item.campaign_id == campaign_id, Item.ref == ref)
    row = connection.execute(mine).one_or_none()
    return None if row is None else _report(row)


def _reports(now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Item.id,
            Item.ref,
            Item.source,
            item_status(Item, now).label("status"),
            Item.label,
            Item.category,
            Item.mime_type,
            Item.size,
            Item.sha256,
            Item.original_sha256,
            Item.fixed,
            Item.reason,
            Item.detail,
            Item.notices,
            Asset.reason.label("asset_reason"),
            Asset.detail.label("asset_detail"),
            Media.media_id,
            Media.uploaded_at,
            Media.last_used_at,
            Media.expires_at,
        )
        .select_from(Item)
        .outerjoin(Asset, Asset.id == Item.asset_id)
        .outerjoin(Media, and_(Media.asset_id == Asset.id, alive(now)))
        .order_by(Item.id)
    )


def _ids(connection: Connection, campaign_id: str) -> Iterator[Sequence[int]]:
    """The IDs of a campaign's items, in the order of its manifest, so many at a time."""
    # Not by the column alone: PostgreSQL would read all items there are in that order, to find the first one
    # sooner.
    statement = select(Item.id).where(Item.campaign_id == campaign_id).order_by(Item.id + 0)
    with connection.execute(statement, execution_options={"yield_per": PAGE}) as found:
        yield from found.scalars().partitions()


def _report(row: Row[*tuple[object, ...]]) -> ItemReport:
    return ItemReport(
        ref=row.ref,
        source=row.source,
        status=ItemStatus(row.status),
        label=row.label,
        category=row.category,
        mime_type=row.mime_type,
        size=row.size,
        sha256=row.sha256,
        original_sha256=row.original_sha256,
        fixed=tuple(json.loads(row.fixed)),
        reason=row.reason or row.asset_reason,
        detail=row.detail or row.asset_detail or "",
        notices=tuple(Notice(**notice) for notice in json.loads(row.notices)),
        media_id=row.media_id,
        uploaded_at=row.uploaded_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )
