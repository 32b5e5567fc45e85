"""Refresh: send needed assets round again before their media ID ends; the old one serves until then."""

from __future__ import annotations

from models.media import queue_refreshes
from tasks.context import Context

#: Assets queued in one transaction, and transactions in one tick.
CHUNK = 500
CHUNKS_A_TICK = 20


def refresh(context: Context) -> int:
    """Queue what is due; answers how many. Uploads of campaigns go first, see `models.asset.Priority`."""
    settings = context.settings
    queued = 0
    for _ in range(CHUNKS_A_TICK):
        with context.database.write() as connection:
            found = queue_refreshes(
                connection,
                now=context.clock.now(),
                life=settings.media_life,
                margin=settings.refresh_margin,
                trust_last_use=settings.trust_last_use,
                limit=CHUNK,
            )
        queued += found
        if found < CHUNK:
            break
    return queued
