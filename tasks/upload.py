"""Upload: become the owner of channels, send a batch of claims on each, and continue while they have more."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from typing import Any

from celery import shared_task

from greenroom import tracing
from greenroom.clock import boottime
from greenroom.errors import DatabaseUnavailable, LimiterUnavailable, NoSlotInTime
from greenroom.log_fields import bound_fields, logged_about
from greenroom.task_names import TaskName
from models.asset_claims import renew_assets
from models.asset_items import items_of_assets
from models.claim import Claim
from tasks.dispatch import batches_from_json, hand_out_accepted
from tasks.runtime.context import Context, current_context
from tasks.runtime.lease_renewal import renewing
from tasks.runtime.reporting_task import ReportingTask, TaskReport
from tasks.uploading.beginning import Batch, begin_batches
from tasks.uploading.turn import OWNER_PATIENCE_SECONDS, Turn, give_back_claims, still_held
from tasks.uploading.upload_report import UploadReport

#: Items that are asked for the names of their campaigns.
MOST_ITEMS = 100


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
    return dict(upload_and_report(context, batches).counts)


def upload_and_report(
    context: Context, batches: Mapping[str, Sequence[Claim]], *, task_id: str = ""
) -> UploadReport:
    """The same; returns what an operator wants to know of it, too.

    Args:
        context: the world.
        batches: claims by channel.
        task_id: of the task that is to be told of as the one that uploaded them.

    Raises:
        TransientError: the database is away; what was not begun is taken up again after its lease.
    """
    # Whether or not there is something to do: a worker has looked.
    with suppress(LimiterUnavailable):
        context.limiter.note_started(list(batches))
    turns: list[Turn] = []
    # One for all channels of the message: what somebody has locked is skipped.
    with renewing(context, partial(_claims_of, turns), renew_assets, lost=partial(_forget, turns)):
        channels = [
            context.channel_threads.submit(
                _upload,
                context,
                Batch(channel_id=channel_id, claims=claims),
                turns,
                task_id,
                bound_fields(),
                within=tracing.here(),
            )
            for channel_id, claims in batches.items()
        ]
        wait(channels)
    report = UploadReport()
    for channel in channels:
        report.add(channel.result())
    if any(report.counts.values()):
        # What came after a channel's owner looked last, and before it released the channel.
        context.handing_out.submit(list(batches), lambda every: _hand_out_again(context, every))
    return report


def _hand_out_again(context: Context, channels: Sequence[Sequence[str]]) -> list[None]:
    """What waits on the channels of these messages, which are over."""
    hand_out_accepted(context, list(itertools.chain(*channels)))
    return [None] * len(channels)


def _claims_of(turns: Sequence[Turn]) -> list[Claim]:
    return [claim for turn in tuple(turns) for claim in turn.claims()]


def _forget(turns: Sequence[Turn], lost: Sequence[Claim]) -> None:
    if lost:
        for turn in tuple(turns):
            turn.forget(lost)


def _upload(
    context: Context,
    batch: Batch,
    turns: list[Turn],
    task_id: str,
    task: Mapping[str, object],
    *,
    within: Mapping[str, str],
) -> UploadReport:
    """The same on one channel, in a thread of its own, for a task that its lines and its span are about."""
    named: dict[str, Any] = {"channel": batch.channel_id, "task_id": task_id or None}
    with (
        logged_about(**{**task, "channel": batch.channel_id}),
        tracing.traced("upload to a channel", parent=within, **named) as span,
    ):
        report = _upload_batch(context, batch, turns, task_id)
        if span is not None:
            span.set_attributes({f"greenroom.{name}": count for name, count in report.counts.items()})
        return report


def _upload_batch(context: Context, batch: Batch, turns: list[Turn], task_id: str) -> UploadReport:
    taken_at = boottime()
    report = UploadReport()
    begun = context.beginning.submit(batch, lambda every: begin_batches(context, every))
    if begun.key is None or not begun.assets:
        report.note_postponed(len(begun.assets), "The channel is paused.")
        return report
    try:
        owned = context.limiter.acquire(batch.channel_id, timeout=OWNER_PATIENCE_SECONDS, sleep=context.sleep)
    except (NoSlotInTime, LimiterUnavailable) as error:
        give_back_claims(context, begun.assets, str(error))
        report.note_postponed(len(begun.assets), str(error))
        return report
    turn = Turn(context, begun.channel, begun.key, owned, report=report, task_id=task_id)
    turns.append(turn)
    try:
        turn.run(still_held(context, begun.assets, taken_at=taken_at))
    finally:
        # What it could not write down is not kept from others while the message's other channels go on.
        turns.remove(turn)
        owned.release()
    return report


def _campaigns_of(context: Context, asset_ids: Sequence[int]) -> list[str]:
    """The campaigns that hold some of these assets, for the operator; none, where that cannot be asked."""
    if not context.events.files or not asset_ids:
        return []
    try:
        with context.database.read() as connection:
            items = items_of_assets(connection, asset_ids, limit=MOST_ITEMS)
    except DatabaseUnavailable:
        return []
    return list(dict.fromkeys(item.campaign_id for its_own in items.values() for item in its_own))


@shared_task(base=ReportingTask, name=TaskName.UPLOAD, bind=True, shows_start=True)
def upload_task(self: ReportingTask, batches: Mapping[str, Sequence[Sequence[int]]]) -> TaskReport:
    """Upload files."""
    context = current_context()
    report = upload_and_report(context, batches_from_json(batches), task_id=self.request.id or "")
    return report.report(list(batches), _campaigns_of(context, report.assets))
