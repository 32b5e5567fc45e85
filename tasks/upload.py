"""Upload: become the owner of a channel, send a batch of claims, and continue while the channel has more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from celery import shared_task

from greenroom.clock import boottime
from greenroom.errors import (
    LimiterUnavailable,
    NoSlotInTime,
)
from greenroom.task_names import TaskName
from models.asset_claims import renew_assets, take_assets
from models.channel import get_channel
from models.claim import Claim
from models.upload_outcomes import postpone_asset
from tasks.dispatch import claims_from_json
from tasks.runtime.announcements import Message, announce
from tasks.runtime.checked_task import CheckedTask
from tasks.runtime.context import Context, current_context
from tasks.runtime.lease_renewal import renewing
from tasks.uploading.turn import (
    OWNER_PATIENCE_SECONDS,
    Turn,
    give_back_claims,
    key_or_pause,
    still_held,
    still_wanted,
)


def upload(context: Context, channel_id: str, claims: Sequence[Claim]) -> dict[str, int]:
    """Upload the assets of these claims, and what else waits on the channel, until its turn is over.

    Returns how many were ``uploaded``, how many go back to the backlog (``postponed``) and how many were
    given up (``failed``).

    Raises:
        TransientError: the database is away; what was not begun is taken up again after its lease.
    """
    # Whether or not there is something to do: a worker has looked.
    with suppress(LimiterUnavailable):
        context.limiter.note_started(channel_id)
    taken_at = boottime()
    now = context.clock.now()
    with context.database.write() as connection:
        taken = take_assets(
            connection, channel_id, claims, now=now, lease=context.settings.lease, worker=context.worker
        )
        channel = get_channel(connection, channel_id)
        assets = still_wanted(context, connection, taken)
        key = key_or_pause(context, connection, channel)
        if key is None:
            for asset in assets:
                postpone_asset(
                    connection, asset.claim, until=None, detail="The channel is paused.", counts=False
                )
    counts = Counter({"uploaded": 0, "postponed": 0, "failed": 0})
    if key is None or not assets:
        return {**counts, "postponed": len(assets)}
    try:
        owned = context.limiter.acquire(channel_id, timeout=OWNER_PATIENCE_SECONDS, sleep=context.sleep)
    except (NoSlotInTime, LimiterUnavailable) as error:
        give_back_claims(context, assets, str(error))
        return {**counts, "postponed": len(assets)}
    turn = Turn(context, channel, key, owned)
    try:
        with renewing(context, turn.claims, renew_assets, lost=turn.forget):
            turn.run(still_held(context, assets, taken_at=taken_at))
    finally:
        owned.release()
    summary = f"channel {channel_id} has room for more"
    announce(context, Message(name=TaskName.DISPATCH, args=[channel_id], summary=summary))
    return {**counts, **turn.counts}


@shared_task(base=CheckedTask, name=TaskName.UPLOAD)
def upload_task(channel_id: str, claims: Sequence[Sequence[int]]) -> dict[str, int]:
    """Upload files."""
    return upload(current_context(), channel_id, claims_from_json(claims))
