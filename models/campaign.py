"""Campaigns: a send-out on one channel, with the time its media must be ready and how long they must stay."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import BigInteger, Connection, ForeignKey, String, func, or_, select, true
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.errors import Misuse, UnknownName
from greenroom.manifest import CampaignPlan
from models.base import Base, OutsideText, UtcDateTime, partial_index
from models.bulk import on_postgresql
from models.channel import get_channel
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
    #: Whether the call that answered this row gave the campaign other dates than it had.
    moved: bool = False


_COLUMNS = tuple(getattr(Campaign, field.name) for field in fields(CampaignRow) if field.name != "moved")


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

    Raises:
        UnknownName: there is no such channel.
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
    get_channel(connection, channel_id)
    # So that parts of one manifest see each other's dates, also where none is committed yet.
    hold_campaign(connection, campaign_id, shared=False)
    before = connection.execute(
        select(Campaign.send_at, Campaign.keep_until, Campaign.upload_from)
        .where(Campaign.id == campaign_id)
        .with_for_update()
    ).one_or_none()
    begun = upload_from is None or upload_from <= now or (before is not None and before.upload_from is None)
    dates = {"send_at": send_at, "keep_until": keep_until, "upload_from": None if begun else upload_from}
    statement = insert(Campaign, postgresql=on_postgresql(connection)).values(
        id=campaign_id, channel_id=channel_id, created_at=now, **dates
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[Campaign.id],
            set_=dates,
            where=(Campaign.channel_id == channel_id) & Campaign.cancelled_at.is_(None),
        )
    )
    row = get_campaign(connection, campaign_id)
    if row.cancelled_at is not None:
        # A message that arrives late must not bring a cancelled campaign back to life.
        raise Misuse(
            f"Campaign {campaign_id} was cancelled at {row.cancelled_at.isoformat()}. Submit it anew under "
            "another ID."
        )
    if row.channel_id != channel_id:
        raise Misuse(
            f"Campaign {campaign_id} belongs to channel {row.channel_id}; it cannot be sent on "
            f"{channel_id} too. Give the second one an ID of its own."
        )
    return replace(row, moved=before is not None and tuple(before) != tuple(dates.values()))


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
        lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(lock(CAMPAIGN_LOCKS, func.hashtext(campaign_id))))


def stands_as_given(connection: Connection, plan: CampaignPlan, *, upload_from: datetime) -> bool:
    """Whether the campaign is known, with these dates and on this channel, and is not cancelled."""
    statement = select(true()).where(
        Campaign.id == plan.id,
        Campaign.channel_id == plan.channel,
        Campaign.send_at == plan.send_at,
        Campaign.keep_until == plan.keep_until,
        or_(Campaign.upload_from.is_(None), Campaign.upload_from == upload_from),
        Campaign.cancelled_at.is_(None),
    )
    return connection.execute(statement).first() is not None


def get_campaign(connection: Connection, campaign_id: str) -> CampaignRow:
    """The campaign of that ID.

    Raises:
        UnknownName: there is none.
    """
    row = connection.execute(select(*_COLUMNS).where(Campaign.id == campaign_id)).mappings().one_or_none()
    if row is None:
        raise UnknownName(f"Campaign {campaign_id} is not known here.")
    return CampaignRow(**row)


def list_campaigns(connection: Connection, *, limit: int = 50) -> list[CampaignRow]:
    """The campaigns with the latest send times first."""
    statement = select(*_COLUMNS).order_by(Campaign.send_at.desc(), Campaign.id).limit(limit)
    return [CampaignRow(**row) for row in connection.execute(statement).mappings()]
