"""Deletes: media IDs that are to go at the provider, and what became of each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from greenroom.errors import Misuse
from models.asset import Priority
from models.asset_locks import lock_assets
from models.bulk import among
from models.channel import Channel
from models.locks import lock_rows
from models.media import Media, lock_media
from models.media_reports import MediaReport, media_named
from models.references import campaigns_that_need
from models.wanted_assets import put_aside, put_back


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
        .where(among(Media.id, ids))
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
        .where(among(Media.id, ids))
    )
    return [MediaToDelete(**row) for row in connection.execute(statement).mappings()]


def withdraw(
    connection: Connection,
    channel_id: str,
    media_id: str,
    *,
    now: datetime,
    lease: timedelta,
    force: bool = False,
) -> MediaReport | None:
    """Take an ID out of service that is deleted by hand now; None where nobody here knows it.

    Where it comes to nothing, retiring deletes it once the lease is over. A file that is needed all the same
    goes round again at once.

    Args:
        connection: an open transaction.
        channel_id: whose it is.
        media_id: the provider's ID.
        now: the present.
        lease: how long retiring leaves it alone.
        force: also where a campaign needs it.

    Raises:
        Misuse: a campaign needs it.
    """
    named = media_named(connection, media_id, channel_id=channel_id)
    lock_assets(connection, {row.asset_id for row in named})
    lock_media(connection, named=[(channel_id, media_id)])
    # Read anew: what was seen before the locks may have been replaced.
    found = next(iter(media_named(connection, media_id, channel_id=channel_id)), None)
    if found is None or found.deleted_at is not None:
        return found
    if found.is_current:
        needed_by = campaigns_that_need(connection, found.asset_id, now=now)
        if needed_by and not force:
            raise Misuse(
                f"Media {media_id} is needed by {', '.join(needed_by)}. Cancel that, or force it: then the "
                "file is uploaded anew at once."
            )
        if needed_by:
            first = {"due_at": now, "priority": Priority.CAMPAIGN}
            put_back(connection, [{"id": found.asset_id}], same=first)
        else:
            put_aside(connection, [found.asset_id])
    connection.execute(
        update(Media).where(Media.id == found.id).values(is_current=False, delete_after=now + lease)
    )
    return found


def record_deletes(connection: Connection, media_row_ids: Collection[int], *, now: datetime) -> None:
    """Say that the provider no longer has these IDs."""
    lock_rows(connection, Media, among(Media.id, media_row_ids))
    connection.execute(update(Media).where(among(Media.id, media_row_ids)).values(deleted_at=now))


def postpone_delete(connection: Connection, media_row_id: int, *, until: datetime) -> None:
    """Try again to delete the ID, not before `until`."""
    connection.execute(update(Media).where(Media.id == media_row_id).values(delete_after=until))
