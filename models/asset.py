"""Assets: one content with one MIME type on one channel each, and the claims to upload them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, OutsideText, Sentence, UtcDateTime, partial_index


class AssetState(StrEnum):
    """Where an asset is on its way to the provider.

    A refresh sends a READY asset round again while its old media ID keeps serving: whether an asset can
    be sent is decided by its media, not by this.
    """

    WAITING = "waiting"
    CLAIMED = "claimed"
    UPLOADING = "uploading"
    READY = "ready"
    FAILED = "failed"
    #: Nothing needs it, and it has no media ID.
    IDLE = "idle"


class Priority:
    """What is uploaded first on a channel; the smaller number wins."""

    CAMPAIGN = 0
    REFRESH = 1


class Asset(Base):
    """One content (SHA-256) with one MIME type on one channel, however many items want it."""

    __tablename__ = "assets"
    __table_args__ = (
        UniqueConstraint("channel_id", "sha256", "mime_type"),
        partial_index(
            "ix_assets_waiting", "channel_id", "priority", "due_at", "id", where="state = 'waiting'"
        ),
        partial_index(
            "ix_assets_claimed", "channel_id", "lease_until", where="state IN ('claimed', 'uploading')"
        ),
        partial_index("ix_assets_failed", "channel_id", where="state = 'failed'"),
        partial_index("ix_assets_lost_answers", "lost_answers", where="lost_answers > 0"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"))
    sha256: Mapped[str] = mapped_column(String(64))
    mime_type: Mapped[str] = mapped_column(String(128))
    category: Mapped[str] = mapped_column(String(16))
    size: Mapped[int] = mapped_column(BigInteger)
    file_name: Mapped[str] = mapped_column(OutsideText(255))
    source: Mapped[str] = mapped_column(OutsideText)
    state: Mapped[str] = mapped_column(String(16), default=AssetState.WAITING)
    priority: Mapped[int] = mapped_column(SmallInteger, default=Priority.CAMPAIGN)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Whose claim it is or was: see `tasks.runtime.heartbeat`.
    worker: Mapped[str | None] = mapped_column(String(64))
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    #: Uploads that may have succeeded without an answer: each is a possible orphan at the provider.
    lost_answers: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Sentence, default="")
