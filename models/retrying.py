"""Trying again: items that were rejected, and assets that were given up, wait once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, update

from greenroom.errors import Misuse
from models.bulk import among
from models.campaign import CampaignRow, get_campaign, hold_campaign
from models.item import Item, ItemState
from models.item_queue import waiting_anew
from models.manifest_items import lock_items
from models.references import want_again


def hold_open_campaign(connection: Connection, campaign_id: str, *, now: datetime) -> CampaignRow:
    """The campaign, which nobody moves or cancels before the transaction ends.

    Raises:
        UnknownName: there is none.
        Misuse: it needs nothing any more.
    """
    hold_campaign(connection, campaign_id, shared=False)
    campaign = get_campaign(connection, campaign_id)
    if campaign.cancelled_at is not None:
        raise Misuse(f"Campaign {campaign_id} was cancelled; nothing of it is tried again.")
    if campaign.keep_until <= now:
        raise Misuse(
            f"Campaign {campaign_id} is over since {campaign.keep_until.isoformat()}. Move it to later dates "
            "first."
        )
    return campaign


def upload_again(
    connection: Connection, campaign: CampaignRow, *, refs: Sequence[str], now: datetime
) -> None:
    """Put what was given up into the backlog again, of a campaign that is held and whose uploads have begun.

    To be called before items are locked.
    """
    want_again(connection, campaign.id, refs=refs, due_at=campaign.send_at, now=now)


def inspect_rejected_again(connection: Connection, campaign_id: str, *, refs: Sequence[str]) -> int:
    """Have items inspected anew that are rejected still; returns how many they are."""
    lock_items(connection, campaign_id=campaign_id, refs=refs)
    rejected = (Item.campaign_id == campaign_id, among(Item.ref, refs), Item.state == ItemState.REJECTED)
    return connection.execute(update(Item).where(*rejected).values(**waiting_anew())).rowcount
