"""Call-backs: whom a campaign wants told, and how far it had come when it was looked at last.

A campaign's manifest has a version, which grows with each submission, and with each change, or try again,
after the campaign was said to be ready. Of one version it is said once that it is ready. While a submission
comes in, nothing is said of what has come in until then.

What is to be delivered is in `models.outbox`; what is looked at, in `models.settling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Connection, ForeignKey, String, case, select, update
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.callbacks.target import CallbackTarget
from models.base import Base, BigKey, OutsideText, partial_index
from models.bulk import among, on_postgresql
from models.campaign import Campaign
from models.upsert import insert


class CallbackStage(StrEnum):
    """What a campaign waits for before somebody is told."""

    #: For inspection of all of its items.
    JUDGING = "judging"
    #: For an ID, or an end, of each.
    UPLOADING = "uploading"
    #: For nothing: it was said that it is ready.
    TOLD = "told"


class Callback(Base):
    """Whom a campaign wants told."""

    __tablename__ = "callbacks"
    __table_args__ = (partial_index("ix_callbacks_untold", "campaign_id", where="stage <> 'told'"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id"), unique=True)
    #: JSON: a `greenroom.callbacks.target.CallbackTarget`.
    target: Mapped[str] = mapped_column(OutsideText)
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    stage: Mapped[str] = mapped_column(String(16), default=CallbackStage.JUDGING)
    #: The number of a submission that has begun and not ended.
    submission: Mapped[int | None] = mapped_column(BigInteger)
    #: An item that was on its way when all were looked at: while it is, the campaign is not ready.
    unsettled_item: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True, kw_only=True)
class WatchedCampaign:
    """A campaign that wants call-backs, and how far it had come."""

    campaign_id: str
    channel_id: str
    further_channels: tuple[str, ...]
    send_at: datetime
    version: int
    stage: CallbackStage

    @property
    def channels(self) -> tuple[str, ...]:
        """All of its channels."""
        return (self.channel_id, *self.further_channels)


#: Changes after which all of the manifest is looked at again.
_LOOK_AGAIN = {"stage": CallbackStage.JUDGING, "unsettled_item": None}


def save_callback(connection: Connection, campaign_id: str, target: CallbackTarget | None) -> None:
    """Write whom a campaign wants told from now on; None, and the same again, change nothing."""
    if target is None:
        return
    text = target.model_dump_json(exclude_none=True)
    statement = insert(Callback, postgresql=on_postgresql(connection)).values(
        campaign_id=campaign_id, target=text
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[Callback.campaign_id],
            set_={"target": text},
            where=Callback.target != statement.excluded.target,
        )
    )


def has_callback(connection: Connection, campaign_id: str, target: CallbackTarget) -> bool:
    """Whether it is written that the campaign wants just this."""
    text = target.model_dump_json(exclude_none=True)
    statement = select(Callback.id).where(Callback.campaign_id == campaign_id, Callback.target == text)
    return connection.execute(statement).first() is not None


def note_change(connection: Connection, campaign_id: str) -> None:
    """Have a campaign looked at again, for its manifest changed; to be called with the campaign held.

    After it was said to be ready, that is a new version. While it is not even judged, nothing is written, and
    nothing is locked: parts of a manifest come in beside each other.
    """
    connection.execute(
        update(Callback)
        .where(Callback.campaign_id == campaign_id, Callback.stage != CallbackStage.JUDGING)
        .values(
            version=Callback.version + case((Callback.stage == CallbackStage.TOLD, 1), else_=0), **_LOOK_AGAIN
        )
    )


def note_submission_begun(connection: Connection, campaign_id: str, number: int) -> None:
    """Say nothing of the campaign until this submission, a new version, has ended."""
    connection.execute(
        update(Callback)
        .where(Callback.campaign_id == campaign_id)
        .values(submission=number, version=Callback.version + 1, **_LOOK_AGAIN)
    )


def note_submission_ended(connection: Connection, campaign_id: str, number: int) -> None:
    """Look at the campaign from now on, unless another submission has begun."""
    connection.execute(
        update(Callback)
        .where(Callback.campaign_id == campaign_id, Callback.submission == number)
        .values(submission=None)
    )


def set_stage(
    connection: Connection,
    watched: WatchedCampaign,
    stage: CallbackStage,
    *,
    unsettled_item: int | None = None,
) -> None:
    """Write how far a campaign, which is held, has come."""
    connection.execute(
        update(Callback)
        .where(Callback.campaign_id == watched.campaign_id)
        .values(stage=stage, unsettled_item=unsettled_item)
    )


def watched_campaigns(
    connection: Connection, campaign_ids: list[str], *, now: datetime
) -> dict[str, WatchedCampaign]:
    """Those of the campaigns that want call-backs, and are neither coming in, cancelled nor over."""
    statement = (
        select(
            Callback.campaign_id,
            Campaign.channel_id,
            Campaign.further_channels,
            Campaign.send_at,
            Callback.version,
            Callback.stage,
        )
        .join(Campaign, Campaign.id == Callback.campaign_id)
        .where(
            among(Callback.campaign_id, campaign_ids),
            Callback.submission.is_(None),
            Campaign.cancelled_at.is_(None),
            Campaign.keep_until > now,
        )
    )
    return {
        row["campaign_id"]: WatchedCampaign(**{**row, "stage": CallbackStage(row["stage"])})
        for row in connection.execute(statement).mappings()
    }
