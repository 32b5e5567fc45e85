"""Upload: become the owner of channels, send a batch of claims on each, and continue while they have more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress

from celery import shared_task

from greenroom.clock import boottime
from greenroom.errors import LimiterUnavailable, NoSlotInTime
from greenroom.task_names import TaskName
from models.asset_claims import renew_assets
from models.claim import Claim
from tasks.dispatch import batches_from_json, hand_out_accepted
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import Context, current_context
from tasks.runtime.lease_renewal import renewing
from tasks.uploading.beginning import Batch, begin_batches
from tasks.uploading.turn import OWNER_PATIENCE_SECONDS, Turn, give_back_claims, still_held


def upload(context: Context, batches: Mapping[str, Sequence[Claim]]) -> dict[str, int]:
    """Upload the assets of these claims, and what else waits on their channels, until all turns are over.

    Returns how many were ``uploaded``, how many go back to the backlog (``postponed``) and how many were
    given up (``failed``).

    Args:
        context: the world.
        batches: claims by channel.

    Raises:
        TransientError: the database is away; what was not begun is taken up again after its lease.
    """
    # Whether or not there is something to do: a worker has looked.
    with suppress(LimiterUnavailable):
        context.limiter.note_started(list(batches))
    turns = [
        context.channel_threads.submit(_upload, context, Batch(channel_id=channel_id, claims=claims))
        for channel_id, claims in batches.items()
    ]
    wait(turns)
    counts = Counter({"uploaded": 0, "postponed": 0, "failed": 0})
    for turn in turns:
        counts.update(turn.result())
    if any(counts.values()):
        # What came after a channel's owner looked last, and before it released the channel.
        hand_out_accepted(context, list(batches))
    return dict(counts)


def _upload(context: Context, batch: Batch) -> Counter[str]:
    """The same on one channel."""
    taken_at = boottime()
    begun = context.beginning.submit(batch, lambda every: begin_batches(context, every))
    if begun.key is None or not begun.assets:
        return Counter(postponed=len(begun.assets))
    try:
        owned = context.limiter.acquire(batch.channel_id, timeout=OWNER_PATIENCE_SECONDS, sleep=context.sleep)
    except (NoSlotInTime, LimiterUnavailable) as error:
        give_back_claims(context, begun.assets, str(error))
        return Counter(postponed=len(begun.assets))
    turn = Turn(context, begun.channel, begun.key, owned)
    try:
        with renewing(context, turn.claims, renew_assets, lost=turn.forget):
            turn.run(still_held(context, begun.assets, taken_at=taken_at))
    finally:
        owned.release()
    return turn.counts


@shared_task(base=CheckedTask, name=TaskName.UPLOAD)
def upload_task(batches: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, int]:
    """Upload files."""
    return upload(current_context(), batches_from_json(batches))
