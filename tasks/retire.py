"""Retire: delete at the provider what nothing needs any more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from celery import shared_task

from greenroom.errors import ChannelError, RequestRefused, SettingsError, TransientError
from greenroom.figures import counted
from greenroom.log_fields import about
from greenroom.task_names import TaskName
from models.channel import pause_channel
from models.deletes import MediaToDelete, claim_deletes, postpone_delete, record_deletes
from models.retention import retire_unneeded
from tasks.runtime.backoff import backoff
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask
from tasks.runtime.sentences import what_was_done

logger = logging.getLogger(__name__)

#: IDs looked at, or deleted at the provider, in one go, and goes in one tick.
RETIRE_CHUNK = 200
RETIRE_CHUNKS_A_TICK = 50
#: A tick begins nothing new after so long; the next one continues.
TICK = timedelta(seconds=50)
#: How long another tick leaves the IDs alone that this one deletes.
DELETE_LEASE = timedelta(minutes=10)
#: An ID whose deletion the provider refuses is tried again so much later.
REFUSED = timedelta(days=1)


def retire(context: Context) -> dict[str, int]:
    """Take unneeded IDs out of service, and delete those whose time has come; returns how many of each."""
    began = context.clock.now()
    retired = _take_out_of_service(context)
    deleted = 0
    held_back: set[str] = set()
    for _ in range(RETIRE_CHUNKS_A_TICK):
        now = context.clock.now()
        if now - began >= TICK:
            break
        with context.database.write() as connection:
            going = claim_deletes(connection, now=now, lease=DELETE_LEASE, limit=RETIRE_CHUNK)
        deleted += _delete(context, going, held_back)
        if len(going) < RETIRE_CHUNK:
            break
    return {"retired": retired, "deleted": deleted}


def _take_out_of_service(context: Context) -> int:
    retired = 0
    for _ in range(RETIRE_CHUNKS_A_TICK):
        with context.database.write() as connection:
            found = retire_unneeded(
                connection,
                now=context.clock.now(),
                keep_after=context.settings.keep_after,
                limit=RETIRE_CHUNK,
            )
        retired += found["retired"]
        if found["looked"] < RETIRE_CHUNK:
            break
    return retired


@dataclass(kw_only=True)
class _Deleting:
    """What the threads of one chunk share: channels on which nothing more is tried, and what is gone."""

    held_back: set[str]
    gone: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _delete(context: Context, going: Sequence[MediaToDelete], held_back: set[str]) -> int:
    chunk = _Deleting(held_back=held_back)
    try:
        list(context.other_threads.map(lambda media: _delete_one(context, media, chunk), going))
    finally:
        with context.database.write() as connection:
            record_deletes(connection, chunk.gone, now=context.clock.now())
    return len(chunk.gone)


def _delete_one(context: Context, media: MediaToDelete, chunk: _Deleting) -> None:
    """Delete one ID; an ID that is gone already counts as deleted."""
    if media.channel_id in chunk.held_back:
        return
    now = context.clock.now()
    try:
        context.provider.delete(context.vault.decrypt(media.api_key), media.media_id)
    except (ChannelError, SettingsError) as error:
        chunk.held_back.add(media.channel_id)
        with context.database.write() as connection:
            paused = pause_channel(
                connection, media.channel_id, reason=str(error), now=now, tried=media.api_key
            )
        if paused:
            logger.error(
                "Channel %s is paused: %s", media.channel_id, error, extra=about(channel=media.channel_id)
            )
    except (TransientError, RequestRefused) as error:
        if isinstance(error, TransientError):
            # The rest of the channel waits for its lease to lapse: each try may take a time-out.
            chunk.held_back.add(media.channel_id)
        asked = error.retry_after if isinstance(error, TransientError) else REFUSED.total_seconds()
        fields = about(channel=media.channel_id, media_id=media.media_id)
        logger.warning(
            "Media %s of channel %s stays for now: %s", media.media_id, media.channel_id, error, extra=fields
        )
        with context.database.write() as connection:
            postpone_delete(connection, media.id, until=now + backoff(media.attempts, asked=asked))
    else:
        with chunk.lock:
            chunk.gone.append(media.id)


@shared_task(base=ReportingTask, name=TaskName.RETIRE)
def retire_task() -> str:
    """Delete media that nothing needs."""
    done = retire(current_context())
    retired, deleted = done["retired"], done["deleted"]
    return what_was_done(
        {
            f"took {counted(retired, 'media ID')} out of service": retired,
            f"deleted {counted(deleted, 'media ID')} at the provider": deleted,
        }
    )
