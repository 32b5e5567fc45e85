"""Inspect: open each source, judge it, and give what is accepted an asset to be uploaded as."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from celery import shared_task

from greenroom.chunks import chunks
from greenroom.errors import (
    CannotFix,
    FileRejected,
    SourceChanged,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
)
from greenroom.figures import counted
from greenroom.fixed_store import fix_and_store
from greenroom.isolation.process_pool import MOST_AT_A_TIME, ProcessPool, Stalled
from greenroom.isolation.protocol import InspectOrder
from greenroom.isolation.worker_process import ProcessesFailed
from greenroom.log_fields import about
from greenroom.reasons import Reason
from greenroom.resources import out_of_resources
from greenroom.sources import Sources, is_remote, source_name
from greenroom.task_names import TaskName
from greenroom.verdict import Verdict
from models.claim import Claim
from models.item_claims import ItemUnderInspection, claim_and_take_items, renew_items, take_items
from tasks.dispatch import claims_from_json, hand_out_accepted
from tasks.inspecting.batch_verdicts import BatchVerdicts
from tasks.inspecting.verdict_writer import JudgedItem, unread_verdict, write_surely
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
#: Seconds for which a task waits for room for files that have to be fetched; and how long those that find
#: none are left alone.
ROOM_SECONDS = 1.0
SET_ASIDE, SET_ASIDE_BRIEFLY = timedelta(seconds=10), timedelta(seconds=0.5)
#: Seconds after which a place that gives nothing is not asked for its other files at once.
NOTHING_SECONDS = 5.0
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
            _set_aside(item, detail, gets_on=context.fetching.gets_on(place_of(item.source))) for item in left
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


def _set_aside(item: ItemUnderInspection, detail: str, *, gets_on: bool = False) -> JudgedItem:
    """Not asked for now, and no attempt of the file's; for a moment alone, if its place gives something."""
    pause = SET_ASIDE_BRIEFLY if gets_on else SET_ASIDE
    return JudgedItem(item=item, verdict=None, away=detail, counts=False, pause=pause)


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
        for one in _judge(context, items, looking):
            verdicts.add(one)
        seconds = time.monotonic() - began_at
    accepted_on.update(verdicts.accepted_on)
    return seconds


def _judge(
    context: Context,
    items: Sequence[ItemUnderInspection],
    looking: Callable[[], AbstractContextManager[object]],
) -> Iterator[JudgedItem]:
    """What came of each item, each as soon as it is known; of those that go alone, after all others."""
    #: Of places that kept us waiting for nothing, what was said then: nobody waits for them twice.
    silent: dict[str, str] = {}
    for chunk in _chunks(items):
        place = place_of(chunk[0].source) if is_remote(chunk[0].source) else ""
        if place and (context.stopping.is_set() or place in silent):
            yield _set_aside(chunk[0], silent.get(place, "Its worker stopped before this file's turn."))
            continue
        began_at = time.monotonic()
        with ExitStack() as copies:
            opened = [_open(context.sources, item, copies) for item in chunk]
            first = opened[0]
            waited = time.monotonic() - began_at
            if place and isinstance(first, JudgedItem) and first.away and waited >= NOTHING_SECONDS:
                silent[place] = first.away
            looks = [
                InspectOrder(path=one, name=source_name(item.source), kind=item.kind)
                for item, one in zip(chunk, opened, strict=True)
                if isinstance(one, Path)
            ]
            if looks:
                copies.enter_context(looking())
            verdicts = context.files.inspect(looks)
            for item, one in zip(chunk, opened, strict=True):
                yield one if isinstance(one, JudgedItem) else _settle(context, item, one, next(verdicts))


def _chunks(items: Sequence[ItemUnderInspection]) -> Iterator[Sequence[ItemUnderInspection]]:
    """Items that are looked at in one go.

    One that has to be fetched goes alone and last: the others need not wait for it, nor lie about as a copy.
    So does one that is to be fixed, for which the work may take minutes.
    """
    yield from chunks([item for item in items if not _goes_alone(item)], MOST_AT_A_TIME)
    yield from ([item] for item in items if _goes_alone(item))


def _goes_alone(item: ItemUnderInspection) -> bool:
    return item.fix or is_remote(item.source)


def _open(sources: Sources, item: ItemUnderInspection, copies: ExitStack) -> Path | JudgedItem:
    """The item's file, on this machine for as long as the stack lasts; or what is wrong with its source."""
    try:
        return copies.enter_context(sources.copy(item.source))
    except Exception as error:  # noqa: BLE001 - one file's trouble must not cost the others their verdicts
        return _fail(item, error)


def _fail(item: ItemUnderInspection, error: Exception) -> JudgedItem:
    """What an error at one file means for its item."""
    match error:
        case SourceMissing() | SourceUnreadable() | FileRejected():
            return JudgedItem(item=item, verdict=_unopened(error))
        case SourceUnavailable() | SourceChanged():
            return JudgedItem(item=item, verdict=None, away=str(error))
        case ProcessesFailed():
            raise error
    # What nobody foresaw: this machine's shortage, after which the file is looked at again, or a fault.
    if (short := out_of_resources(error)) is not None:
        return JudgedItem(item=item, verdict=None, away=str(short), counts=False)
    name = source_name(item.source)
    fields = about(
        campaign=item.campaign_id, channel=item.channel_id, ref=item.ref, file=name, attempt=item.attempts + 1
    )
    logger.error("%s could not be judged, by a fault of Greenroom's own.", name, exc_info=error, extra=fields)
    return JudgedItem(item=item, verdict=unread_verdict(Reason.UNREADABLE, "Greenroom failed at this file."))


def _unopened(error: SourceMissing | SourceUnreadable | FileRejected) -> Verdict:
    match error:
        case FileRejected():
            return unread_verdict(Reason(error.reason), error.detail)
        case SourceRefused():
            return unread_verdict(Reason(error.reason), str(error))
        case SourceMissing():
            return unread_verdict(Reason.MISSING, str(error))
    return unread_verdict(Reason.UNREADABLE, str(error))


def _settle(context: Context, item: ItemUnderInspection, path: Path, found: Verdict | Stalled) -> JudgedItem:
    """What a verdict means for its item; one that asks for it is fixed."""
    if isinstance(found, Stalled):
        return JudgedItem(item=item, verdict=None, away=found.sentence)
    if not item.fix:
        return JudgedItem(item=item, verdict=found)
    try:
        return _fix(item, path, found, context.settings.fixed_folder, context.files)
    except Exception as error:  # noqa: BLE001 - as above
        return _fail(item, error)


def _fix(
    item: ItemUnderInspection, path: Path, verdict: Verdict, folder: Path | None, files: ProcessPool
) -> JudgedItem:
    """Judge what can be made of a file; where nothing can, the file itself, and say why."""
    problem = "GREENROOM_FIXED_FOLDER is not set."
    if folder is not None:
        try:
            name = source_name(item.source)
            kept = fix_and_store(path, verdict, folder, name=name, kind=item.kind, files=files)
        except CannotFix as error:
            problem = str(error)
        except OSError as error:
            problem = f"Greenroom cannot write to {folder}: {error.strerror}."
            logger.error("Nothing can be fixed: %s", problem)
        else:
            return JudgedItem(item=item, verdict=kept.verdict if kept else verdict, fixed=kept)
    if verdict.accepted:
        return JudgedItem(item=item, verdict=verdict)
    return JudgedItem(item=item, verdict=replace(verdict, detail=f"{verdict.detail} Not fixed: {problem}"))


@shared_task(base=ReportingTask, name=TaskName.INSPECT)
def inspect_task(claims: Sequence[Sequence[int]]) -> str:
    """Judge files."""
    counts = inspect(current_context(), claims_from_json(claims))
    ends = ", ".join(f"{count:,} {end}" for end, count in counts.items() if count)
    return f"looked at {counted(sum(counts.values()), 'file')}: {ends}" if ends else ""
