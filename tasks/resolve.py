"""Resolve: the live media IDs of a campaign's refs, for schedulers that do not read the database."""

from __future__ import annotations

from collections.abc import Sequence

from models import media_reports
from models.campaign import get_campaign
from tasks.runtime.context import Context


def resolve(context: Context, campaign_id: str, refs: Sequence[str]) -> dict[str, str]:
    """The live media ID of each ref; a ref without one is left out.

    Raises:
        UnknownName: there is no such campaign.
        TransientError: the database is away.
    """
    with context.database.read() as connection:
        get_campaign(connection, campaign_id)
        return media_reports.live_media_ids(connection, campaign_id, refs=refs, now=context.clock.now())
