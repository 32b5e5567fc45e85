"""Dispatch: hand out the next few seconds of work, so that the database stays the backlog."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import TypeVar

from redis.exceptions import RedisError

from greenroom.errors import LimiterUnavailable
from greenroom.rules import KIB, MIB
from greenroom.task_names import TaskName
from models.asset import AssetClaim, channels_with_uploads, claim_assets, count_handed_out
from models.claim import Claim
from models.item import claim_items, count_items_handed_out
from tasks.context import Context, Message

logger = logging.getLogger(__name__)

#: The backlogs are cut into at least so many batches a tick, for several worker processes to share.
BATCHES_A_TICK = 4
#: Up to so many files are sent out one by one: while little waiting, the first ID comes soonest that way.
SINGLES = 4

#: Bytes in one upload task, unless one file has more.
BYTES_A_BATCH = 64 * MIB

Thing = TypeVar("Thing")


#: Where the last tick of beat is noted, for `greenroom doctor`.
HEARTBEAT = "greenroom:beat"


def dispatch(context: Context, channel_id: str | None = None, *, tick: bool = False) -> dict[str, int]:
    """Claim what may be worked on now, commit, then enqueue it; answers how many files of each sort.

    Args:
        context: the world.
        channel_id: the one channel that has room for more uploads; None for all channels and inspections.
        tick: whether beat asked for it.
    """
    if channel_id is not None:
        return {"inspections": 0, "uploads": _hand_out_uploads(context, channel_id)}
    if tick:
        # Redis may be away: files can be looked at all the same.
        with suppress(RedisError):
            context.redis.set(HEARTBEAT, context.clock.now().isoformat())
    return {"inspections": _hand_out_inspections(context), "uploads": _hand_out_uploads(context, None)}


def _hand_out_inspections(context: Context) -> int:
    settings = context.settings
    now = context.clock.now()
    with context.database.write() as connection:
        room = settings.inspect_ahead - count_items_handed_out(connection, now=now)
        claims = claim_items(connection, limit=room, now=now, lease=settings.lease) if room > 0 else []
    # What failed before goes alone: if it brings its worker down again, it takes no other file with it.
    alone = [[item.claim] for item in claims if item.suspect]
    others = [item.claim for item in claims if not item.suspect]
    for part in [*_parts(others, settings.inspect_batch_size), *alone]:
        context.publish(
            Message(name=TaskName.INSPECT, args=[as_json(part)], summary=f"{_files(len(part))} to inspect")
        )
    return len(claims)


def _hand_out_uploads(context: Context, channel_id: str | None) -> int:
    with context.database.read() as connection:
        channels = channels_with_uploads(connection, now=context.clock.now(), channel_id=channel_id)
    channels = [channel for channel in channels if _has_slots(context, channel)]
    # Channels that have work at the same time share the workers: more batches of one would only make more
    # workers wait for the same slots.
    batches = max(1, BATCHES_A_TICK // max(1, len(channels)))
    handed_out = [_claim_for(context, channel, batches) for channel in channels]
    # One batch of each channel, then the next of each, so that none stands behind all of another's.
    for row in zip_longest(*handed_out):
        for message in filter(None, row):
            context.publish(message)
    return sum(len(message.args[1]) for messages in handed_out for message in messages)


def _has_slots(context: Context, channel_id: str) -> bool:
    """Whether uploads on the channel may go out soon; one that is held back shall keep no worker waiting."""
    try:
        return context.limiter.delay(channel_id) <= context.settings.horizon
    except LimiterUnavailable as error:
        logger.warning("Nothing is handed out on channel %s: %s", channel_id, error)
        return False


def _claim_for(context: Context, channel_id: str, batches: int) -> list[Message]:
    settings = context.settings
    now = context.clock.now()
    with context.database.write() as connection:
        handed_out = count_handed_out(connection, channel_id, now=now)
        most = math.ceil(settings.pace * settings.horizon)
        # A little room is left to grow, so that a backlog goes out in full batches and not file by file.
        room = most - handed_out if handed_out <= most - most // BATCHES_A_TICK else 0
        claims = (
            claim_assets(connection, channel_id, limit=room, now=now, lease=settings.lease)
            if room > 0
            else []
        )
    return [
        Message(
            name=TaskName.UPLOAD,
            args=[channel_id, as_json([asset.claim for asset in part])],
            summary=summary_of(channel_id, part),
        )
        for part in _batches(claims, batch_size(len(claims), most=settings.batch_size, batches=batches))
    ]


def _batches(claims: Sequence[AssetClaim], size: int) -> Iterator[list[AssetClaim]]:
    """Batches of so many files at most, and of so many bytes: a worker that is to end must get to its end."""
    batch: list[AssetClaim] = []
    for claim in claims:
        if batch and (len(batch) == size or sum(one.size for one in [*batch, claim]) > BYTES_A_BATCH):
            yield batch
            batch = []
        batch.append(claim)
    if batch:
        yield batch


def batch_size(waiting: int, *, most: int, batches: int = BATCHES_A_TICK) -> int:
    """How many files go into one upload task: single files while few wait, fuller ones under load."""
    if waiting <= SINGLES:
        return 1
    return min(most, math.ceil(waiting / batches))


def summary_of(channel_id: str, assets: Sequence[AssetClaim]) -> str:
    """What an operator reads of an upload task: file, channel, size."""
    size = readable_size(sum(asset.size for asset in assets))
    name = assets[0].file_name
    if len(assets) > 1:
        name = f"{name} and {len(assets) - 1} more"
    return f"{name}, {size}, on {channel_id}"


def readable_size(size: int) -> str:
    """Bytes as people write them: ``"840 KB"``, ``"3.1 MB"``."""
    if size < KIB:
        return f"{size} bytes"
    if size < MIB:
        return f"{size / KIB:.0f} KB"
    return f"{size / MIB:.1f} MB"


def as_json(claims: Sequence[Claim]) -> list[list[int]]:
    """Claims as a task's argument: ``[[row id, token], ...]``."""
    return [[claim.id, claim.token] for claim in claims]


def from_json(claims: Sequence[Sequence[int]]) -> list[Claim]:
    """The claims of a task's argument."""
    return [Claim(id=row_id, token=token) for row_id, token in claims]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _parts(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    return (things[start : start + size] for start in range(0, len(things), size))
