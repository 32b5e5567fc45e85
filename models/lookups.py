"""Look-ups at the provider: which IDs are due for one, and how many may still fail on a number.

The page names two thresholds: 20 error responses within 60 minutes, and more than five failed requests within
one hour, after which look-ups of the number are blocked for an hour. Greenroom stays under the stricter one
with a failure to spare. A failure is booked before the look-up and taken back when it succeeds, so that a
worker that dies in between has counted too much and never too little; and it is booked in the database, so
that all processes share one count and no restart forgets it.

The second threshold speaks of "failed requests to the `/media` endpoint", which is the one of uploads. They
may be meant, too, so they are booked here as well, unless a setting says that they do not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, ForeignKey, Index, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.lifecycle import LifeRules
from models.base import Base, BigKey, UtcDateTime
from models.bulk import among, update_rows
from models.channel import Channel, note_life
from models.locks import lock_rows
from models.media import Media
from models.references import needed_now

#: Failed look-ups that a number may have within the window: one less than the page's five.
FAILURES_ALLOWED = 4
FAILURE_WINDOW = timedelta(hours=1)
#: Look-ups of one ID that two runs must not both begin.
LOOKUP_LEASE = timedelta(minutes=30)


class LookupFailure(Base):
    """A look-up that failed, or one in flight that may; or an upload that failed."""

    __tablename__ = "lookup_failures"
    __table_args__ = (Index("ix_lookup_failures_channel_id_at", "channel_id", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, kw_only=True)
class DueLookup:
    """A media ID that is to be looked up."""

    id: int
    media_id: str
    uploaded_at: datetime


def book_failure(connection: Connection, channel_id: str, *, now: datetime) -> int | None:
    """Book a failure before a look-up, to be taken back if it succeeds; None where there is no room for one.

    Several look-ups may share a booking, one after the other, until one of them fails.
    """
    # Whoever books on the same number at the same time waits here.
    lock_rows(connection, Channel, Channel.id == channel_id)
    counted = connection.execute(
        select(func.count()).where(
            LookupFailure.channel_id == channel_id,
            LookupFailure.at > now - FAILURE_WINDOW,
        )
    ).scalar_one()
    if counted >= FAILURES_ALLOWED:
        return None
    result = connection.execute(insert(LookupFailure).values(channel_id=channel_id, at=now))
    key = result.inserted_primary_key
    if key is None:
        raise AssertionError("an INSERT of one row answers its key")
    return int(key[0])


def lock_bookings(connection: Connection, bookings: Collection[int]) -> None:
    """Lock bookings whose look-ups are to be counted or not, in the one order; see `models.locks`."""
    lock_rows(connection, LookupFailure, among(LookupFailure.id, bookings))


def take_back(connection: Connection, booking: int) -> None:
    """The look-up succeeded: it counts for nothing."""
    connection.execute(delete(LookupFailure).where(LookupFailure.id == booking))


def count_at(connection: Connection, booking: int, *, at: datetime) -> None:
    """The look-up failed at this moment; the window counts from here, not from when it was booked."""
    connection.execute(update(LookupFailure).where(LookupFailure.id == booking).values(at=at))


def note_failures(connection: Connection, channel_id: str, moments: Iterable[datetime]) -> None:
    """Uploads of the number failed at these moments, which may count as failed look-ups do.

    Only as many are noted as a window may hold: with those it is full.
    """
    rows = [{"channel_id": channel_id, "at": at} for at in sorted(moments)[-FAILURES_ALLOWED:]]
    if rows:
        connection.execute(insert(LookupFailure), rows)


def no_more_lookups(connection: Connection, channel_id: str, *, now: datetime) -> None:
    """The provider blocks look-ups of this number: ask for nothing within the next window."""
    rows = [{"channel_id": channel_id, "at": now} for _ in range(FAILURES_ALLOWED)]
    connection.execute(insert(LookupFailure), rows)


def room_at(connection: Connection, channel_id: str, *, now: datetime) -> datetime:
    """When a look-up of the number may be tried again."""
    statement = (
        select(LookupFailure.at)
        .where(LookupFailure.channel_id == channel_id, LookupFailure.at > now - FAILURE_WINDOW)
        .order_by(LookupFailure.at.desc())
        .offset(FAILURES_ALLOWED - 1)
        .limit(1)
    )
    oldest = connection.execute(statement).scalar()
    return now if oldest is None else oldest + FAILURE_WINDOW


def channels_to_verify(connection: Connection, *, now: datetime) -> list[str]:
    """The running channels that have an ID which is due for a look-up."""
    due = (
        select(Media.id)
        .where(
            Media.channel_id == Channel.id,
            Media.is_current,
            Media.verify_at.is_not(None),
            Media.verify_at <= now,
        )
        .correlate(Channel)
        .exists()
    )
    statement = select(Channel.id).where(Channel.paused_at.is_(None), due).order_by(Channel.id)
    return list(connection.execute(statement).scalars())


def claim_lookups(
    connection: Connection, channel_id: str, *, now: datetime, rules: LifeRules, limit: int
) -> list[DueLookup]:
    """Take needed IDs that are due for a look-up; what nothing needs is not looked up."""
    due = (
        select(Media.id, Media.media_id, Media.asset_id, Media.uploaded_at)
        .where(
            Media.channel_id == channel_id,
            Media.is_current,
            Media.verify_at.is_not(None),
            Media.verify_at <= now,
        )
        .order_by(Media.verify_at, Media.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(due).all()
    needed = needed_now(connection, {row.asset_id for row in rows}, now=now)
    taken = [row for row in rows if row.asset_id in needed]
    _look_up_at(connection, [row.id for row in taken], now + LOOKUP_LEASE)
    _look_up_at(connection, [row.id for row in rows if row.asset_id not in needed], now + rules.verify_every)
    return [DueLookup(id=row.id, media_id=row.media_id, uploaded_at=row.uploaded_at) for row in taken]


def _look_up_at(connection: Connection, ids: Collection[int], at: datetime | None) -> None:
    connection.execute(update(Media).where(among(Media.id, ids)).values(verify_at=at))


def lock_lookups(connection: Connection, lookups: Iterable[DueLookup]) -> None:
    """Lock the IDs of look-ups whose outcomes are to be written, in the one order; see `models.locks`."""
    lock_rows(connection, Media, among(Media.id, [lookup.id for lookup in lookups]))


def return_lookups(connection: Connection, lookups: Iterable[DueLookup], *, now: datetime) -> None:
    """Look-ups that were taken and not made: they stay due."""
    _look_up_at(connection, [lookup.id for lookup in lookups], now)


def record_alive(
    connection: Connection,
    channel_id: str,
    lookups: Collection[DueLookup],
    *,
    now: datetime,
    rules: LifeRules,
) -> None:
    """Write down that these IDs were found at the provider."""
    if lookups:
        update_rows(
            connection,
            Media,
            [
                {"id": one.id, "seen_alive_at": now, "verify_at": rules.verify_at(one.uploaded_at, now)}
                for one in lookups
            ],
        )
        note_life(connection, channel_id, max(now - lookup.uploaded_at for lookup in lookups))


def record_doubt(connection: Connection, lookup: DueLookup, *, now: datetime) -> None:
    """The provider refused to say: this ID is not asked for again, but renewed at once."""
    connection.execute(
        update(Media).where(Media.id == lookup.id).values(verify_at=None, refresh_at=now, doubted_at=now)
    )


def drop_old_failures(connection: Connection, *, now: datetime) -> None:
    """Drop what no window counts any more."""
    old = select(LookupFailure.id).where(LookupFailure.at <= now - 2 * FAILURE_WINDOW)
    ids = list(connection.execute(old.with_for_update(skip_locked=True)).scalars())
    connection.execute(delete(LookupFailure).where(among(LookupFailure.id, ids)))
