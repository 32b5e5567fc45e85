"""What a call-back says of a campaign, read in the transaction that finds out what happened."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from uuid import uuid4

from sqlalchemy import Connection

from greenroom.answers import Estimate, RejectedItem
from greenroom.callbacks.payload import MOST_UNSENDABLE, CallbackData, CallbackEvent, CallbackPayload
from greenroom.reasons import advice_on
from models.callback import WatchedCampaign
from models.item_pages import UnsendableItem, unsendable_items
from models.progress import campaign_progress


def payload_of(
    connection: Connection,
    watched: WatchedCampaign,
    event: CallbackEvent,
    *,
    now: datetime,
    estimate: Estimate | None = None,
) -> CallbackPayload:
    """A new call-back, with an ID of its own.

    Args:
        connection: an open transaction.
        watched: the campaign.
        event: what happened to it.
        now: the present.
        estimate: when it will be ready, where that is what happened.
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
            estimate=estimate,
        ),
    )


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
