"""How far campaigns are: counts for a progress bar, and a report with a line for each item."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Case, Connection, Row, and_, case, func, or_, select

from greenroom.verdict import Notice
from models.asset import Asset, AssetState
from models.item import Item, ItemState
from models.media import Media, alive
from models.states import in_state

#: Lines of a report fetched at a time, so that a campaign of a million items fits in memory.
PAGE = 2_000


class Stage(StrEnum):
    """Where an item stands, in the words of a campaign manager."""

    CHECKING = "checking"
    REJECTED = "rejected"
    UPLOADING = "uploading"
    FAILED = "failed"
    READY = "ready"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many items of a campaign stand where."""

    checking: int = 0
    rejected: int = 0
    uploading: int = 0
    failed: int = 0
    ready: int = 0

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


def _stage(now: datetime) -> Case[str]:
    return case(
        (Item.state == ItemState.REJECTED, Stage.REJECTED.value),
        (Item.state != ItemState.ACCEPTED, Stage.CHECKING.value),
        # An asset on its way through a refresh, or whose refresh failed, still has its old ID.
        (and_(Media.id.is_not(None), alive(now)), Stage.READY.value),
        (Asset.state == AssetState.FAILED, Stage.FAILED.value),
        else_=Stage.UPLOADING.value,
    )


def campaign_progress(connection: Connection, campaign_id: str, *, now: datetime) -> Progress:
    """How far a campaign is at this moment."""
    stage = _stage(now)
    statement = (
        select(stage.label("stage"), func.count().label("count"))
        .select_from(Item)
        .outerjoin(Asset, Asset.id == Item.asset_id)
        .outerjoin(Media, and_(Media.asset_id == Asset.id, Media.is_current))
        .where(Item.campaign_id == campaign_id)
        .group_by(stage)
    )
    return Progress(**{row["stage"]: row["count"] for row in connection.execute(statement).mappings()})


def campaign_items(connection: Connection, campaign_id: str, *, now: datetime) -> Iterator[ItemReport]:
    """A line for each item of a campaign, in the order of its manifest."""
    after = 0
    statement = (
        select(
            Item.id,
            Item.ref,
            Item.source,
            _stage(now).label("stage"),
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
        .where(Item.campaign_id == campaign_id)
        .order_by(Item.id)
        .limit(PAGE)
    )
    while rows := connection.execute(statement.where(Item.id > after)).all():
        yield from (_report(row) for row in rows)
        after = rows[-1].id


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


def campaign_hindrance(connection: Connection, campaign_id: str, *, now: datetime) -> str:
    """Why some file of a campaign has to wait, in the words of its last failure; empty if none has to."""
    statement = (
        select(func.coalesce(Asset.detail, Item.detail))
        .select_from(Item)
        .outerjoin(Asset, Asset.id == Item.asset_id)
        .where(
            Item.campaign_id == campaign_id,
            or_(
                and_(Item.state == ItemState.WAITING, Item.not_before > now),
                and_(Asset.state == AssetState.WAITING, Asset.not_before > now),
            ),
        )
        .limit(1)
    )
    return connection.execute(statement).scalar() or ""


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
