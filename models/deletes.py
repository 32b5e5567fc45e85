"""Deletes: media IDs that are to go at the provider, and what became of each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from models.channel import Channel
from models.locks import lock_rows
from models.media import Media


@dataclass(frozen=True, kw_only=True)
class MediaToDelete:
    """A media ID that is to go, with the channel's address and encrypted key."""

    id: int
    media_id: str
    channel_id: str
    api_key: str
    attempts: int


def claim_deletes(
    connection: Connection, *, now: datetime, lease: timedelta, limit: int
) -> list[MediaToDelete]:
    """Take IDs that are to go; another run leaves them alone until the lease is over."""
    chosen = (
        select(Media.id)
        .join(Channel, Channel.id == Media.channel_id)
        .where(Media.deleted_at.is_(None), Media.delete_after <= now, Channel.paused_at.is_(None))
        .order_by(Media.delete_after)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Media)
    )
    ids = list(connection.execute(chosen).scalars())
    connection.execute(
        update(Media)
        .where(Media.id.in_(ids))
        .values(delete_after=now + lease, delete_attempts=Media.delete_attempts + 1)
    )
    statement = (
        select(
            Media.id,
            Media.media_id,
            Media.channel_id,
            Channel.api_key,
            Media.delete_attempts.label("attempts"),
        )
        .join(Channel, Channel.id == Media.channel_id)
        .where(Media.id.in_(ids))
    )
    return [MediaToDelete(**row) for row in connection.execute(statement).mappings()]


def record_deletes(connection: Connection, media_row_ids: Collection[int], *, now: datetime) -> None:
    """Say that the provider no longer has these IDs."""
    lock_rows(connection, Media, Media.id.in_(media_row_ids))
    connection.execute(update(Media).where(Media.id.in_(media_row_ids)).values(deleted_at=now))


def postpone_delete(connection: Connection, media_row_id: int, *, until: datetime) -> None:
    """Try again to delete the ID, not before `until`."""
    connection.execute(update(Media).where(Media.id == media_row_id).values(delete_after=until))
