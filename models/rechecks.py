"""IDs whose existence is to be proved: all of a channel's, as after a backup was put back.

A backup knows nothing of what came after it. An ID that it has in service may have been replaced and deleted
at the provider since, or have been reported dead; and nobody knows which.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from models.bulk import among
from models.locks import lock_rows
from models.media import Media
from models.references import needed_now

#: IDs that are looked at in one transaction.
RECHECK_CHUNK = 1_000


@dataclass(frozen=True, kw_only=True)
class Rechecked:
    """What a part came to.

    Attributes:
        last: the row up to which it is done; None when all of it is.
        needed: IDs that a campaign needs: they are looked up, or renewed.
        unneeded: IDs that nothing needs: they are taken out of service, and deleted.
    """

    last: int | None
    needed: int
    unneeded: int


def recheck_media(
    connection: Connection, channel_id: str, *, after: int, now: datetime, renew: bool
) -> Rechecked:
    """Have the IDs of a part of a channel proved at the next ticks.

    Args:
        connection: an open transaction.
        channel_id: whose.
        after: the row up to which it was done before; 0 to begin.
        now: the present.
        renew: upload all that is needed anew, and ask nothing.
    """
    part = select(Media.id, Media.asset_id).where(
        Media.channel_id == channel_id, Media.is_current, Media.id > after
    )
    rows = connection.execute(part.order_by(Media.id).limit(RECHECK_CHUNK)).all()
    ids = [row.id for row in rows]
    lock_rows(connection, Media, among(Media.id, ids))
    needed = needed_now(connection, {row.asset_id for row in rows}, now=now)
    asked = [row.id for row in rows if row.asset_id in needed and not renew]
    others = sorted(set(ids) - set(asked))
    # What the provider refused to say anything of is never asked for again, but renewed.
    connection.execute(
        update(Media).where(among(Media.id, asked), Media.doubted_at.is_(None)).values(verify_at=now)
    )
    # The look for renewal takes out of service what nothing needs.
    connection.execute(update(Media).where(among(Media.id, others)).values(refresh_at=now))
    return Rechecked(
        last=ids[-1] if len(ids) == RECHECK_CHUNK else None,
        needed=sum(row.asset_id in needed for row in rows),
        unneeded=sum(row.asset_id not in needed for row in rows),
    )
