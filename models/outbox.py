"""The outbox: call-backs that are to be delivered, written in the transaction that finds out what they say.

What is written there is delivered, however often a worker dies: each row is leased to one that tries, and
comes back when the lease is over. So a receiver may be asked twice where the first answer was lost; what it
is told has the same ID then. Of one campaign, version and event there is one row; of an event that may come
again, one for each number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ForeignKey,
    String,
    Text,
    UniqueConstraint,
    func,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.callbacks.payload import CallbackEvent, CallbackPayload
from greenroom.callbacks.target import CallbackTarget
from models.base import Base, Sentence, UtcDateTime, partial_index
from models.bulk import among, on_postgresql
from models.callback import Callback, WatchedCampaign
from models.upsert import insert


class OutboxRow(Base):
    """One call-back, from its event to its delivery."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("campaign_id", "version", "event", "number"),
        partial_index("ix_outbox_due_at", "due_at", where="due_at IS NOT NULL"),
    )

    #: What the receiver knows it by.
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id"))
    version: Mapped[int] = mapped_column(BigInteger)
    event: Mapped[str] = mapped_column(String(32))
    number: Mapped[int] = mapped_column(BigInteger, default=0)
    #: JSON: a `greenroom.callbacks.payload.CallbackPayload`; the same bytes each time.
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: When it is tried (again); NULL once it was delivered or given up.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    given_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Why the last attempt came to nothing.
    failure: Mapped[str] = mapped_column(Sentence, default="")


@dataclass(frozen=True, kw_only=True)
class DueCallback:
    """One that this process may deliver until its lease is over; the attempt is counted already."""

    id: str
    campaign_id: str
    event: CallbackEvent
    body: str
    target: CallbackTarget
    attempts: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class UndeliveredCallback:
    """One that has failed."""

    campaign_id: str
    event: CallbackEvent
    created_at: datetime
    attempts: int
    given_up_at: datetime | None
    failure: str


def put_in_outbox(connection: Connection, payload: CallbackPayload, *, number: int = 0) -> bool:
    """Write what is to be delivered; returns False where the same was written before, and nothing is now."""
    data = payload.data
    statement = insert(OutboxRow, postgresql=on_postgresql(connection)).values(
        id=payload.id,
        campaign_id=data.campaign_id,
        version=data.version,
        event=payload.type,
        number=number,
        body=payload.model_dump_json(exclude_none=True),
        created_at=payload.timestamp,
        due_at=payload.timestamp,
    )
    written = statement.on_conflict_do_nothing(
        index_elements=[OutboxRow.campaign_id, OutboxRow.version, OutboxRow.event, OutboxRow.number]
    )
    return connection.execute(written.returning(OutboxRow.id)).first() is not None


def latest_number(connection: Connection, watched: WatchedCampaign, event: CallbackEvent) -> int:
    """The greatest number of what was written of an event, of this version; 0 for none."""
    statement = select(func.max(OutboxRow.number)).where(_is_of(watched, event))
    return connection.execute(statement).scalar() or 0


def latest_callback(
    connection: Connection, watched: WatchedCampaign, event: CallbackEvent
) -> CallbackPayload | None:
    """What was written last of an event, of this version."""
    statement = select(OutboxRow.body).where(_is_of(watched, event)).order_by(OutboxRow.number.desc())
    body = connection.execute(statement.limit(1)).scalar()
    return None if body is None else CallbackPayload.model_validate_json(body)


def was_told_since(
    connection: Connection, watched: WatchedCampaign, event: CallbackEvent, *, since: datetime
) -> bool:
    """Whether something of an event, of this version, was written after a moment, or at it."""
    statement = select(OutboxRow.id).where(_is_of(watched, event), OutboxRow.created_at >= since)
    return connection.execute(statement.limit(1)).first() is not None


def _is_of(watched: WatchedCampaign, event: CallbackEvent) -> ColumnElement[bool]:
    mine = (OutboxRow.campaign_id == watched.campaign_id) & (OutboxRow.version == watched.version)
    return mine & (OutboxRow.event == event)


def anything_due(connection: Connection, *, now: datetime) -> bool:
    """Whether something is to be delivered by now."""
    return (
        connection.execute(select(OutboxRow.id).where(OutboxRow.due_at <= now).limit(1)).first() is not None
    )


def claim_due(connection: Connection, *, now: datetime, lease: timedelta, limit: int) -> list[DueCallback]:
    """Take what is due, the longest due first; others leave it alone until the lease is over."""
    chosen = (
        select(OutboxRow.id)
        .where(OutboxRow.due_at <= now)
        .order_by(OutboxRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(chosen).scalars())
    if not ids:
        return []
    connection.execute(
        update(OutboxRow)
        .where(among(OutboxRow.id, ids))
        .values(due_at=now + lease, attempts=OutboxRow.attempts + 1)
    )
    statement = (
        select(
            OutboxRow.id,
            OutboxRow.campaign_id,
            OutboxRow.event,
            OutboxRow.body,
            Callback.target,
            OutboxRow.attempts,
            OutboxRow.created_at,
        )
        .join(Callback, Callback.campaign_id == OutboxRow.campaign_id)
        .where(among(OutboxRow.id, ids))
        .order_by(OutboxRow.created_at)
    )
    return [
        DueCallback(
            **{
                **row,
                "event": CallbackEvent(row["event"]),
                "target": CallbackTarget.model_validate_json(row["target"]),
            }
        )
        for row in connection.execute(statement).mappings()
    ]


def record_delivery(connection: Connection, callback_id: str, *, now: datetime) -> bool:
    """Say that the receiver has it; returns False where that was said before."""
    return _end(connection, callback_id, delivered_at=now, failure="")


def give_up_delivery(connection: Connection, callback_id: str, *, now: datetime, failure: str) -> bool:
    """Try no more to deliver it."""
    return _end(connection, callback_id, given_up_at=now, failure=failure)


def _end(connection: Connection, callback_id: str, **values: datetime | str) -> bool:
    # Whatever another one says who tried it, too: what was delivered was.
    ended = update(OutboxRow).where(OutboxRow.id == callback_id, OutboxRow.delivered_at.is_(None))
    return connection.execute(ended.values(due_at=None, **values)).rowcount == 1


def postpone_delivery(connection: Connection, due: DueCallback, *, until: datetime, failure: str) -> None:
    """Try again later; not where somebody else has tried it since."""
    connection.execute(
        update(OutboxRow)
        .where(OutboxRow.id == due.id, OutboxRow.attempts == due.attempts, OutboxRow.due_at.is_not(None))
        .values(due_at=until, failure=failure)
    )


def undelivered_callbacks(
    connection: Connection, *, given_up_since: datetime, limit: int
) -> list[UndeliveredCallback]:
    """Those that have failed and are tried again, or were given up since a moment; the oldest first."""
    columns = (
        OutboxRow.campaign_id,
        OutboxRow.event,
        OutboxRow.created_at,
        OutboxRow.attempts,
        OutboxRow.given_up_at,
        OutboxRow.failure,
    )
    failed = OutboxRow.due_at.is_not(None) & (OutboxRow.failure != "")
    statement = (
        select(*columns)
        .where(failed | (OutboxRow.given_up_at >= given_up_since))
        .order_by(OutboxRow.created_at)
        .limit(limit)
    )
    return [
        UndeliveredCallback(**{**row, "event": CallbackEvent(row["event"])})
        for row in connection.execute(statement).mappings()
    ]
