"""Channels: one WhatsApp phone number and its API key each; every limit of the provider is per channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, String, Text, select, update
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.errors import Misuse, UnknownName
from models.base import Base, Moment
from models.upsert import insert


class Channel(Base):
    """One phone number at the provider."""

    __tablename__ = "channels"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: Media IDs are worth something at the API that gave them and nowhere else.
    api_base_url: Mapped[str] = mapped_column(String(255))
    #: Encrypted, see greenroom/vault.py.
    api_key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    paused_at: Mapped[datetime | None] = mapped_column(Moment)
    paused_reason: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, kw_only=True)
class ChannelRow:
    """What the queries here answer."""

    id: str
    api_base_url: str
    api_key: str
    paused_at: datetime | None
    paused_reason: str | None


_COLUMNS = (Channel.id, Channel.api_base_url, Channel.api_key, Channel.paused_at, Channel.paused_reason)


def add_channel(
    connection: Connection, *, channel_id: str, api_base_url: str, api_key: str, now: datetime
) -> None:
    """Add a channel, or give a known one another key; either way it is no longer paused.

    Raises:
        Misuse: the channel is known with another API address, where its media IDs mean nothing.
    """
    known = connection.execute(
        select(Channel.api_base_url).where(Channel.id == channel_id)
    ).scalar_one_or_none()
    if known is not None and known != api_base_url:
        raise Misuse(
            f"Channel {channel_id} is known at {known}, and media IDs from there mean nothing at "
            f"{api_base_url}. Use another database (or state folder) for the other address."
        )
    statement = insert(connection, Channel).values(
        id=channel_id, api_base_url=api_base_url, api_key=api_key, created_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[Channel.id],
            set_={"api_key": api_key, "paused_at": None, "paused_reason": None},
        )
    )


def get_channel(connection: Connection, channel_id: str) -> ChannelRow:
    """The channel of that ID.

    Raises:
        UnknownName: there is none.
    """
    row = connection.execute(select(*_COLUMNS).where(Channel.id == channel_id)).mappings().one_or_none()
    if row is None:
        raise UnknownName(
            f"Channel {channel_id} is not known. Add it with: greenroom channel add {channel_id}"
        )
    return ChannelRow(**row)


def list_channels(connection: Connection) -> list[ChannelRow]:
    """All channels, by ID."""
    rows = connection.execute(select(*_COLUMNS).order_by(Channel.id)).mappings()
    return [ChannelRow(**row) for row in rows]


def pause_channel(connection: Connection, channel_id: str, *, reason: str, now: datetime) -> bool:
    """Hand out nothing more on the channel; answers whether it was running until now."""
    result = connection.execute(
        update(Channel)
        .where(Channel.id == channel_id, Channel.paused_at.is_(None))
        .values(paused_at=now, paused_reason=reason)
    )
    return result.rowcount > 0


def resume_channel(connection: Connection, channel_id: str) -> None:
    """Let a paused channel go on."""
    connection.execute(
        update(Channel).where(Channel.id == channel_id).values(paused_at=None, paused_reason=None)
    )
