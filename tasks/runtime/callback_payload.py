"""What a call-back says of a campaign, read in the transaction that finds out what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from greenroom.answers import Estimate, RejectedItem
from greenroom.callbacks.payload import (
    MOST_UNSENDABLE,
    CallbackData,
    CallbackEvent,
    CallbackPayload,
    MediaAtRisk,
    RiskReason,
)
from greenroom.reasons import advice_on
from models.callback import WatchedCampaign
from models.forecast import AtRisk
from models.item_pages import UnsendableItem, unsendable_items
from models.progress import campaign_progress


@dataclass(frozen=True, kw_only=True)
class Danger:
    """Why a campaign is at risk.

    Attributes:
        reasons: all that there are.
        estimate: when it will be ready, if that is too late; None where it is not.
        at_risk: how many items have an ID that ends, and could not be renewed.
        media: some of those.
    """

    reasons: Sequence[RiskReason]
    estimate: Estimate | None
    at_risk: int
    media: Sequence[AtRisk]


def payload_of(
    connection: Connection,
    watched: WatchedCampaign,
    event: CallbackEvent,
    *,
    now: datetime,
    danger: Danger | None = None,
) -> CallbackPayload:
    """A new call-back, with an ID of its own.

    Args:
        connection: an open transaction.
        watched: the campaign.
        event: what happened to it.
        now: the present.
        danger: why it is at risk, where that is what happened.
    """
    campaign_id, further = watched.campaign_id, watched.further_channels
    progress = campaign_progress(connection, campaign_id, now=now, further=further)
    unsendable: list[UnsendableItem] = []
    if progress.rejected or progress.failed:
        unsendable, _ = unsendable_items(connection, campaign_id, watched.channels, after="", now=now)
    return CallbackPayload(
        id=str(uuid4()),
        type=event,
        timestamp=now,
        data=CallbackData(
            campaign_id=watched.campaign_id,
            channel=watched.channel_id,
            channels=watched.channels if further else None,
            version=watched.version,
            send_at=watched.send_at,
            total=progress.total,
            ready=progress.ready,
            rejected=progress.rejected,
            failed=progress.failed,
            unsendable=tuple(as_rejected_item(item) for item in islice(unsendable, MOST_UNSENDABLE)),
            **({} if danger is None else _as_fields(danger)),
        ),
    )


def _as_fields(danger: Danger) -> dict[str, Any]:
    media = [
        MediaAtRisk(ref=one.ref, channel=one.channel_id, ends_at=one.ends_at, why=one.why)
        for one in danger.media
    ]
    return {
        "reasons": tuple(danger.reasons),
        "estimate": danger.estimate,
        "at_risk": danger.at_risk,
        "media_at_risk": tuple(media),
    }


def as_rejected_item(item: UnsendableItem) -> RejectedItem:
    """An item that cannot be sent, as schedulers are told of it."""
    return RejectedItem(
        ref=item.ref,
        status=item.status,
        reason=item.reason or "",
        detail=item.detail,
        advice=advice_on(item.reason),
        channel=item.channel,
    )
