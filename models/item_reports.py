"""A line for each item of a campaign, with all that there is to say of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from greenroom.verdict import Notice
from models.asset import Asset
from models.bulk import among
from models.item import Item
from models.item_asset import item_on
from models.media import Media, alive
from models.progress import PAGE, ItemStatus, item_status


@dataclass(frozen=True, kw_only=True)
class ItemReport:
    """All that there is to say of one item.

    Attributes:
        channel_id: on which channel, of a campaign that has several; None where it is the same on all.
    """

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
    channel_id: str | None = None


#: Where an item stands alike on all channels.
SAME_EVERYWHERE = frozenset({ItemStatus.CHECKING, ItemStatus.REJECTED})


def campaign_items(
    connection: Connection,
    campaign_id: str,
    *,
    now: datetime,
    statuses: Collection[ItemStatus] = tuple(ItemStatus),
    channels: Sequence[str] = (),
) -> Iterator[ItemReport]:
    """A line for each item of a campaign that has one of these statuses, in the order of its manifest.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        now: the present.
        statuses: these alone.
        channels: all of the campaign's, the first one first: where they are several, there is a line for each
            of them, but of what is the same on all. Without them, there are lines of the first alone.
    """
    several = len(channels) > 1
    for ids in _ids(connection, campaign_id):
        lines = _lines(connection, ids, None, statuses, now)
        if several:
            lines = [
                line if line.status in SAME_EVERYWHERE else replace(line, channel_id=channels[0])
                for line in lines
            ]
            others = [status for status in statuses if status not in SAME_EVERYWHERE]
            for channel in channels[1:]:
                there = _lines(connection, ids, channel, others, now)
                lines += [replace(line, channel_id=channel) for line in there]
            order = {ref: place for place, ref in enumerate(dict.fromkeys(_refs(connection, ids)))}
            lines.sort(key=lambda line: order[line.ref])
        yield from lines


def _lines(
    connection: Connection,
    ids: Sequence[int],
    channel: str | None,
    statuses: Collection[ItemStatus],
    now: datetime,
) -> list[ItemReport]:
    item = item_on(channel)
    statement = _reports(item, now)
    if set(statuses) != set(ItemStatus):
        statement = statement.where(among(item_status(item, now), statuses))
    return [_report(row) for row in connection.execute(statement.where(among(item.id, ids)))]


def _refs(connection: Connection, ids: Sequence[int]) -> Sequence[str]:
    statement = select(Item.ref).where(among(Item.id, ids)).order_by(Item.id)
    return connection.execute(statement).scalars().all()


def item_report(
    connection: Connection, campaign_id: str, ref: str, *, now: datetime, channel: str | None = None
) -> ItemReport | None:
    """The same of one item, on a further channel that is named; None where the campaign has no such ref."""
    item = item_on(channel)
    mine = _reports(item, now).where(item.campaign_id == campaign_id, item.ref == ref)
    row = connection.execute(mine).one_or_none()
    return None if row is None else _report(row)


def reports_between(
    connection: Connection,
    campaign_id: str,
    *,
    refs: tuple[str, str | None],
    channel: str | None,
    statuses: Collection[ItemStatus],
    now: datetime,
    limit: int,
) -> list[ItemReport]:
    """The first lines in the order of refs, after one of them and up to another; None for the rest.

    Those of the first channel, or of a further one that is named.
    """
    (after, last), item = refs, item_on(channel)
    statement = _reports(item, now).where(item.campaign_id == campaign_id, item.ref > after)
    statement = statement.where(among(item_status(item, now), statuses))
    if last is not None:
        statement = statement.where(item.ref <= last)
    statement = statement.order_by(None).order_by(item.ref).limit(limit)
    return list(map(_report, connection.execute(statement)))


def _reports(item: type[Item], now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(
            item.id,
            item.ref,
            item.source,
            item_status(item, now).label("status"),
            item.label,
            item.category,
            item.mime_type,
            item.size,
            item.sha256,
            item.original_sha256,
            item.fixed,
            item.reason,
            item.detail,
            item.notices,
            Asset.reason.label("asset_reason"),
            Asset.detail.label("asset_detail"),
            Media.media_id,
            Media.uploaded_at,
            Media.last_used_at,
            Media.expires_at,
        )
        .select_from(item)
        .outerjoin(Asset, Asset.id == item.asset_id)
        .outerjoin(Media, and_(Media.asset_id == Asset.id, alive(now)))
        .order_by(item.id)
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
