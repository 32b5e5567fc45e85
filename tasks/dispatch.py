"""Dispatch: hand out the next few seconds of work, so that the database stays the backlog."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from celery import shared_task

from greenroom.chunks import chunks
from greenroom.errors import DatabaseUnavailable, LimiterUnavailable
from greenroom.figures import counted, human_size
from greenroom.task_names import TaskName
from models.asset_claims import AssetClaim, channels_with_uploads, claim_assets
from models.claim import Claim
from models.item_claims import claim_items, count_items_handed_out
from tasks.runtime.announcements import Message, begins, until_next_tick
from tasks.runtime.context import Context, current_context
from tasks.runtime.reporting_task import ReportingTask
from tasks.runtime.sentences import what_was_done
from tasks.runtime.tick import look_round

logger = logging.getLogger(__name__)

#: Channels whose batches are claimed in one transaction.
CHANNELS_A_CLAIM = 50
#: Channels that one message hands to a worker: they share what a task costs, and their first transaction; a
#: few, so that all workers have some.
CHANNELS_A_MESSAGE = 8
#: How long an upload's message may be on its way. One that a worker took with it when it was killed holds
#: its channel up no longer; one that comes later, and finds its files with somebody else, costs nothing.
ON_ITS_WAY = timedelta(seconds=8)


def dispatch(context: Context, *, tick: bool = False) -> dict[str, int]:
    """Claim what may be worked on now, commit, then enqueue it; returns how many files of each sort.

    Args:
        context: the world.
        tick: whether beat asked for it, which wants to know what else is due, too.
    """
    if tick:
        due = look_round(context)
        inspect, upload = due.inspections, due.uploads
    else:
        begins(context, TaskName.DISPATCH)
        inspect = upload = True
    return {
        "inspections": _hand_out_inspections(context) if inspect else 0,
        "uploads": hand_out_uploads(context) if upload else 0,
    }


def _hand_out_inspections(context: Context) -> int:
    settings = context.settings
    now = context.clock.now()
    with context.database.write() as connection:
        room = settings.inspect_ahead - count_items_handed_out(connection, now=now)
        claims = claim_items(connection, limit=room, now=now, lease=context.lease) if room > 0 else []
    # What failed before goes alone: if it brings its worker down again, it takes no other file with it.
    alone = [[item.claim] for item in claims if item.suspect]
    others = [item.claim for item in claims if not item.suspect]
    for part in [*chunks(others, settings.inspect_batch_size), *alone]:
        context.publish(
            Message(
                name=TaskName.INSPECT,
                args=[claims_as_json(part)],
                summary=f"{counted(len(part), 'file')} to inspect",
            )
        )
    return len(claims)


def hand_out_uploads(context: Context, channel_ids: Collection[str] | None = None) -> int:
    """Claim the first batch of each channel that has something to upload; returns how many files.

    Args:
        context: the world.
        channel_ids: of these alone.
    """
    if channel_ids is None:
        with context.database.read() as connection:
            channel_ids = channels_with_uploads(connection, now=context.clock.now())
    free = _without_an_owner(context, list(channel_ids))
    return sum(_hand_out(context, some) for some in chunks(free, CHANNELS_A_CLAIM))


def hand_out_accepted(context: Context, channel_ids: Collection[str]) -> None:
    """Hand out uploads of these channels now; where that fails, beat's next tick does."""
    with until_next_tick("What was accepted"):
        try:
            hand_out_uploads(context, channel_ids)
        except DatabaseUnavailable as error:
            logger.warning("What was accepted waits for beat's next tick: %s", error)


def _without_an_owner(context: Context, channels: Sequence[str]) -> list[str]:
    """The channels that nobody uploads on, and that the provider does not hold back.

    Whoever uploads on a channel goes on while there is something to upload.
    """
    try:
        statuses = context.limiter.peek(channels)
    except LimiterUnavailable as error:
        logger.warning("Nothing is handed out for upload: %s", error)
        return []
    return [
        channel
        for channel in channels
        if not statuses[channel].owned and statuses[channel].held_back <= context.settings.max_hold_seconds
    ]


def _hand_out(context: Context, channel_ids: Sequence[str]) -> int:
    """Claim the first batch of each channel, commit, then publish them; returns how many files."""
    settings, now = context.settings, context.clock.now()
    with context.database.write() as connection:
        claims = claim_assets(
            connection,
            channels_with_uploads(connection, now=now, channel_ids=channel_ids),
            limit=settings.batch_size,
            now=now,
            lease=context.lease_of(min(settings.lease, ON_ITS_WAY)),
        )
    batches = {channel_id: batch for channel_id, batch in claims.items() if batch}
    with suppress(LimiterUnavailable):
        context.limiter.note_requested(list(batches))
    for some in chunks(batches.items(), CHANNELS_A_MESSAGE):
        args = [{channel_id: claims_as_json([one.claim for one in batch]) for channel_id, batch in some}]
        context.publish(Message(name=TaskName.UPLOAD, args=args, summary=summary_of(dict(some))))
    return sum(map(len, batches.values()))


def summary_of(batches: Mapping[str, Sequence[AssetClaim]]) -> str:
    """What an operator reads of an upload task: where, and with what it begins; more may follow."""
    assets = [asset for batch in batches.values() for asset in batch]
    size = human_size(sum(asset.size for asset in assets))
    channel = next(iter(batches)) if len(batches) == 1 else counted(len(batches), "channel")
    return f"on {channel}, beginning with {assets[0].file_name} ({counted(len(assets), 'file')}, {size})"


def claims_as_json(claims: Sequence[Claim]) -> list[list[int]]:
    """Claims as a task's argument: ``[[row id, token], ...]``."""
    return [[claim.id, claim.token] for claim in claims]


def claims_from_json(claims: Sequence[Sequence[int]]) -> list[Claim]:
    """The claims of a task's argument."""
    return [Claim(id=row_id, token=token) for row_id, token in claims]


def batches_from_json(batches: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, list[Claim]]:
    """The claims of an upload's argument, by channel."""
    return {channel_id: claims_from_json(claims) for channel_id, claims in batches.items()}


@shared_task(base=ReportingTask, name=TaskName.DISPATCH)
def dispatch_task(*, tick: bool = False) -> str:
    """Hand out the next few seconds of work."""
    handed_out = dispatch(current_context(), tick=tick)
    inspections, uploads = handed_out["inspections"], handed_out["uploads"]
    return what_was_done(
        {
            f"handed out {counted(inspections, 'file')} to inspect": inspections,
            f"handed out {counted(uploads, 'file')} to upload": uploads,
        }
    )
