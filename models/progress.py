"""How far campaigns are: counts for a progress bar, and a report with a line for each item."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Case, Connection, Row, and_, case, func, literal_column, or_, select
from sqlalchemy.orm import aliased

from greenroom.verdict import Notice
from models.asset import Asset, AssetState
from models.bulk import among
from models.item import Item, ItemState
from models.media import Media, alive
from models.states import in_state

#: Items that are looked at in one statement: so a campaign of a million fits in memory, and what belongs to
#: them is found by index.
PAGE = 1_000


class Stage(StrEnum):
    """Where an item stands, in the words of a campaign manager."""

    CHECKING = "checking"
    REJECTED = "rejected"
    UPLOADING = "uploading"
    FAILED = "failed"
    READY = "ready"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many items of a campaign stand where.

    Attributes:
        hindrance: why some file has to wait, in the words of its last failure; empty if none has to.
    """

    checking: int = 0
    rejected: int = 0
    uploading: int = 0
    failed: int = 0
    ready: int = 0
    hindrance: str = ""

    @property
    def total(self) -> int:
        """All items."""
        return self.checking + self.rejected + self.uploading + self.failed + self.ready

    @property
    def settled(self) -> int:
        """Items that wait for nothing any more."""
        return self.rejected + self.failed + self.ready


@dataclass(frozen=True, kw_only=True)
class ItemReport:
    """All that there is to say of one item."""

    ref: str
    source: str
    stage: Stage
    label: str
    category: str | None
    mime_type: str | None
    size: int | None
    sha256: str | None
    original_sha256: str | None
    mended: tuple[str, ...]
    reason: str | None
    detail: str
    notices: tuple[Notice, ...]
    media_id: str | None
    uploaded_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None


def _stage(item: type[Item], now: datetime) -> Case[str]:
    return case(
        (item.state == ItemState.REJECTED, Stage.REJECTED.value),
        (item.state != ItemState.ACCEPTED, Stage.CHECKING.value),
        # An asset on its way through a refresh, or whose refresh failed, still has its old ID.
        (and_(Media.id.is_not(None), alive(now)), Stage.READY.value),
        (Asset.state == AssetState.FAILED, Stage.FAILED.value),
        else_=Stage.UPLOADING.value,
    )


def _hindrance(item: type[Item], now: datetime) -> Case[str]:
    return case(
        (and_(item.state == ItemState.WAITING, item.not_before > now), item.detail),
        (and_(Asset.state == AssetState.WAITING, Asset.not_before > now), Asset.detail),
    )


def campaign_progress(connection: Connection, campaign_id: str, *, now: datetime) -> Progress:
    """How far a campaign is at this moment."""
    counts: Counter[str] = Counter()
    hindrance, after = "", ""
    while True:
        # What is joined with a page is found by index; joined with the whole of a large campaign it would be
        # found by reading all assets and media IDs that there are. In the order of the one index that has the
        # campaign's items together.
        page = (
            select(Item)
            .where(Item.campaign_id == campaign_id, Item.ref > after)
            .order_by(Item.ref)
            .limit(literal_column(str(PAGE)))
            .subquery()
        )
        item = aliased(Item, page)
        stage = _stage(item, now)
        last = func.max(func.max(item.ref)).over()
        rows = connection.execute(
            select(stage, func.count(), func.max(_hindrance(item, now)), last)
            .select_from(item)
            .outerjoin(Asset, Asset.id == item.asset_id)
            .outerjoin(Media, and_(Media.asset_id == Asset.id, Media.is_current))
            .group_by(stage)
        ).all()
        for name, count, why, _ in rows:
            counts[name] += count
            hindrance = hindrance or why or ""
        if sum(count for _, count, _, _ in rows) < PAGE:
            return Progress(**counts, hindrance=hindrance)
        after = rows[0][3]


def campaign_items(
    connection: Connection, campaign_id: str, *, now: datetime, stages: Collection[Stage] = tuple(Stage)
) -> Iterator[ItemReport]:
    """A line for each item of a campaign that is in one of these stages, in the order of its manifest."""
    stage = _stage(Item, now)
    statement = (
        select(
            Item.id,
            Item.ref,
            Item.source,
            stage.label("stage"),
            Item.label,
            Item.category,
            Item.mime_type,
            Item.size,
            Item.sha256,
            Item.original_sha256,
            Item.mended,
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
    if set(stages) != set(Stage):
        statement = statement.where(stage.in_([one.value for one in stages]))
    for ids in _ids(connection, campaign_id):
        yield from map(_report, connection.execute(statement.where(among(connection, Item.id, ids))).all())


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
        stage=Stage(row.stage),
        label=row.label,
        category=row.category,
        mime_type=row.mime_type,
        size=row.size,
        sha256=row.sha256,
        original_sha256=row.original_sha256,
        mended=tuple(json.loads(row.mended)),
        reason=row.reason or row.asset_reason,
        detail=row.detail or row.asset_detail or "",
        notices=tuple(Notice(**notice) for notice in json.loads(row.notices)),
        media_id=row.media_id,
        uploaded_at=row.uploaded_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """How much work there is, and how much of it went wrong."""

    inspections: int
    uploads: int
    failed: int
    lost_answers: int


def backlog(connection: Connection) -> Backlog:
    """The work of all campaigns together."""
    items = select(func.count()).where(
        or_(
            in_state(Item.state, ItemState.WAITING),
            in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING),
        )
    )
    uploads = select(func.count()).where(
        or_(
            in_state(Asset.state, AssetState.WAITING),
            in_state(Asset.state, AssetState.CLAIMED, AssetState.UPLOADING),
        )
    )
    failed = select(func.count()).where(in_state(Asset.state, AssetState.FAILED))
    lost = select(func.coalesce(func.sum(Asset.lost_answers), 0))
    return Backlog(
        inspections=connection.execute(items).scalar_one(),
        uploads=connection.execute(uploads).scalar_one(),
        failed=connection.execute(failed).scalar_one(),
        lost_answers=connection.execute(lost).scalar_one(),
    )
