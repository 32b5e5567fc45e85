"""Campaigns whose uploads begin later: nothing is uploaded or renewed for them until then.

Their files are inspected at once, and the assets stay idle. ``Campaign.upload_from`` is the moment at which
that ends, and NULL from then on: uploads that have begun are not taken back.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from models.bulk import among
from models.campaign import Campaign, hold_campaign
from models.references import want_again


def waiting_campaigns(connection: Connection, campaign_ids: Collection[str]) -> set[str]:
    """Those of the campaigns whose uploads begin later; they do not begin before this transaction ends."""
    for campaign_id in sorted(campaign_ids):
        hold_campaign(connection, campaign_id, shared=True)
    statement = select(Campaign.id).where(among(Campaign.id, campaign_ids), Campaign.upload_from.is_not(None))
    return set(connection.execute(statement).scalars())


def campaigns_to_start(connection: Connection, *, now: datetime, limit: int) -> list[str]:
    """The campaigns whose uploads are to begin by now, those with the earliest send time first."""
    statement = (
        select(Campaign.id)
        .where(Campaign.upload_from <= now, Campaign.cancelled_at.is_(None))
        .order_by(Campaign.send_at, Campaign.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def begin_uploads(connection: Connection, campaign_id: str, *, now: datetime) -> bool:
    """Put what the campaign needs into the backlog; returns whether this call did so.

    Alone with the campaign: what is accepted at the same time is either seen here, or finds it begun.
    """
    hold_campaign(connection, campaign_id, shared=False)
    send_at = connection.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id, Campaign.upload_from <= now, Campaign.cancelled_at.is_(None))
        .values(upload_from=None)
        .returning(Campaign.send_at)
    ).scalar_one_or_none()
    if send_at is None:
        return False
    want_again(connection, campaign_id, refs=None, due_at=send_at, now=now)
    return True
