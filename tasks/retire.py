"""Retire: delete at the provider what nothing needs any more."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from greenroom.errors import ChannelError, RequestRefused, SettingsError, TransientError
from models.channel import pause_channel
from models.media import MediaToDelete, claim_deletes, postpone_delete, record_delete, retire_unneeded
from tasks.backoff import backoff
from tasks.context import Context

logger = logging.getLogger(__name__)

#: Assets taken out of service, and IDs deleted at the provider, in one tick.
CHUNK = 200
#: How long another tick leaves the IDs alone that this one deletes.
LEASE = timedelta(minutes=10)
#: An ID whose deletion the provider refuses is tried again so much later.
REFUSED = timedelta(days=1)


def retire(context: Context) -> dict[str, int]:
    """Take unneeded IDs out of service, and delete those whose time has come; answers how many of each."""
    settings, now = context.settings, context.clock.now()
    with context.database.write() as connection:
        retired = retire_unneeded(connection, now=now, keep_after=settings.keep_after, limit=CHUNK)
    with context.database.write() as connection:
        going = claim_deletes(connection, now=now, lease=LEASE, limit=CHUNK)
    return {"retired": retired, "deleted": _delete(context, going)}


def _delete(context: Context, going: Sequence[MediaToDelete]) -> int:
    deleted = 0
    paused: set[str] = set()
    for media in going:
        if media.channel_id not in paused:
            deleted += _delete_one(context, media, paused)
    return deleted


def _delete_one(context: Context, media: MediaToDelete, paused: set[str]) -> bool:
    """Delete one ID; an ID that is gone already counts as deleted."""
    now = context.clock.now()
    try:
        context.provider.delete(context.vault.decrypt(media.api_key), media.media_id)
    except (ChannelError, SettingsError) as error:
        paused.add(media.channel_id)
        with context.database.write() as connection:
            pause_channel(connection, media.channel_id, reason=str(error), now=now)
        logger.error("Channel %s is paused: %s", media.channel_id, error)
        return False
    except (TransientError, RequestRefused) as error:
        if isinstance(error, TransientError):
            # The rest of the channel waits for the next tick: each try may take a time-out.
            paused.add(media.channel_id)
        asked = error.retry_after if isinstance(error, TransientError) else REFUSED.total_seconds()
        logger.warning("Media %s of channel %s stays for now: %s", media.media_id, media.channel_id, error)
        with context.database.write() as connection:
            postpone_delete(connection, media.id, until=now + backoff(media.attempts, asked=asked))
        return False
    with context.database.write() as connection:
        record_delete(connection, media.id, now=now)
    return True
