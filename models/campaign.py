"""Campaigns: a send-out on one channel, with the time its media must be ready and how long they must stay."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, ForeignKey, Select, String, bindparam, func, select
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.errors import Misuse, UnknownName
from greenroom.manifest import CampaignPlan
from models.base import Base, OutsideText, UtcDateTime, partial_index
from models.bulk import on_postgresql
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
    )

    id: Mapped[str] = mapped_column(OutsideText(128), primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"), index=True)
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
    channel_id: str
    send_at: datetime
    keep_until: datetime
    created_at: datetime
    cancelled_at: datetime | None
    upload_from: datetime | None
    at_risk_since: datetime | None
    #: The number of its latest submission; 0 before the first.
    submission: int
    #: Whether the call that answered this row gave the campaign other dates than it had.
    moved: bool = False
    #: Or wrote it first: it has no items yet, and nobody else can see it.
    created: bool = False

    def stands_as(self, plan: CampaignPlan, *, upload_from: datetime) -> bool:
        """Whether the campaign has these dates and is on this channel, and is not cancelled."""
        return (
            (self.channel_id, self.send_at, self.keep_until) == (plan.channel, plan.send_at, plan.keep_until)
            and self.upload_from in (None, upload_from)
            and self.cancelled_at is None
        )


_OF_A_CALL = ("moved", "created")
_COLUMNS = tuple(
    getattr(Campaign, field.name) for field in fields(CampaignRow) if field.name not in _OF_A_CALL
)
_MINE = Campaign.id == bindparam("campaign_id")
_CAMPAIGN = select(*_COLUMNS).where(_MINE)
_DATES = select(Campaign.send_at, Campaign.keep_until, Campaign.upload_from).where(_MINE).with_for_update()
_CHANNEL_AND_CAMPAIGN = (
    select(Channel.media_life_seconds, *_COLUMNS)
    .outerjoin_from(Channel, Campaign, _MINE)
    .where(Channel.id == bindparam("channel_id"))
)


@cache
def _saving(*, postgresql: bool) -> Any:
    """Write the campaign, or its dates where it is known on this channel; returns its row where it was."""
    names = ("id", "channel_id", "created_at", "send_at", "keep_until", "upload_from")
    statement = insert(Campaign, postgresql=postgresql)
    statement = statement.values({name: bindparam(f"new_{name}") for name in names})
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=[Campaign.id],
        set_={"send_at": new.send_at, "keep_until": new.keep_until, "upload_from": new.upload_from},
        where=(Campaign.channel_id == new.channel_id) & Campaign.cancelled_at.is_(None),
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
) -> CampaignRow:
    """Write the campaign, or move a known one to these dates; the same again changes nothing.

    Uploads begin at once, or at `upload_from` where that is later. Once begun they have begun.

    The channel is to be known: see :func:`channel_and_campaign`.

    Raises:
        Misuse: the campaign is known on another channel, was cancelled, is over, or would end before it is
            sent.
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
    # So that parts of one manifest see each other's dates, also where none is committed yet.
    hold_campaign(connection, campaign_id, shared=False)
    before = connection.execute(_DATES, {"campaign_id": campaign_id}).one_or_none()
    begun = upload_from is None or upload_from <= now or (before is not None and before.upload_from is None)
    dates = (send_at, keep_until, None if begun else upload_from)
    given = (campaign_id, channel_id, now, *dates)
    names = ("new_id", "new_channel_id", "new_created_at", "new_send_at", "new_keep_until", "new_upload_from")
    saving = _saving(postgresql=on_postgresql(connection))
    row = connection.execute(saving, dict(zip(names, given, strict=True))).mappings().one_or_none()
    if row is None:
        raise _not_to_be_written(get_campaign(connection, campaign_id), channel_id)
    moved = before is not None and tuple(before) != dates
    return CampaignRow(**row, moved=moved, created=before is None)


def _not_to_be_written(campaign: CampaignRow, channel_id: str) -> Misuse:
    if campaign.cancelled_at is not None:
        # A message that arrives late must not bring a cancelled campaign back to life.
        return Misuse(
            f"Campaign {campaign.id} was cancelled at {campaign.cancelled_at.isoformat()}. Submit it anew "
            "under another ID."
        )
    return Misuse(
        f"Campaign {campaign.id} belongs to channel {campaign.channel_id}; it cannot be sent on "
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
    lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
    return select(lock(CAMPAIGN_LOCKS, func.hashtext(bindparam("campaign_id", type_=Campaign.id.type))))


def channel_and_campaign(
    connection: Connection, *, channel_id: str, campaign_id: str
) -> tuple[timedelta | None, CampaignRow | None]:
    """How long the provider keeps a channel's media, where that was said; and a campaign, if it is known.

    Raises:
        UnknownName: there is no such channel.
    """
    asked = {"channel_id": channel_id, "campaign_id": campaign_id}
    found = connection.execute(_CHANNEL_AND_CAMPAIGN, asked).mappings().one_or_none()
    if found is None:
        return get_channel(connection, channel_id).media_life, None
    row = dict(found)
    seconds = row.pop("media_life_seconds")
    return (
        None if seconds is None else timedelta(seconds=seconds),
        None if row["id"] is None else CampaignRow(**row),
    )


def get_campaign(connection: Connection, campaign_id: str) -> CampaignRow:
    """The campaign of that ID.

    Raises:
        UnknownName: there is none.
    """
    row = connection.execute(_CAMPAIGN, {"campaign_id": campaign_id}).mappings().one_or_none()
    if row is None:
        raise UnknownName(f"Campaign {campaign_id} is not known here.")
    return CampaignRow(**row)


def list_campaigns(connection: Connection, *, limit: int = 50) -> list[CampaignRow]:
    """The campaigns with the latest send times first."""
    statement = select(*_COLUMNS).order_by(Campaign.send_at.desc(), Campaign.id).limit(limit)
    return [CampaignRow(**row) for row in connection.execute(statement).mappings()]
