"""Channels: one WhatsApp phone number and its API key each; every limit of the provider is per channel."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from difflib import get_close_matches

from sqlalchemy import BigInteger, Connection, String, Text, case, func, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.errors import Misuse, UnknownName
from models.base import Base, OutsideText, Sentence, UtcDateTime
from models.bulk import among, among_bound, on_postgresql
from models.locks import lock_rows
from models.upsert import insert

#: Channels that are compared with a name that is not known.
MOST_COMPARED = 5_000
#: Two numbers of twelve digits with two of them wrong or in turn are still alike.
_ALIKE = 0.8


class Channel(Base):
    """One phone number at the provider."""

    __tablename__ = "channels"

    id: Mapped[str] = mapped_column(OutsideText(64), primary_key=True)
    #: Media IDs are worth something at the API that gave them and nowhere else.
    api_base_url: Mapped[str] = mapped_column(String(255))
    #: Encrypted, see greenroom/vault.py.
    api_key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_reason: Mapped[str | None] = mapped_column(Sentence)
    #: How long the provider keeps this number's media; None for the setting that holds for all.
    media_life_seconds: Mapped[int | None] = mapped_column(BigInteger)
    #: Fingerprint of the rules by which its media have their moments; under others they are worked out anew.
    life_rules: Mapped[str | None] = mapped_column(String(255))
    #: What was observed of its media IDs: how many died before their time, how soon at the soonest, and the
    #: greatest age at which one was seen alive.
    early_deaths: Mapped[int] = mapped_column(default=0, server_default="0")
    shortest_life_seconds: Mapped[int | None] = mapped_column(BigInteger)
    longest_life_seconds: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True, kw_only=True)
class ChannelRow:
    """What the queries here return."""

    id: str
    api_base_url: str
    api_key: str
    paused_at: datetime | None
    paused_reason: str | None
    media_life_seconds: int | None
    early_deaths: int
    shortest_life_seconds: int | None
    longest_life_seconds: int | None

    @property
    def media_life(self) -> timedelta | None:
        """How long the provider keeps this number's media, where that was said of it."""
        return None if self.media_life_seconds is None else timedelta(seconds=self.media_life_seconds)

    def uploads_as(self, other: ChannelRow) -> bool:
        """Whether what uploads go by is the same: where to, by which key, for how long, and that they may.

        What is counted and observed of a number changes while files are sent, and is nothing to them.
        """
        return _for_uploads(self) == _for_uploads(other)


def _for_uploads(channel: ChannelRow) -> tuple[object, ...]:
    return channel.api_base_url, channel.api_key, channel.media_life_seconds, channel.paused_at


_COLUMNS = tuple(getattr(Channel, field.name) for field in fields(ChannelRow))
_CHANNELS = select(*_COLUMNS).where(among_bound(Channel.id, "ids"))


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
    statement = insert(Channel, postgresql=on_postgresql(connection)).values(
        id=channel_id, api_base_url=api_base_url, api_key=api_key, created_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[Channel.id],
            set_={"api_key": api_key, "paused_at": None, "paused_reason": None},
        )
    )


def replace_encrypted_key(connection: Connection, channel_id: str, *, read: str, written: str) -> bool:
    """Put the same API key, encrypted anew, in the place of what was read.

    Returns:
        Whether it stood there still: a key that an operator gave the channel meanwhile is not overwritten.
    """
    result = connection.execute(
        update(Channel).where(Channel.id == channel_id, Channel.api_key == read).values(api_key=written)
    )
    return result.rowcount == 1


def get_channel(connection: Connection, channel_id: str) -> ChannelRow:
    """The channel of that ID.

    Raises:
        UnknownName: there is none.
    """
    found = get_channels(connection, [channel_id])
    if not found:
        known = connection.execute(select(Channel.id).limit(MOST_COMPARED)).scalars()
        nearest = get_close_matches(channel_id, known, n=1, cutoff=_ALIKE)
        meant = f"Is {nearest[0]} meant? " if nearest else ""
        raise UnknownName(
            f"Channel {channel_id} is not known. {meant}Add it with: greenroom channel add {channel_id}"
        )
    return found[channel_id]


def get_channels(connection: Connection, channel_ids: Collection[str]) -> dict[str, ChannelRow]:
    """Those of the channels that are known, by ID."""
    rows = connection.execute(_CHANNELS, {"ids": list(channel_ids)}).mappings()
    return {row["id"]: ChannelRow(**row) for row in rows}


def list_channels(connection: Connection) -> list[ChannelRow]:
    """All channels, by ID."""
    rows = connection.execute(select(*_COLUMNS).order_by(Channel.id)).mappings()
    return [ChannelRow(**row) for row in rows]


def pause_channel(
    connection: Connection, channel_id: str, *, reason: str, now: datetime, tried: str | None = None
) -> bool:
    """Hand out nothing more on the channel; returns whether it was running until now.

    Args:
        connection: an open transaction.
        channel_id: which.
        reason: why, for the operator.
        now: the present.
        tried: the API key that failed, as it was read from here: where the channel has another one by now,
            an operator has put things right, and it is not paused. None where it is not about a key.
    """
    statement = update(Channel).where(Channel.id == channel_id, Channel.paused_at.is_(None))
    if tried is not None:
        statement = statement.where(Channel.api_key == tried)
    result = connection.execute(statement.values(paused_at=now, paused_reason=reason))
    return result.rowcount > 0


def resume_channel(connection: Connection, channel_id: str) -> None:
    """Resume a paused channel."""
    connection.execute(
        update(Channel).where(Channel.id == channel_id).values(paused_at=None, paused_reason=None)
    )


def set_media_life(connection: Connection, channel_id: str, life: timedelta | None) -> None:
    """Say how long the provider keeps a number's media; the next refresh works all moments out anew.

    Args:
        connection: an open transaction.
        channel_id: of which number.
        life: None for the setting that holds for all.
    """
    seconds = None if life is None else int(life.total_seconds())
    connection.execute(update(Channel).where(Channel.id == channel_id).values(media_life_seconds=seconds))


def lives(connection: Connection, channel_ids: Collection[str]) -> dict[str, timedelta | None]:
    """How long the provider keeps the media of these numbers, where that was said of them."""
    statement = select(Channel.id, Channel.media_life_seconds).where(among(Channel.id, channel_ids))
    return {
        row.id: None if row.media_life_seconds is None else timedelta(seconds=row.media_life_seconds)
        for row in connection.execute(statement)
    }


def lock_channels(connection: Connection, channel_ids: Collection[str]) -> None:
    """Lock channels that are to be written, in the one order; see `models.locks`."""
    if channel_ids:
        lock_rows(connection, Channel, among(Channel.id, channel_ids))


def note_early_death(connection: Connection, channel_id: str, age: timedelta) -> None:
    """Count a media ID that was found dead before its time, at this age."""
    seconds = int(age.total_seconds())
    shorter = or_(Channel.shortest_life_seconds.is_(None), Channel.shortest_life_seconds > seconds)
    connection.execute(
        update(Channel)
        .where(Channel.id == channel_id)
        .values(
            early_deaths=Channel.early_deaths + 1,
            shortest_life_seconds=case((shorter, seconds), else_=Channel.shortest_life_seconds),
        )
    )


def note_life(connection: Connection, channel_id: str, age: timedelta) -> None:
    """Remember that a media ID was seen alive at this age."""
    seconds = int(age.total_seconds())
    connection.execute(
        update(Channel)
        .where(Channel.id == channel_id, func.coalesce(Channel.longest_life_seconds, -1) < seconds)
        .values(longest_life_seconds=seconds)
    )
