"""Open files and judge them: what came of each, whatever its source, its content or its fixing meets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

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
from greenroom.fixed_store import fix_and_store
from greenroom.isolation.process_pool import MOST_AT_A_TIME, ProcessPool, Stalled
from greenroom.isolation.protocol import InspectOrder
from greenroom.isolation.worker_process import ProcessesFailed
from greenroom.log_fields import about
from greenroom.reasons import Reason
from greenroom.resources import out_of_resources
from greenroom.sources import Sources, is_remote, source_name
from greenroom.verdict import Verdict
from models.item_claims import ItemUnderInspection
from tasks.inspecting.verdict_writer import JudgedItem, unread_verdict
from tasks.runtime.context import Context
from tasks.runtime.fetching import place_of

logger = logging.getLogger(__name__)

#: Seconds after which a place that gives nothing is not asked for its other files at once.
NOTHING_SECONDS = 5.0
#: How long those that have to be fetched, and are not now, are left alone.
SET_ASIDE, SET_ASIDE_BRIEFLY = timedelta(seconds=10), timedelta(seconds=0.5)


def judge(
    context: Context,
    items: Sequence[ItemUnderInspection],
    looking: Callable[[], AbstractContextManager[object]],
) -> Iterator[JudgedItem]:
    """What came of each item, each as soon as it is known; of those that go alone, after all others.

    Args:
        context: the world.
        items: under inspection.
        looking: is held while files are looked at.

    Raises:
        ProcessesFailed: no process that looks at files can be started.
    """
    #: Of places that kept us waiting for nothing, what was said then: nobody waits for them twice.
    silent: dict[str, str] = {}
    for chunk in _chunks(items):
        place = place_of(chunk[0].source) if is_remote(chunk[0].source) else ""
        if place and (context.stopping.is_set() or place in silent):
            yield set_aside(chunk[0], silent.get(place, "Its worker stopped before this file's turn."))
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


def set_aside(item: ItemUnderInspection, detail: str, *, gets_on: bool = False) -> JudgedItem:
    """Not asked for now, and no attempt of the file's; for a moment alone, if its place gives something."""
    pause = SET_ASIDE_BRIEFLY if gets_on else SET_ASIDE
    return JudgedItem(item=item, verdict=None, away=detail, counts=False, pause=pause)
