"""Mark used: write down when messages were sent, from which the life of their media counts."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.manifest import parse_moment
from models import media
from models.media import Use
from tasks.context import Context


def mark_used(context: Context, uses: Sequence[Sequence[str]]) -> int:
    """Record a batch of uses; repeated and out of order is fine.

    Args:
        context: the world.
        uses: ``[channel, media ID, moment in ISO 8601 with a zone]`` each.

    Raises:
        ManifestError: a moment has no zone, or is none.
        TransientError: the database is away; nothing was written.
    """
    rows = [
        Use(channel_id=channel, media_id=media_id, used_at=parse_moment(moment))
        for channel, media_id, moment in uses
    ]
    now = context.clock.now()
    # A clock that runs ahead elsewhere must not lengthen a life.
    rows = [Use(channel_id=u.channel_id, media_id=u.media_id, used_at=min(u.used_at, now)) for u in rows]
    with context.database.write() as connection:
        media.mark_used(connection, rows, life=context.settings.media_life)
    return len(rows)
