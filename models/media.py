"""Media: the IDs that the provider issued, when each was last used, and when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    bindparam,
    false,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.asset import Asset, AssetState, Priority
from models.base import Base, BigKey, Moment
from models.channel import Channel
from models.item import Item
from models.need import needed
from models.upsert import insert


class Media(Base):
    """One media ID."""

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("channel_id", "media_id"),
        # An asset is sent with one ID at a time; the database itself sees to it.
        Index(
            "uq_media_current",
            "asset_id",
            unique=True,
            postgresql_where=text("is_current"),
            sqlite_where=text("is_current"),
        ),
        Index(
            "ix_media_uploaded",
            "uploaded_at",
            postgresql_where=text("is_current"),
            sqlite_where=text("is_current"),
        ),
        Index(
            "ix_media_expires",
            "expires_at",
            postgresql_where=text("is_current"),
            sqlite_where=text("is_current"),
        ),
        Index(
            "ix_media_to_delete",
            "delete_after",
            postgresql_where=text("deleted_at IS NULL AND delete_after IS NOT NULL"),
            sqlite_where=text("deleted_at IS NULL AND delete_after IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    media_id: Mapped[str] = mapped_column(String(128))
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"))
    asset_id: Mapped[int] = mapped_column(ForeignKey("assets.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    mime_type: Mapped[str] = mapped_column(String(128))
    uploaded_at: Mapped[datetime] = mapped_column(Moment)
    #: The last use that a scheduler reported; None for an ID that nobody has sent yet.
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
    #: Last use (or upload, before any use) and the life that the provider gives.
    expires_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    is_current: Mapped[bool] = mapped_column(default=True)
    #: From when on it may be deleted at the provider; None for an ID in service.
    delete_after: Mapped[datetime | None] = mapped_column(Moment)
    delete_attempts: Mapped[int] = mapped_column(BigInteger, default=0)


@dataclass(frozen=True, kw_only=True)
class Use:
    """A report that a message was sent with a media ID."""

    channel_id: str
    media_id: str
    used_at: datetime


@dataclass(frozen=True, kw_only=True)
class MediaToDelete:
    """A media ID that is to go, with the channel's address and encrypted key."""

    id: int
    media_id: str
    channel_id: str
    api_key: str
    attempts: int


def alive(at: datetime) -> ColumnElement[bool]:
    """A condition on :class:`Media`: it is its asset's current ID, and the provider has it still."""
    return Media.is_current & Media.deleted_at.is_(None) & (Media.expires_at > at)


def has_live_media(connection: Connection, asset_id: int, *, now: datetime) -> bool:
    """Whether the asset can be sent now."""
    statement = select(true()).where(Media.asset_id == asset_id, alive(now))
    return connection.execute(statement).first() is not None


def has_current_media(connection: Connection, asset_id: int) -> bool:
    """Whether the asset has a media ID in service, be it expired."""
    statement = select(true()).where(Media.asset_id == asset_id, Media.is_current)
    return connection.execute(statement).first() is not None


def record_media(
    connection: Connection,
    *,
    asset_id: int,
    media_id: str,
    now: datetime,
    life: timedelta,
    grace: timedelta,
    current: bool,
) -> None:
    """Write an ID that the provider gave; the one that it replaces stays for a grace period.

    Args:
        connection: an open transaction, in which the claim was proved to be held (or lost).
        asset_id: whose ID it is.
        media_id: the provider's ID.
        now: when it was uploaded.
        life: how long the provider keeps it.
        grace: how long the ID that it replaces stays, for messages in flight.
        current: False for an upload whose claim was lost meanwhile: nobody will use it, so it is deleted
            at the next chance instead of being forgotten at the provider.
    """
    if current:
        connection.execute(
            update(Media)
            .where(Media.asset_id == asset_id, Media.is_current, Media.media_id != media_id)
            .values(is_current=false(), delete_after=now + grace)
        )
    asset = connection.execute(
        select(Asset.channel_id, Asset.sha256, Asset.mime_type).where(Asset.id == asset_id)
    ).one()
    statement = insert(connection, Media).values(
        media_id=media_id,
        channel_id=asset.channel_id,
        asset_id=asset_id,
        sha256=asset.sha256,
        mime_type=asset.mime_type,
        uploaded_at=now,
        expires_at=now + life,
        is_current=current,
        delete_after=None if current else now,
    )
    # A provider that answers the same content with the same ID again has renewed it.
    renewed: dict[str, object] = {"uploaded_at": now, "expires_at": now + life}
    if current:
        renewed |= {"is_current": true(), "delete_after": None, "deleted_at": None}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[Media.channel_id, Media.media_id], set_=renewed)
    )


def resolve(
    connection: Connection, campaign_id: str, *, refs: Sequence[str] | None, now: datetime
) -> dict[str, str]:
    """The live media ID of each of a campaign's refs; those without one are left out.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        refs: the scheduler's own references; None for all.
        now: the moment at which the IDs are to be alive.
    """
    statement = (
        select(Item.ref, Media.media_id)
        .join(Media, Media.asset_id == Item.asset_id)
        .where(Item.campaign_id == campaign_id, alive(now))
    )
    if refs is not None:
        statement = statement.where(Item.ref.in_(refs))
    return {row.ref: row.media_id for row in connection.execute(statement)}


def mark_used(connection: Connection, uses: Iterable[Use], *, life: timedelta) -> None:
    """Record uses, in any order and as often as they are reported: the last use never goes back."""
    latest: dict[tuple[str, str], datetime] = {}
    for use in uses:
        key = (use.channel_id, use.media_id)
        latest[key] = max(use.used_at, latest.get(key, use.used_at))
    if not latest:
        return
    statement = (
        update(Media)
        .where(
            Media.channel_id == bindparam("of_channel"),
            Media.media_id == bindparam("of_media"),
            or_(Media.last_used_at.is_(None), Media.last_used_at < bindparam("at")),
            # An ID lives on from its upload; a use reported from before it says nothing.
            Media.uploaded_at <= bindparam("at"),
        )
        .values(last_used_at=bindparam("at", type_=Moment), expires_at=bindparam("until", type_=Moment))
    )
    # In one order for all: two batches that share IDs must not lock them crosswise.
    connection.execute(
        statement,
        [
            {"of_channel": channel, "of_media": media, "at": at, "until": at + life}
            for (channel, media), at in sorted(latest.items())
        ],
    )


def queue_refreshes(
    connection: Connection,
    *,
    now: datetime,
    life: timedelta,
    margin: timedelta,
    trust_last_use: bool,
    limit: int,
) -> int:
    """Send needed assets whose media ID nears its end round again; the old ID serves until the swap."""
    near_its_end = Media.expires_at <= now + margin
    if not trust_last_use:
        near_its_end = or_(near_its_end, Media.uploaded_at <= now + margin - life)
    due = (
        select(Asset.id, Media.expires_at)
        .join(Media, Media.asset_id == Asset.id)
        .where(
            Media.is_current,
            near_its_end,
            Asset.state.in_((AssetState.READY, AssetState.FAILED)),
            or_(Asset.not_before.is_(None), Asset.not_before <= now),
            needed(now),
        )
        .order_by(Media.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Asset)
    )
    rows = connection.execute(due).all()
    for row in rows:
        connection.execute(
            update(Asset)
            .where(Asset.id == row.id)
            .values(
                state=AssetState.WAITING,
                priority=Priority.REFRESH,
                due_at=row.expires_at,
                attempts=0,
                not_before=None,
            )
        )
    return len(rows)


def retire_unneeded(connection: Connection, *, now: datetime, keep_after: timedelta, limit: int) -> int:
    """Take the media IDs that nothing needs out of service; answers how many.

    In two steps on purpose: the first locks the assets, the second asks again whether they are needed, with
    all that was committed until the lock was had. A campaign that wants one of them meanwhile either came
    first and is seen, or comes after and finds no media ID, so that it uploads anew.
    """
    unneeded = ~needed(now - keep_after)
    candidates = (
        select(Asset.id)
        .join(Media, Media.asset_id == Asset.id)
        .where(
            Media.is_current,
            Asset.state.in_((AssetState.READY, AssetState.FAILED, AssetState.WAITING)),
            unneeded,
        )
        .order_by(Asset.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Asset)
    )
    locked = list(connection.execute(candidates).scalars())
    retired = list(
        connection.execute(
            update(Asset)
            .where(Asset.id.in_(locked), unneeded)
            .values(state=AssetState.IDLE, not_before=None, reason=None, detail="")
            .returning(Asset.id)
        ).scalars()
    )
    connection.execute(
        update(Media)
        .where(Media.asset_id.in_(retired), Media.is_current)
        .values(is_current=false(), delete_after=now)
    )
    return len(retired)


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


def record_delete(connection: Connection, media_row_id: int, *, now: datetime) -> None:
    """Say that the provider no longer has the ID."""
    connection.execute(update(Media).where(Media.id == media_row_id).values(deleted_at=now))


def postpone_delete(connection: Connection, media_row_id: int, *, until: datetime) -> None:
    """Try again to delete the ID, not before `until`."""
    connection.execute(update(Media).where(Media.id == media_row_id).values(delete_after=until))


@dataclass(frozen=True, kw_only=True)
class MediaReport:
    """All that there is to say of one media ID."""

    media_id: str
    channel_id: str
    file_name: str
    uploaded_at: datetime
    last_used_at: datetime | None
    expires_at: datetime
    deleted_at: datetime | None
    is_current: bool


def list_media(
    connection: Connection, *, now: datetime, channel_id: str | None, also_gone: bool, limit: int
) -> list[MediaReport]:
    """Media IDs, the next to expire first; those that are gone only where asked for."""
    statement = (
        select(
            Media.media_id,
            Media.channel_id,
            Asset.file_name,
            Media.uploaded_at,
            Media.last_used_at,
            Media.expires_at,
            Media.deleted_at,
            Media.is_current,
        )
        .join(Asset, Asset.id == Media.asset_id)
        .order_by(Media.expires_at, Media.id)
        .limit(limit)
    )
    if channel_id is not None:
        statement = statement.where(Media.channel_id == channel_id)
    if not also_gone:
        statement = statement.where(Media.deleted_at.is_(None), Media.expires_at > now)
    return [MediaReport(**row) for row in connection.execute(statement).mappings()]
