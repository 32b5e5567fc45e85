"""A line for each item of a campaign, with all that there is to say of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal_column, select

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
    categories: Collection[str] = (),
    but_reasons: Collection[str] = (),
) -> Iterator[ItemReport]:
    """A line for each item of a campaign that has one of these statuses, in the order of its manifest.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        now: the present.
        statuses: these alone.
        channels: all of the campaign's, the first one first: where they are several, there is a line for each
            of them, but of what is the same on all. Without them, there are lines of the first alone.
        categories: these alone; of all, where there are none given.
        but_reasons: not these. Whoever has enough of one may add it while lines come; soon no more of it do.
    """
    several = len(channels) > 1
    for ids in _ids(connection, campaign_id):
        wanted = _Wanted(statuses=statuses, categories=categories, but_reasons=but_reasons)
        lines = _lines(connection, ids, None, wanted, now)
        if several:
            lines = [
                line if line.status in SAME_EVERYWHERE else replace(line, channel_id=channels[0])
                for line in lines
            ]
            others = [status for status in statuses if status not in SAME_EVERYWHERE]
            for channel in channels[1:]:
                there = _lines(connection, ids, channel, replace(wanted, statuses=others), now)
                lines += [replace(line, channel_id=channel) for line in there]
            order = {ref: place for place, ref in enumerate(dict.fromkeys(_refs(connection, ids)))}
            lines.sort(key=lambda line: order[line.ref])
        yield from lines


def count_reasons(
    connection: Connection,
    campaign_id: str,
    *,
    now: datetime,
    statuses: Collection[ItemStatus],
    channels: Sequence[str],
) -> dict[str, int]:
    """How many lines :func:`campaign_items` has for each reason; empty where none is given."""
    counts: Counter[str] = Counter()
    for ids in _ids(connection, campaign_id):
        for place, channel in enumerate(channels):
            item = item_on(channel if place else None)
            here = [one for one in statuses if not place or one not in SAME_EVERYWHERE]
            mine = among(item_status(item, now), here) & among(item.id, ids)
            reason = _reason(item)
            counted = _with_media(select(reason, func.count()), item, now).where(mine).group_by(reason)
            for why, count in connection.execute(counted):
                counts[why] += count
    return counts


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """Which lines."""

    statuses: Collection[ItemStatus]
    categories: Collection[str]
    but_reasons: Collection[str]


def _lines(
    connection: Connection,
    ids: Sequence[int],
    channel: str | None,
    wanted: _Wanted,
    now: datetime,
) -> list[ItemReport]:
    item = item_on(channel)
    statement = _reports(item, now)
    if wanted.categories:
        statement = statement.where(among(item.category, wanted.categories))
    if wanted.but_reasons:
        statement = statement.where(~among(_reason(item), wanted.but_reasons))
    if set(wanted.statuses) != set(ItemStatus):
        statement = statement.where(among(item_status(item, now), wanted.statuses))
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
    statement = select(
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
    ).order_by(item.id)
    return _with_media(statement, item, now)


def _with_media(
    statement: Select[*tuple[Any, ...]], item: type[Item], now: datetime
) -> Select[*tuple[Any, ...]]:
    return (
        statement.select_from(item)
        .outerjoin(Asset, Asset.id == item.asset_id)
        .outerjoin(Media, and_(Media.asset_id == Asset.id, alive(now)))
    )


def _reason(item: type[Item]) -> ColumnElement[str]:
    # Not a parameter: PostgreSQL would take it for another one where lines are grouped by it.
    return func.coalesce(item.reason, Asset.reason, literal_column("''"))


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
