"""Inspect: open each source, judge it, and give what is accepted an asset to be uploaded as."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from greenroom.errors import (
    CannotFix,
    FileRejected,
    SourceChanged,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
)
from greenroom.fixed_store import StoredFix, fix_and_store
from greenroom.inspection import safe_file_name
from greenroom.isolation.process_pool import MOST_AT_A_TIME, ProcessPool, Stalled
from greenroom.isolation.protocol import InspectOrder
from greenroom.isolation.worker_process import ProcessesFailed
from greenroom.reasons import Reason
from greenroom.resources import out_of_resources
from greenroom.sources import Sources, is_url, source_name
from greenroom.untrusted_text import one_line
from greenroom.verdict import Verdict
from models.asset import NewAsset, queue_uploads, want_assets
from models.claim import Claim
from models.database import DatabaseUnavailable
from models.item import (
    ItemUnderInspection,
    Judged,
    claim_and_take_items,
    postpone_item,
    record_verdicts,
    renew_items,
    take_items,
)
from models.media import live_assets
from tasks.runtime.backoff import backoff
from tasks.runtime.bisecting_writes import write_bisecting
from tasks.runtime.context import Context, announce_dispatch
from tasks.runtime.lease_renewal import renewing

logger = logging.getLogger(__name__)

#: Verdicts are written at the end of a batch, or when so much time has passed.
WRITE_EVERY = timedelta(seconds=0.5)
#: Seconds for which one task continues with what waits; short, for other tasks wait for its process.
INSPECT_TURN_SECONDS = 0.5
#: Seconds that what a task claims by itself is to take. Its statements cost the same for many files as for
#: few; but who comes for what is left while this task's last file is slow shall find something.
ROUND_SECONDS = 0.2
#: Files that a task claims by itself at most.
LARGEST_ROUND = 500
#: Pauses, in seconds, after which verdicts that could not be written are written again.
WRITE_AGAIN_AFTER = (0.2, 1.0, 5.0, 20.0)


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """An item and what came of its inspection: a verdict, or a source that is away for now."""

    item: ItemUnderInspection
    verdict: Verdict | None
    away: str = ""
    #: Whether this was an attempt of the file's; one that this machine could not make is none.
    counts: bool = True
    fixed: StoredFix | None = None


def inspect(context: Context, claims: Sequence[Claim]) -> dict[str, int]:
    """Judge the items of these claims, and what else waits, until the task's turn is over.

    Answers how many were ``accepted``, ``rejected`` and ``postponed``.

    Raises:
        TransientError: the database is away; what was not written is taken up again after its lease.
    """
    settings, clock = context.settings, context.clock
    began_at = time.monotonic()
    with context.database.write() as connection:
        items = take_items(connection, claims, now=clock.now(), lease=settings.lease, worker=context.worker)
    counts = Counter({"accepted": 0, "rejected": 0, "postponed": 0})
    announced = False
    while items:
        seconds = _inspect(context, items, counts)
        if context.stopping.is_set() or time.monotonic() - began_at >= INSPECT_TURN_SECONDS:
            break
        if counts["accepted"] and not announced:
            # What was accepted so far need not wait for the rest.
            announce_dispatch(context, why=f"{counts['accepted']} files were accepted")
            announced = True
        limit = next_round(len(items), seconds, smallest=settings.inspect_batch_size)
        with context.database.write() as connection:
            items = claim_and_take_items(
                connection, limit=limit, now=clock.now(), lease=settings.lease, worker=context.worker
            )
    if any(counts.values()):
        announce_dispatch(context, why=f"{counts['accepted']} files were accepted")
    return dict(counts)


def next_round(files: int, seconds: float, *, smallest: int) -> int:
    """How many files to claim next, when looking at so many took so many seconds.

    What writing took does not count: the slower the database, the more is to be written at a time.
    """
    quick_enough = int(files * ROUND_SECONDS / max(seconds, 1e-6))
    return max(smallest, min(quick_enough, LARGEST_ROUND))


def _inspect(context: Context, items: Sequence[ItemUnderInspection], counts: Counter[str]) -> float:
    """Judge these; returns how many seconds that took, without writing it down."""
    seconds = 0.0
    judged: list[_Judged] = []
    unwritten = [item.claim for item in items]
    written_at = context.clock.now()
    with renewing(context, lambda: unwritten, renew_items):
        began_at = time.monotonic()
        for one in _judge(context, items):
            judged.append(one)
            seconds += time.monotonic() - began_at
            last = len(judged) == len(unwritten)
            if last or context.clock.now() - written_at >= WRITE_EVERY:
                _write_surely(context, judged, counts)
                unwritten = unwritten[len(judged) :]
                judged, written_at = [], context.clock.now()
            began_at = time.monotonic()
    return seconds


def _judge(context: Context, items: Sequence[ItemUnderInspection]) -> Iterator[_Judged]:
    """What came of each item, in their order, each as soon as it is known."""
    for chunk in _chunks(items):
        with ExitStack() as copies:
            opened = [_open(context.sources, item, copies) for item in chunk]
            looks = [
                InspectOrder(path=one, name=source_name(item.source), kind=item.kind)
                for item, one in zip(chunk, opened, strict=True)
                if isinstance(one, Path)
            ]
            verdicts = context.files.inspect(looks)
            for item, one in zip(chunk, opened, strict=True):
                yield one if isinstance(one, _Judged) else _settle(context, item, one, next(verdicts))


def _chunks(items: Sequence[ItemUnderInspection]) -> Iterator[Sequence[ItemUnderInspection]]:
    """Items that are looked at in one go.

    One that has to be fetched goes alone: the others need not wait for it, nor lie about as a copy. So does
    one that is to be fixed, for which the work may take minutes.
    """
    chunk: list[ItemUnderInspection] = []
    for item in items:
        alone = item.fix or is_url(item.source)
        if chunk and (alone or len(chunk) == MOST_AT_A_TIME):
            yield chunk
            chunk = []
        if alone:
            yield [item]
        else:
            chunk.append(item)
    if chunk:
        yield chunk


def _open(sources: Sources, item: ItemUnderInspection, copies: ExitStack) -> Path | _Judged:
    """The item's file, on this machine for as long as the stack lasts; or what is wrong with its source."""
    try:
        return copies.enter_context(sources.copy(item.source))
    except Exception as error:  # noqa: BLE001 - one file's trouble must not cost the others their verdicts
        return _fail(item, error)


def _fail(item: ItemUnderInspection, error: Exception) -> _Judged:
    """What an error at one file means for its item."""
    match error:
        case SourceMissing() | SourceUnreadable() | FileRejected():
            return _Judged(item=item, verdict=_unopened(error))
        case SourceUnavailable() | SourceChanged():
            return _Judged(item=item, verdict=None, away=str(error))
        case ProcessesFailed():
            raise error
    # What nobody foresaw: this machine's shortage, after which the file is looked at again, or a fault.
    if (short := out_of_resources(error)) is not None:
        return _Judged(item=item, verdict=None, away=str(short), counts=False)
    name = source_name(item.source)
    logger.error("%s could not be judged, by a fault of Greenroom's own.", name, exc_info=error)
    return _Judged(item=item, verdict=_unread(Reason.UNREADABLE, "Greenroom failed at this file."))


def _unopened(error: SourceMissing | SourceUnreadable | FileRejected) -> Verdict:
    match error:
        case FileRejected():
            return _unread(Reason(error.reason), error.detail)
        case SourceRefused():
            return _unread(Reason(error.reason), str(error))
        case SourceMissing():
            return _unread(Reason.MISSING, str(error))
    return _unread(Reason.UNREADABLE, str(error))


def _settle(context: Context, item: ItemUnderInspection, path: Path, found: Verdict | Stalled) -> _Judged:
    """What a verdict means for its item; one that asks for it is fixed."""
    if isinstance(found, Stalled):
        return _Judged(item=item, verdict=None, away=found.sentence)
    if not item.fix:
        return _Judged(item=item, verdict=found)
    try:
        return _fix(item, path, found, context.settings.fixed_folder, context.files)
    except Exception as error:  # noqa: BLE001 - as above
        return _fail(item, error)


def _fix(
    item: ItemUnderInspection, path: Path, verdict: Verdict, folder: Path | None, files: ProcessPool
) -> _Judged:
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
            return _Judged(item=item, verdict=kept.verdict if kept else verdict, fixed=kept)
    if verdict.accepted:
        return _Judged(item=item, verdict=verdict)
    return _Judged(item=item, verdict=replace(verdict, detail=f"{verdict.detail} Not fixed: {problem}"))


def _unread(reason: Reason, detail: str) -> Verdict:
    return Verdict(label="", size=0, sha256=None, category=None, mime_type=None, reason=reason, detail=detail)


def _write_surely(context: Context, judged: Sequence[_Judged], counts: Counter[str]) -> None:
    """Write verdicts down, trying again for a while: else the whole batch would be judged anew."""
    for pause in WRITE_AGAIN_AFTER:
        try:
            counts += _write_each(context, judged)
        except DatabaseUnavailable as error:
            logger.warning("Verdicts could not be written yet: %s", error)
            context.sleep(pause)
        else:
            return
    counts += _write_each(context, judged)


def _write_each(context: Context, judged: Sequence[_Judged]) -> Counter[str]:
    """Write verdicts down, all at once; where the database refuses one, that one's file is rejected."""
    now = context.clock.now()

    def write(connection: Connection, part: Sequence[_Judged]) -> Counter[str]:
        return _write(context, connection, part, now=now)

    def refused(one: _Judged, error: Exception) -> Counter[str]:
        name = one_line(source_name(one.item.source))
        logger.error("The verdict on %s could not be written.", name, exc_info=error)
        verdict = _unread(Reason.UNREADABLE, "Greenroom failed at this file.")
        with context.database.write() as connection:
            record_verdicts(connection, [Judged(claim=one.item.claim, verdict=verdict, asset_id=None)])
        return Counter(rejected=1)

    return sum(write_bisecting(context.database, judged, write, refused=refused), Counter())


def _write(
    context: Context, connection: Connection, judged: Sequence[_Judged], *, now: datetime
) -> Counter[str]:
    """All assets before any item, each in one order for all: see `models.locks`."""
    away = [one for one in judged if one.verdict is None]
    most = context.settings.max_attempts
    again = [one for one in away if not one.counts or one.item.attempts + 1 < most]
    final = [
        replace(one, verdict=_unread(Reason.UNREADABLE, one.away)) if one.verdict is None else one
        for one in judged
        if one not in again
    ]
    new = {one.item.claim: _asset_of(one) for one in final if one.verdict and one.verdict.accepted}
    assets = want_assets(connection, list(new.values()))
    verdicts = [
        Judged(
            claim=one.item.claim,
            verdict=one.verdict,
            asset_id=_id_of(assets, new.get(one.item.claim)),
            original_sha256=one.fixed.original_sha256 if one.fixed else None,
            fixed=one.fixed.steps if one.fixed else (),
        )
        for one in final
        if one.verdict
    ]
    held = record_verdicts(connection, verdicts, also=[one.item.claim for one in again])
    wanted = {one.asset_id for one in verdicts if one.asset_id is not None and one.claim.id in held}
    queue_uploads(connection, wanted - live_assets(connection, wanted, now=now))
    for one in again:
        until = now + backoff(one.item.attempts)
        postpone_item(connection, one.item.claim, until=until, detail=one.away, counts=one.counts)
    return Counter(postponed=len(again), accepted=len(new), rejected=len(final) - len(new))


def _id_of(assets: Mapping[tuple[str, str, str], int], new: NewAsset | None) -> int | None:
    return None if new is None else assets[new.channel_id, new.sha256, new.mime_type]


def _asset_of(one: _Judged) -> NewAsset:
    verdict = one.verdict
    if verdict is None or verdict.sha256 is None or verdict.mime_type is None or verdict.category is None:
        raise AssertionError("an accepted file has a hash, a MIME type and a category")
    # A fixed file stays where it is kept, to be uploaded again at a refresh.
    source = str(one.fixed.path.absolute()) if one.fixed else one.item.source
    return NewAsset(
        channel_id=one.item.channel_id,
        sha256=verdict.sha256,
        mime_type=verdict.mime_type,
        category=verdict.category,
        size=verdict.size,
        file_name=safe_file_name(source_name(source), verdict.mime_type),
        source=source,
        due_at=one.item.due_at,
    )
