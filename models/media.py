"""Media: the IDs that the provider issued, when each was last used, and when it ends."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    ForeignKey,
    Select,
    String,
    UniqueConstraint,
    bindparam,
    select,
    true,
    union,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, OutsideText, UtcDateTime, partial_index
from models.bulk import among_bound, columns_of, given_rows, on_postgresql
from models.locks import locked_rows


class Media(Base):
    """One media ID."""

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("channel_id", "media_id"),
        # An asset is sent with one ID at a time; the database itself sees to it.
        partial_index("uq_media_current", "asset_id", where="is_current", unique=True),
        # Each tick reads what is due, and nothing else.
        partial_index("ix_media_refresh", "refresh_at", where="is_current"),
        partial_index("ix_media_retire", "retire_at", where="is_current"),
        partial_index(
            "ix_media_verify", "channel_id", "verify_at", where="is_current AND verify_at IS NOT NULL"
        ),
        partial_index("ix_media_deleted", "deleted_at", where="deleted_at IS NOT NULL"),
        partial_index(
            "ix_media_to_delete", "delete_after", where="deleted_at IS NULL AND delete_after IS NOT NULL"
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    media_id: Mapped[str] = mapped_column(OutsideText(128))
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"))
    asset_id: Mapped[int] = mapped_column(ForeignKey("assets.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    mime_type: Mapped[str] = mapped_column(String(128))
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: The last use that a scheduler reported; None for an ID that nobody has sent yet.
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Last use (or upload, before any use) and the life that the provider gives.
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_current: Mapped[bool] = mapped_column(default=True)
    #: From when on it may be deleted at the provider; None for an ID in service.
    delete_after: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delete_attempts: Mapped[int] = mapped_column(BigInteger, default=0)
    #: When it is looked at for renewal, while it is current; None until the rules are worked out.
    refresh_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When it is looked at whether anything needs it still, while it is current.
    retire_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When it is looked up at the provider, while it is current; None for never.
    verify_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The last look-up that found it.
    seen_alive_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When the provider refused to say anything of it: it is never looked up again, but renewed.
    doubted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When it was found dead, or was reported so.
    died_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def alive(at: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """A condition on :class:`Media`: it is its asset's current ID, and the provider has it still."""
    return Media.is_current & Media.deleted_at.is_(None) & (Media.expires_at > at)


def live_assets(connection: Connection, asset_ids: Collection[int], *, now: datetime) -> set[int]:
    """Those of the assets that can be sent now."""
    return set(connection.execute(_LIVE, {"assets": list(asset_ids), "now": now}).scalars())


_LIVE = select(Media.asset_id).where(among_bound(Media.asset_id, "assets"), alive(bindparam("now")))


def live_ids_of(connection: Connection, asset_ids: Collection[int], *, now: datetime) -> dict[int, str]:
    """The media ID that each of the assets can be sent with now; those that have none are left out."""
    rows = connection.execute(_LIVE_IDS, {"assets": list(asset_ids), "now": now})
    return {row.asset_id: row.media_id for row in rows}


_LIVE_IDS = select(Media.asset_id, Media.media_id).where(
    among_bound(Media.asset_id, "assets"), alive(bindparam("now"))
)


def live_media_id(connection: Connection, asset_id: int, *, now: datetime) -> str | None:
    """The media ID that the asset can be sent with now; None where it has none."""
    return connection.execute(select(Media.media_id).where(Media.asset_id == asset_id, alive(now))).scalar()


def has_current_media(connection: Connection, asset_id: int) -> bool:
    """Whether the asset has a media ID in service, be it expired."""
    statement = select(true()).where(Media.asset_id == asset_id, Media.is_current)
    return connection.execute(statement).first() is not None


def lock_media(
    connection: Connection, *, current_of: Collection[int] = (), named: Collection[tuple[str, str]] = ()
) -> None:
    """Lock media IDs that are to be written, in the one order; see `models.locks`.

    Args:
        connection: an open transaction.
        current_of: the current IDs of these assets.
        named: and the IDs of these channels and names, as far as they are known.
    """
    if not on_postgresql(connection) or not (current_of or named):
        return
    rows = [{"channel_id": channel_id, "media_id": media_id} for channel_id, media_id in named]
    none: dict[str, list[str]] = {"each_channel_id": [], "each_media_id": []}
    connection.execute(_locked(), {"assets": list(current_of), **(columns_of(rows) if rows else none)}).all()


@cache
def _locked() -> Select[int]:
    current = select(Media.id).where(among_bound(Media.asset_id, "assets"), Media.is_current)
    given = given_rows(Media, ["channel_id", "media_id"])
    both = (Media.channel_id == given.c.channel_id) & (Media.media_id == given.c.media_id)
    named = select(Media.id).join(given, both)
    return locked_rows(Media, Media.id.in_(union(current, named)))
