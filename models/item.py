"""Items: one line of a campaign's manifest each, and the claims under which they are inspected."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigKey, OutsideText, Sentence, UtcDateTime, partial_index


class ItemState(StrEnum):
    """How far inspection has come."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    INSPECTING = "inspecting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Item(Base):
    """One line of a manifest: the scheduler's own reference, and where the file comes from."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("campaign_id", "ref"),
        partial_index("ix_items_waiting", "campaign_id", "id", where="state = 'waiting'"),
        partial_index("ix_items_claimed", "lease_until", where="state IN ('claimed', 'inspecting')"),
        partial_index("ix_items_asset_id", "asset_id", where="asset_id IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id"))
    ref: Mapped[str] = mapped_column(OutsideText(255))
    source: Mapped[str] = mapped_column(OutsideText)
    kind: Mapped[str | None] = mapped_column(String(16))
    #: Whether a file that WhatsApp does not take is to be fixed.
    fix: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: The campaign's send time, kept here so that one index gives the order of inspection.
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16), default=ItemState.WAITING)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Whose claim it is or was: see `tasks.runtime.heartbeat`.
    worker: Mapped[str | None] = mapped_column(String(64))
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    asset_id: Mapped[int | None] = mapped_column(ForeignKey("assets.id"))
    label: Mapped[str] = mapped_column(Sentence, default="")
    category: Mapped[str | None] = mapped_column(String(16))
    mime_type: Mapped[str | None] = mapped_column(String(128))
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Sentence, default="")
    #: Of the source, where what is sent was fixed from it.
    original_sha256: Mapped[str | None] = mapped_column(String(64))
    #: JSON: what fixing did, a list of sentences.
    fixed: Mapped[str] = mapped_column(Text, default="[]", server_default="[]")
    #: The last submission of its campaign in which it stood; see `models.submissions`.
    submission: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    #: JSON: a list of {"code", "detail"}.
    notices: Mapped[str] = mapped_column(Text, default="[]")
