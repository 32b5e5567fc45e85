"""Campaigns: a send-out on some channels, most often one, and how long its media must be ready and stay."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    ForeignKey,
    Function,
    Select,
    String,
    Text,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.errors import Misuse, UnknownName
from greenroom.manifest import CampaignPlan
from models.base import Base, Names, OutsideText, UtcDateTime, partial_index
from models.bulk import among, on_postgresql
from models.channel import Channel, get_channel
from models.upsert import insert

#: The first of the two numbers of our advisory locks: they are a campaign's.
CAMPAIGN_LOCKS = 1


class Campaign(Base):
    """One send-out."""

    __tablename__ = "campaigns"
    __table_args__ = (
        partial_index("ix_campaigns_cancelled", "cancelled_at", where="cancelled_at IS NOT NULL"),
        partial_index("ix_campaigns_at_risk", "at_risk_since", where="at_risk_since IS NOT NULL"),
        partial_index("ix_campaigns_upload_from", "upload_from", where="upload_from IS NOT NULL"),
        partial_index("ix_campaigns_further_channels", "id", where="further_channels IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(OutsideText(128), primary_key=True)
    #: The first of its channels.
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"), index=True)
    #: JSON: names of its other channels; NULL where it has none. See `models.item_asset`.
    further_channels: Mapped[tuple[str, ...]] = mapped_column(Names, nullable=True)
    send_at: Mapped[datetime] = mapped_column(UtcDateTime)
    keep_until: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: When its uploads begin; NULL from then on, see `models.upload_start`.
    upload_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Since when its uploads are known to come too late for its send time; NULL if they are not.
    at_risk_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Of its latest submission, and what its sender called it; see `models.submissions`.
    submission: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    submission_key: Mapped[str | None] = mapped_column(String(64))


@dataclass(frozen=True, kw_only=True)
class CampaignRow:
    """What the queries here return."""

    id: str
    #: The first of its channels; the others are `further_channels`.
    channel_id: str
    send_at: datetime
    keep_until: datetime
    created_at: datetime
    cancelled_at: datetime | None
    upload_from: datetime | None
    at_risk_since: datetime | None
    #: The number of its latest submission; 0 before the first.
    submission: int
    further_channels: tuple[str, ...] = ()
    #: Whether the call that answered this row gave the campaign other dates than it had.
    moved: bool = False
    #: Or wrote it first: it has no items yet, and nobody else can see it.
    created: bool = False
    #: The channels that it had before this call, where they were others.
    channels_before: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """All of its channels."""
        return (self.channel_id, *self.further_channels)

    def stands_as(self, plan: CampaignPlan, *, upload_from: datetime) -> bool:
        """Whether the campaign has these dates and is on these channels, and is not cancelled."""
        return (
            (self.send_at, self.keep_until) == (plan.send_at, plan.keep_until)
            and set(self.channels) == set(plan.channels)
            and self.upload_from in (None, upload_from)
            and self.cancelled_at is None
        )


_OF_A_CALL = ("moved", "created", "channels_before")
_COLUMNS = tuple(
    getattr(Campaign, field.name) for field in fields(CampaignRow) if field.name not in _OF_A_CALL
)
_MINE = Campaign.id == bindparam("campaign_id")
_CAMPAIGN = select(*_COLUMNS).where(_MINE)
_BEFORE = (
    select(
        Campaign.send_at,
        Campaign.keep_until,
        Campaign.upload_from,
        Campaign.channel_id,
        Campaign.further_channels,
    )
    .where(_MINE)
    .with_for_update()
)


@cache
def _channel_and_campaign(*, postgresql: bool) -> Any:
    """A channel; and a campaign, or, where it is not known, whether it is held by this transaction now."""
    held: ColumnElement[Any] = true()
    if postgresql:
        held = case((Campaign.id.is_(None), func.pg_try_advisory_xact_lock(*_lock_numbers("campaign_id"))))
    statement = select(Channel.media_life_seconds, held.label("held"), *_COLUMNS)
    return statement.outerjoin_from(Channel, Campaign, _MINE).where(Channel.id == bindparam("channel_id"))


@cache
def _adding(*, postgresql: bool) -> Any:
    """Hold the campaign, and write it if it is new; returns its row if it was.

    What others commit while it waits, the statement sees nothing of but the key.
    """
    values = _new_values()
    row = select(*values.values()).where(true())
    if postgresql:
        row = row.select_from(_lock("new_id", shared=False).table_valued(name="held"))
    statement = insert(Campaign, postgresql=postgresql).from_select(list(values), row)
    return statement.on_conflict_do_nothing(index_elements=[Campaign.id]).returning(*_COLUMNS)


def _new_values() -> dict[str, BindParameter[Any]]:
    names = ("id", "channel_id", "further_channels", "created_at", "send_at", "keep_until", "upload_from")
    columns = Campaign.__table__.c
    return {name: bindparam(f"new_{name}", type_=columns[name].type) for name in names}


@cache
def _saving(*, postgresql: bool) -> Any:
    """Write the campaign, or its dates where it is known on this channel; returns its row where it was."""
    statement = insert(Campaign, postgresql=postgresql).values(_new_values())
    new = statement.excluded
    changing = ("channel_id", "further_channels", "send_at", "keep_until", "upload_from")
    statement = statement.on_conflict_do_update(
        index_elements=[Campaign.id],
        set_={name: new[name] for name in changing},
        where=(Campaign.channel_id == bindparam("known_channel_id")) & Campaign.cancelled_at.is_(None),
    )
    return statement.returning(*_COLUMNS)


def save_campaign(
    connection: Connection,
    *,
    campaign_id: str,
    channel_id: str,
    send_at: datetime,
    keep_until: datetime,
    now: datetime,
    upload_from: datetime | None = None,
    further_channels: Sequence[str] = (),
) -> CampaignRow:
    """Write the campaign, or give a known one these dates and channels; the same again changes nothing.

    Uploads begin at once, or at `upload_from` where that is later. Once begun they have begun. What follows
    from other channels is in `models.channel_changes`.

    The channels are to be known: see :func:`channel_and_campaign`.

    Raises:
        Misuse: the campaign is known on other channels alone, was cancelled, is over, or would end before it
            is sent.
    """
    if keep_until < send_at:
        raise Misuse(
            f"Campaign {campaign_id} would be kept until {keep_until.isoformat()}, before it is sent "
            f"({send_at.isoformat()}). Give a later keep_until."
        )
    if keep_until <= now:
        raise Misuse(
            f"Campaign {campaign_id} is over since {keep_until.isoformat()}, so nothing would be uploaded "
            "for it. Give a later keep_until."
        )
    begun = upload_from is None or upload_from <= now
    first, *further = dict.fromkeys((channel_id, *further_channels))
    new = {
        "new_id": campaign_id,
        "new_channel_id": first,
        "new_further_channels": tuple(further),
        "new_created_at": now,
        "new_send_at": send_at,
        "new_keep_until": keep_until,
        "new_upload_from": None if begun else upload_from,
    }
    postgresql = on_postgresql(connection)
    # Held, so that parts of one manifest see each other's dates, also where none is committed yet.
    row = connection.execute(_adding(postgresql=postgresql), new).mappings().one_or_none()
    if row is not None:
        return CampaignRow(**row, created=True)
    before = connection.execute(_BEFORE, {"campaign_id": campaign_id}).one_or_none()
    begun = begun or (before is not None and before.upload_from is None)
    dates = (send_at, keep_until, None if begun else upload_from)
    had = () if before is None else (before.channel_id, *before.further_channels)
    first, *further = _in_order((channel_id, *further_channels), before=had)
    row = None
    if not had or first in had:
        other = {"new_channel_id": first, "new_further_channels": tuple(further), "new_upload_from": dates[2]}
        saving = _saving(postgresql=postgresql)
        asked = {**new, **other, "known_channel_id": had[0] if had else first}
        row = connection.execute(saving, asked).mappings().one_or_none()
    if row is None:
        raise _not_to_be_written(get_campaign(connection, campaign_id), channel_id)
    moved = before is not None and tuple(before)[:3] != dates
    others = had if set(had) != {first, *further} else ()
    return CampaignRow(**row, moved=moved, created=before is None, channels_before=others)


def _in_order(channels: Sequence[str], *, before: Sequence[str]) -> list[str]:
    """Each channel once; those that the campaign had first, for what it has there stays as it is."""
    had = [channel for channel in before if channel in channels]
    return [*had, *(channel for channel in dict.fromkeys(channels) if channel not in had)]


def _not_to_be_written(campaign: CampaignRow, channel_id: str) -> Misuse:
    if campaign.cancelled_at is not None:
        # A message that arrives late must not bring a cancelled campaign back to life.
        return Misuse(
            f"Campaign {campaign.id} was cancelled at {campaign.cancelled_at.isoformat()}. Submit it anew "
            "under another ID."
        )
    where = "channel" if len(campaign.channels) == 1 else "channels"
    return Misuse(
        f"Campaign {campaign.id} belongs to {where} {', '.join(campaign.channels)}; it cannot be sent on "
        f"{channel_id} too. Give the second one an ID of its own."
    )


def hold_campaign(connection: Connection, campaign_id: str, *, shared: bool) -> None:
    """Let nobody move or cancel the campaign before the transaction, or its savepoint, ends.

    Not by a lock of its row: those who share that pass by whoever waits for it alone, so that a campaign
    could not be cancelled for as long as parts of its manifest come in. Here everybody waits in turn.

    Args:
        connection: an open transaction; on SQLite, whoever may write is alone anyway.
        campaign_id: it need not be there yet.
        shared: whether others may hold it at the same time, if they share it too.
    """
    if on_postgresql(connection):
        connection.execute(_holding(shared=shared), {"campaign_id": campaign_id})


@cache
def _holding(*, shared: bool) -> Select[Any]:
    return select(_lock("campaign_id", shared=shared))


def _lock(name: str, *, shared: bool) -> Function[Any]:
    """Of the campaign whose ID is bound to a name."""
    lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
    return lock(*_lock_numbers(name))


def _lock_numbers(name: str) -> tuple[int, ColumnElement[int]]:
    return CAMPAIGN_LOCKS, func.hashtext(bindparam(name, type_=Campaign.id.type))


def channel_and_campaign(
    connection: Connection, *, channel_id: str, campaign_id: str
) -> tuple[timedelta | None, CampaignRow | None, bool]:
    """How long the provider keeps a channel's media, where that was said; a campaign, if it is known.

    One that is not known is held alone from now on, unless somebody holds it.

    Args:
        connection: an open transaction.
        channel_id: the channel's.
        campaign_id: the campaign's.

    Returns:
        Last of the three: whether somebody else is writing the campaign for the first time, most likely.

    Raises:
        UnknownName: there is no such channel.
    """
    asked = {"channel_id": channel_id, "campaign_id": campaign_id}
    statement = _channel_and_campaign(postgresql=on_postgresql(connection))
    found = connection.execute(statement, asked).mappings().one_or_none()
    if found is None:
        return get_channel(connection, channel_id).media_life, None, False
    row = dict(found)
    seconds, held = row.pop("media_life_seconds"), row.pop("held")
    known = None if row["id"] is None else CampaignRow(**row)
    return None if seconds is None else timedelta(seconds=seconds), known, known is None and not held


def get_campaign(connection: Connection, campaign_id: str) -> CampaignRow:
    """The campaign of that ID.

    Raises:
        UnknownName: there is none.
    """
    campaign = find_campaign(connection, campaign_id)
    if campaign is None:
        raise UnknownName(f"Campaign {campaign_id} is not known here.")
    return campaign


def find_campaign(connection: Connection, campaign_id: str) -> CampaignRow | None:
    """The campaign of that ID, if there is one."""
    row = connection.execute(_CAMPAIGN, {"campaign_id": campaign_id}).mappings().one_or_none()
    return None if row is None else CampaignRow(**row)


def is_on(channel_id: str) -> ColumnElement[bool]:
    """A condition on :class:`Campaign`: a channel is among its own."""
    # The names of the others, as JSON, of those few campaigns that have any.
    further = type_coerce(Campaign.further_channels, Text()).contains(json.dumps(channel_id), autoescape=True)
    return or_(Campaign.channel_id == channel_id, Campaign.further_channels.is_not(None) & further)


def list_campaigns(connection: Connection, *, limit: int = 50) -> list[CampaignRow]:
    """The campaigns with the latest send times first."""
    statement = select(*_COLUMNS).order_by(Campaign.send_at.desc(), Campaign.id).limit(limit)
    return [CampaignRow(**row) for row in connection.execute(statement).mappings()]


def campaigns_by_date(
    connection: Connection,
    *,
    now: datetime,
    sent: bool,
    after: tuple[datetime, str] | None,
    limit: int,
    channels: Collection[str] | None = None,
) -> list[CampaignRow]:
    """Campaigns that are to be sent, the next one first; or that were, the last one first.

    Args:
        connection: an open transaction.
        now: the present.
        sent: which of the two.
        after: send time and ID of the one before the first; None from the beginning.
        limit: campaigns at most.
        channels: those whose first channel is one of these; of all, where there are none given.
    """
    place = tuple_(Campaign.send_at, Campaign.id)
    statement = select(*_COLUMNS).where(Campaign.send_at <= now if sent else Campaign.send_at > now)
    if channels is not None:
        statement = statement.where(among(Campaign.channel_id, channels))
    if after is not None:
        mark = tuple_(literal(after[0], Campaign.send_at.type), literal(after[1], Campaign.id.type))
        statement = statement.where(place < mark if sent else place > mark)
    order = (Campaign.send_at.desc(), Campaign.id.desc()) if sent else (Campaign.send_at, Campaign.id)
    return [
        CampaignRow(**row) for row in connection.execute(statement.order_by(*order).limit(limit)).mappings()
    ]
