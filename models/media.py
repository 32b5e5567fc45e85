"""Media: the IDs that the provider issued, when each was last used, and when it ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Select,
    String,
    UniqueConstraint,
    Update,
    bindparam,
    false,
    select,
    text,
    true,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.lifecycle import LifeRules
from models.asset import Asset
from models.base import Base, BigKey, OutsideText, UtcDateTime
from models.bulk import among_bound, columns_of, given_rows, insert_rows, on_postgresql
from models.item import Item
from models.locks import locked_rows


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
        # Each tick reads what is due, and nothing else.
        Index(
            "ix_media_refresh",
            "refresh_at",
            postgresql_where=text("is_current"),
            sqlite_where=text("is_current"),
        ),
        Index(
            "ix_media_retire",
            "retire_at",
            postgresql_where=text("is_current"),
            sqlite_where=text("is_current"),
        ),
        Index(
            "ix_media_verify",
            "channel_id",
            "verify_at",
            postgresql_where=text("is_current AND verify_at IS NOT NULL"),
            sqlite_where=text("is_current AND verify_at IS NOT NULL"),
        ),
        Index(
            "ix_media_deleted",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL"),
            sqlite_where=text("deleted_at IS NOT NULL"),
        ),
        Index(
            "ix_media_to_delete",
            "delete_after",
            postgresql_where=text("deleted_at IS NULL AND delete_after IS NOT NULL"),
            sqlite_where=text("deleted_at IS NULL AND delete_after IS NOT NULL"),
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
    statement = _live(postgresql=on_postgresql(connection))
    return set(connection.execute(statement, {"assets": list(asset_ids), "now": now}).scalars())


@cache
def _live(*, postgresql: bool) -> Select[int]:
    mine = among_bound(Media.asset_id, "assets", postgresql=postgresql)
    return select(Media.asset_id).where(mine, alive(bindparam("now")))


def has_current_media(connection: Connection, asset_id: int) -> bool:
    """Whether the asset has a media ID in service, be it expired."""
    statement = select(true()).where(Media.asset_id == asset_id, Media.is_current)
    return connection.execute(statement).first() is not None


@dataclass(frozen=True, kw_only=True)
class GivenId:
    """A media ID that the provider gave.

    Attributes:
        asset_id: whose it is.
        channel_id: on which channel.
        rules: of the channel's media IDs.
        sha256: of the content that was sent.
        mime_type: that it was sent with.
        media_id: the provider's ID.
        at: when it was given.
        look_at: when it is looked at whether anything needs it still.
        current: False for an upload whose claim was lost meanwhile: nobody will use it, so it is deleted at
            the next chance instead of being forgotten at the provider.
    """

    asset_id: int
    channel_id: str
    rules: LifeRules
    sha256: str
    mime_type: str
    media_id: str
    at: datetime
    look_at: datetime
    current: bool


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
    current = select(Media.id).where(among_bound(Media.asset_id, "assets", postgresql=True), Media.is_current)
    given = given_rows(Media, ["channel_id", "media_id"])
    both = (Media.channel_id == given.c.channel_id) & (Media.media_id == given.c.media_id)
    named = select(Media.id).join(given, both)
    return locked_rows(Media, Media.id.in_(union(current, named)))


def record_media(
    connection: Connection,
    given: Sequence[GivenId],
    *,
    grace: timedelta,
    current_of: Collection[int] = (),
    named: Collection[tuple[str, str]] = (),
) -> None:
    """Write IDs that the provider gave; those that they replace stay for a grace period.

    Args:
        connection: an open transaction, in which each claim was proved to be held (or lost), and its asset
            locked by that.
        given: the IDs, of different assets.
        grace: how long an ID that is replaced stays, for messages in flight.
        current_of: assets whose IDs are written afterwards, and are locked with the others; see `lock_media`.
        named: IDs that are written afterwards.
    """
    taken = {one.asset_id: one for one in given if one.current}
    lock_media(
        connection,
        current_of={*taken, *current_of},
        # A provider may answer an ID that it gave before.
        named={*((one.channel_id, one.media_id) for one in given), *named},
    )
    if taken:
        connection.execute(
            _replaced(postgresql=on_postgresql(connection)),
            {
                "assets": list(taken),
                "ids": [one.media_id for one in taken.values()],
                "ends_at": max(one.at for one in taken.values()) + grace,
            },
        )
    for current in (True, False):
        for rows in _each_id_once([_row(one) for one in given if one.current is current]):
            _insert(connection, rows, current=current)


@cache
def _replaced(*, postgresql: bool) -> Update:
    return (
        update(Media)
        .where(
            among_bound(Media.asset_id, "assets", postgresql=postgresql),
            Media.is_current,
            ~among_bound(Media.media_id, "ids", postgresql=postgresql),
        )
        .values(is_current=false(), delete_after=bindparam("ends_at"))
    )


def _each_id_once(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows in parts such that one statement has each ID once: a provider may answer one ID twice."""
    while rows:
        part = {(row["channel_id"], row["media_id"]): row for row in reversed(rows)}
        yield [row for row in rows if part[row["channel_id"], row["media_id"]] is row]
        rows = [row for row in rows if part[row["channel_id"], row["media_id"]] is not row]


def _row(one: GivenId) -> dict[str, Any]:
    return {
        "media_id": one.media_id,
        "channel_id": one.channel_id,
        "asset_id": one.asset_id,
        "sha256": one.sha256,
        "mime_type": one.mime_type,
        "delete_after": None if one.current else one.at,
        "uploaded_at": one.at,
        "expires_at": one.rules.expires_at(one.at, None),
        "refresh_at": one.rules.refresh_at(one.at, None, lot=one.asset_id),
        "retire_at": one.look_at,
        "verify_at": one.rules.verify_at(one.at, None),
    }


#: What a provider that answers the same content with the same ID again has renewed.
_RENEWED = ("uploaded_at", "expires_at", "refresh_at", "retire_at", "verify_at")
_FORGOTTEN = {"died_at": None, "seen_alive_at": None, "doubted_at": None}
_NAME = (Media.channel_id, Media.media_id)
_BACK_IN_SERVICE = {"is_current": true(), "delete_after": None, "deleted_at": None}


def _insert(connection: Connection, rows: list[dict[str, Any]], *, current: bool) -> None:
    same = {"is_current": current, "delete_attempts": 0}
    insert_rows(connection, Media, rows, same=same, more=_or_serve_again if current else _or_renew)


def _or_serve_again(statement: Insert) -> Insert:
    return statement.on_conflict_do_update(index_elements=_NAME, set_=_renewed(statement) | _BACK_IN_SERVICE)


def _or_renew(statement: Insert) -> Insert:
    return statement.on_conflict_do_update(index_elements=_NAME, set_=_renewed(statement))


def _renewed(statement: Insert) -> dict[str, Any]:
    return {name: statement.excluded[name] for name in _RENEWED} | _FORGOTTEN


def live_media_ids(
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
