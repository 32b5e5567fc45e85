"""Inspect: open each source, judge it, and give what is accepted an asset to be uploaded as."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from celery import shared_task

from greenroom.chunks import chunks
from greenroom.figures import counted
from greenroom.sources import is_remote
from greenroom.task_names import TaskName
from models.claim import Claim
from models.item_claims import ItemUnderInspection, claim_and_take_items, renew_items, take_items
from tasks.dispatch import claims_from_json, hand_out_accepted
from tasks.inspecting.batch_verdicts import BatchVerdicts
from tasks.inspecting.judging import judge, set_aside
from tasks.inspecting.verdict_writer import write_surely
from tasks.runtime.announcements import (
    announce_dispatch,
    announce_inspection,
    await_more,
    begins,
    looks_again,
)
from tasks.runtime.context import Context, current_context
from tasks.runtime.fetching import FILES_AT_A_TIME, OF_ONE_PLACE, place_of
from tasks.runtime.lease_renewal import renewing
from tasks.runtime.reporting_task import ReportingTask

logger = logging.getLogger(__name__)

#: Seconds for which one task continues with what waits; short, for other tasks wait for its process.
INSPECT_TURN_SECONDS = 1.0
#: Seconds that what a task claims by itself is to take. Its statements cost the same for many files as for
#: few; but who comes for what is left while this task's last file is slow shall find something.
ROUND_SECONDS = 0.2
#: Seconds for which a task waits for room for files that have to be fetched.
ROOM_SECONDS = 1.0
#: Files that a task claims by itself at most.
LARGEST_ROUND = 500


def inspect(context: Context, claims: Sequence[Claim]) -> dict[str, int]:
    """Judge the items of these claims, and what else waits, until the task's turn is over.

    Returns how many were ``accepted``, ``rejected`` and ``postponed``; and how many are ``fetching``, where
    other threads judge them.

    Args:
        context: the world.
        claims: those that were handed out; none, where the task is only to look for what waits.

    Raises:
        TransientError: the database is away; what was not written is taken up again after its lease.
    """
    settings = context.settings
    began_at = time.monotonic()
    items = _take(context, claims) if claims else _claim(context, limit=settings.inspect_batch_size)
    counts = Counter({"accepted": 0, "rejected": 0, "postponed": 0})
    limit = settings.inspect_batch_size
    while items:
        looked_at = time.monotonic()
        accepted_on: set[str] = set()
        far = [item for item in items if is_remote(item.source)] if context.fetching.beside else []
        near = [item for item in items if not is_remote(item.source)] if far else items
        seconds, begun = _look_at(context, near, far, counts, accepted_on)
        if accepted_on:
            # What was accepted so far need not wait for the rest.
            hand_out_accepted(context, accepted_on)
        if not near and not begun:
            # There is no room for what waits; beat's next tick looks again.
            break
        if context.stopping.is_set() or time.monotonic() - began_at >= INSPECT_TURN_SECONDS:
            _ask_others(context, for_many=len(items) >= limit)
            break
        if len(items) < limit:
            await_more(context, TaskName.INSPECT, since=looked_at)
        limit = next_round(len(near), seconds, smallest=settings.inspect_batch_size)
        items = _claim(context, limit=limit)
    return dict(counts)


def _ask_others(context: Context, *, for_many: bool) -> None:
    """More than one task can claim is handed out to whoever has time; for what comes in now, one looks."""
    why = "there may be more to inspect"
    if for_many:
        announce_dispatch(context, why=why)
    else:
        begins(context, TaskName.INSPECT)
        announce_inspection(context, why=why)


def inspect_all(context: Context) -> None:
    """Judge all that waits, where no worker could help: nobody is asked to, and nothing is handed out.

    Raises:
        TransientError: the database is away; what was not written is taken up again after its lease.
    """
    while items := _look(context, limit=context.settings.inspect_batch_size):
        _inspect(context, items, Counter(), set())


def _take(context: Context, claims: Sequence[Claim]) -> list[ItemUnderInspection]:
    with context.database.write() as connection:
        return take_items(
            connection,
            claims,
            now=context.clock.now(),
            lease=context.lease,
            worker=context.worker,
        )


def _claim(context: Context, *, limit: int) -> list[ItemUnderInspection]:
    """What waits; while this task finds all of it, nobody has to be asked to help."""
    looks_again(context, TaskName.INSPECT)
    items = _look(context, limit=limit)
    if 0 < len(items) < limit:
        return items
    begins(context, TaskName.INSPECT)
    # Of what came just before this, nobody was told.
    return items or _look(context, limit=limit)


def _look(context: Context, *, limit: int) -> list[ItemUnderInspection]:
    with context.database.write() as connection:
        return claim_and_take_items(
            connection,
            limit=limit,
            now=context.clock.now(),
            lease=context.lease,
            worker=context.worker,
        )


def next_round(files: int, seconds: float, *, smallest: int) -> int:
    """How many files to claim next, when looking at so many took so many seconds.

    What writing took does not count: the slower the database, the more is to be written at a time.
    """
    quick_enough = int(files * ROUND_SECONDS / max(seconds, 1e-6))
    return max(smallest, min(quick_enough, LARGEST_ROUND))


def _look_at(
    context: Context,
    near: Sequence[ItemUnderInspection],
    far: Sequence[ItemUnderInspection],
    counts: Counter[str],
    accepted_on: set[str],
) -> tuple[float, int]:
    """Judge those that are near, and begin to fetch the others.

    Returns how many seconds judging took, and how many files are being fetched.
    """
    waiting = _begin_fetching(context, far)
    claims = [item.claim for item in waiting]
    with renewing(context, lambda: claims, renew_items) if near and waiting else nullcontext():
        seconds = _inspect(context, near, counts, accepted_on) if near else 0.0
    left = _begin_fetching(context, waiting, patience=ROOM_SECONDS)
    if left:
        detail = "Other files from the same place are being fetched."
        put_back = [
            set_aside(item, detail, gets_on=context.fetching.gets_on(place_of(item.source))) for item in left
        ]
        write_surely(context, put_back, counts)
    begun = len(far) - len(left)
    if begun:
        counts["fetching"] += begun
    return seconds, begun


def _begin_fetching(
    context: Context, items: Sequence[ItemUnderInspection], *, patience: float = 0.0
) -> list[ItemUnderInspection]:
    """Have these fetched, judged and handed out by other threads; returns those that found no room."""
    by_place: dict[str, list[ItemUnderInspection]] = {}
    for item in items:
        by_place.setdefault(place_of(item.source), []).append(item)
    left: list[ItemUnderInspection] = []
    until = time.monotonic() + patience
    for place, here in by_place.items():
        for part in chunks(here, min(-(-len(here) // OF_ONE_PLACE), FILES_AT_A_TIME)):
            work, wait = partial(_fetch, context, part), max(0.0, until - time.monotonic())
            if not context.fetching.begin(place, work, patience=wait):
                left += part
    return left


def _fetch(context: Context, items: Sequence[ItemUnderInspection]) -> bool:
    """Fetch, judge and hand out these; returns whether there was a verdict on any."""
    counts: Counter[str] = Counter()
    accepted_on: set[str] = set()
    looking = partial(context.fetching.looking, place_of(items[0].source))
    _inspect(context, items, counts, accepted_on, looking=looking)
    if accepted_on:
        hand_out_accepted(context, accepted_on)
    got_on = bool(counts["accepted"] or counts["rejected"])
    if got_on:
        announce_inspection(context, why="more files may be fetched")
    return got_on


def _inspect(
    context: Context,
    items: Sequence[ItemUnderInspection],
    counts: Counter[str],
    accepted_on: set[str],
    *,
    looking: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> float:
    """Judge these, and add the channels on which some were accepted.

    Returns how many seconds that took, without writing it down.
    """
    verdicts = BatchVerdicts(context, items, counts)
    with renewing(context, verdicts.unwritten, renew_items), verdicts.written_meanwhile():
        began_at = time.monotonic()
        for one in judge(context, items, looking):
            verdicts.add(one)
        seconds = time.monotonic() - began_at
    accepted_on.update(verdicts.accepted_on)
    return seconds


@shared_task(base=ReportingTask, name=TaskName.INSPECT)
def inspect_task(claims: Sequence[Sequence[int]]) -> str:
    """Judge files."""
    counts = inspect(current_context(), claims_from_json(claims))
    ends = ", ".join(f"{count:,} {end}" for end, count in counts.items() if count)
    return f"looked at {counted(sum(counts.values()), 'file')}: {ends}" if ends else ""
