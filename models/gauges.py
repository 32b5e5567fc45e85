"""How things stand in the tables at one moment, for metrics: each number through an index, none by campaign.

What waits is counted, so a scrape costs as much as there is in the backlog: half a second at a million files
(`make bench-scrape`). The rest is a few rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute

from models.asset import Asset, AssetState, Priority
from models.campaign import Campaign
from models.channel import Channel
from models.item import Item, ItemState
from models.life_rules import RulesOf, rules_by_life
from models.lookups import FAILURE_WINDOW, FAILURES_ALLOWED, LookupFailure
from models.media import Media
from models.references import needed_now
from models.states import in_state

#: Media IDs among which the one that ends next is looked for: those that are looked at for renewal next.
NEXT_RENEWALS = 1_000


@dataclass(frozen=True, kw_only=True)
class WaitingFiles:
    """What waits for one sort of work on one channel.

    Attributes:
        files: how many.
        first_id: the lowest row ID among them: the file that came first.
        due_at: the earliest send time among them; None where it is not asked for.
    """

    files: int = 0
    first_id: int = 0
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ChannelGauges:
    """How things stand on one channel.

    Attributes:
        channel_id: which.
        paused: whether nothing is handed out on it.
        inspections: files to be looked at.
        uploads: files to be uploaded.
        lookups_left: look-ups that may still fail within the hour.
    """

    channel_id: str
    paused: bool
    inspections: WaitingFiles
    uploads: WaitingFiles
    lookups_left: int


@dataclass(frozen=True, kw_only=True)
class Gauges:
    """How things stand.

    Attributes:
        channels: all, those that were added first before the others.
        inspecting: files that are with a worker, to be looked at.
        uploading: likewise, to be uploaded.
        failed: assets that were given up.
        campaigns_at_risk: that will not be ready when they are sent.
        possible_orphans: uploads that may have arrived unseen.
        media: IDs by state: ``current``, ``replaced`` (to be deleted), ``deleted``.
        next_end: when the next ID ends that a campaign needs; None where none is needed.
    """

    channels: tuple[ChannelGauges, ...]
    inspecting: int
    uploading: int
    failed: int
    campaigns_at_risk: int
    possible_orphans: int
    media: Mapping[str, int]
    next_end: datetime | None


def read_gauges(connection: Connection, *, now: datetime, rules_of: RulesOf) -> Gauges:
    """Read them all.

    Args:
        connection: an open transaction.
        now: the present.
        rules_of: the channels' rules, which say when an ID ends.
    """
    renewals_end = _earliest_renewal(connection)
    ends = [*_ends(connection, now=now, rules_of=rules_of), *([renewals_end] if renewals_end else [])]
    at_risk = Campaign.at_risk_since.is_not(None) & Campaign.cancelled_at.is_(None)
    return Gauges(
        channels=tuple(_channels(connection, now=now)),
        inspecting=_count(connection, in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING)),
        uploading=_count(connection, in_state(Asset.state, AssetState.CLAIMED, AssetState.UPLOADING)),
        failed=_count(connection, in_state(Asset.state, AssetState.FAILED)),
        campaigns_at_risk=_count(connection, at_risk & (Campaign.keep_until > now)),
        possible_orphans=possible_orphans(connection),
        media={
            "current": _count(connection, Media.is_current),
            "replaced": _count(connection, Media.deleted_at.is_(None) & Media.delete_after.is_not(None)),
            "deleted": _count(connection, Media.deleted_at.is_not(None)),
        },
        next_end=min(ends, default=None),
    )


def possible_orphans(connection: Connection) -> int:
    """Uploads that may have arrived without an answer, so that nobody has their IDs."""
    lost = select(func.coalesce(func.sum(Asset.lost_answers), 0)).where(
        Asset.lost_answers > literal_column("0")  # in the text of the statement, as its index has it
    )
    return int(connection.execute(lost).scalar_one())


def _count(connection: Connection, condition: ColumnElement[bool] | InstrumentedAttribute[bool]) -> int:
    return int(connection.execute(select(func.count()).where(condition)).scalar_one())


def _channels(connection: Connection, *, now: datetime) -> Iterator[ChannelGauges]:
    inspections, uploads = _inspections(connection), _uploads(connection)
    failures = (
        select(LookupFailure.channel_id, func.count())
        .where(LookupFailure.at > now - FAILURE_WINDOW)
        .group_by(LookupFailure.channel_id)
    )
    failed = {row[0]: row[1] for row in connection.execute(failures)}
    every = select(Channel.id, Channel.paused_at).order_by(Channel.created_at, Channel.id)
    for channel_id, paused_at in connection.execute(every):
        yield ChannelGauges(
            channel_id=channel_id,
            paused=paused_at is not None,
            inspections=inspections.get(channel_id, WaitingFiles()),
            uploads=uploads.get(channel_id, WaitingFiles()),
            lookups_left=max(FAILURES_ALLOWED - failed.get(channel_id, 0), 0),
        )


def _inspections(connection: Connection) -> dict[str, WaitingFiles]:
    # By campaign first, as the index has them: so no row of the table itself is read.
    waiting = (
        select(Item.campaign_id, func.count().label("files"), func.min(Item.id).label("first_id"))
        .where(in_state(Item.state, ItemState.WAITING))
        .group_by(Item.campaign_id)
        .subquery()
    )
    statement = (
        select(Campaign.channel_id, func.sum(waiting.c.files), func.min(waiting.c.first_id))
        .join(waiting, waiting.c.campaign_id == Campaign.id)
        .where(Campaign.cancelled_at.is_(None))
        .group_by(Campaign.channel_id)
    )
    return {
        channel_id: WaitingFiles(files=int(files), first_id=first_id)
        for channel_id, files, first_id in connection.execute(statement)
    }


def _uploads(connection: Connection) -> dict[str, WaitingFiles]:
    statement = (
        select(Asset.channel_id, func.count(), func.min(Asset.id), func.min(Asset.due_at))
        .where(in_state(Asset.state, AssetState.WAITING))
        .group_by(Asset.channel_id)
    )
    return {
        channel_id: WaitingFiles(files=files, first_id=first_id, due_at=due_at)
        for channel_id, files, first_id, due_at in connection.execute(statement)
    }


def _earliest_renewal(connection: Connection) -> datetime | None:
    """Of renewals in the backlog: they are due when their ID ends."""
    first = select(func.min(Asset.due_at)).where(
        in_state(Asset.state, AssetState.WAITING),
        Asset.channel_id == Channel.id,
        Asset.priority == Priority.REFRESH,
    )
    statement = select(func.min(first.correlate(Channel).scalar_subquery()))
    found: datetime | None = connection.execute(statement).scalar()
    return found


def _ends(connection: Connection, *, now: datetime, rules_of: RulesOf) -> list[datetime]:
    """The ends of needed IDs that are looked at next for renewal, or whose renewal was given up."""
    columns = (Media.asset_id, Media.uploaded_at, Media.last_used_at, Channel.media_life_seconds)
    next_ = select(*columns).join(Channel, Channel.id == Media.channel_id).where(Media.is_current)
    given_up = next_.join(Asset, Asset.id == Media.asset_id).where(in_state(Asset.state, AssetState.FAILED))
    rows: list[Any] = [
        *connection.execute(next_.order_by(Media.refresh_at).limit(NEXT_RENEWALS)),
        *connection.execute(given_up.limit(NEXT_RENEWALS)),
    ]
    needed = needed_now(connection, {row.asset_id for row in rows}, now=now)
    rules = rules_by_life(connection, rules_of)
    return [
        rules[row.media_life_seconds].end(row.uploaded_at, row.last_used_at)
        for row in rows
        if row.asset_id in needed
    ]
