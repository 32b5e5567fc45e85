"""Inspect: open each source, judge it, and give what is accepted an asset to be uploaded as."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from greenroom.errors import FileRejected, SourceChanged, SourceMissing, SourceUnavailable
from greenroom.inspection import clean_file_name, inspect_file
from greenroom.mended_files import Kept, mend_and_keep
from greenroom.mending import CannotMend
from greenroom.reasons import Reason
from greenroom.sources import local_copy, source_name
from greenroom.task_names import TaskName
from greenroom.verdict import Verdict
from models.asset import NewAsset, queue_upload, want_asset
from models.claim import Claim
from models.database import DatabaseUnavailable
from models.item import ItemUnderInspection, postpone_item, record_verdict, renew_items, take_items
from models.media import has_live_media
from tasks.backoff import backoff
from tasks.context import Context, Message, announce
from tasks.keep_alive import kept_alive

logger = logging.getLogger(__name__)

#: Verdicts are written when so many have come together, or so much time has passed.
WRITE_EVERY_ITEMS = 10
WRITE_EVERY = timedelta(seconds=0.5)
#: Pauses, in seconds, after which verdicts that could not be written are written again.
WRITE_AGAIN_AFTER = (0.2, 1.0, 5.0, 20.0)


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """An item and what came of its inspection: a verdict, or a source that is away for now."""

    item: ItemUnderInspection
    verdict: Verdict | None
    away: str = ""
    mended: Kept | None = None


def inspect(context: Context, claims: Sequence[Claim]) -> dict[str, int]:
    """Judge the items of these claims; answers how many were accepted and rejected.

    Raises:
        TransientError: the database is away; what was not written is taken up again after its lease.
    """
    settings, clock = context.settings, context.clock
    with context.database.write() as connection:
        items = take_items(connection, claims, now=clock.now(), lease=settings.lease)
    counts = {"accepted": 0, "rejected": 0, "postponed": 0}
    judged: list[_Judged] = []
    unwritten = [item.claim for item in items]
    written_at = clock.now()
    with kept_alive(context, lambda: unwritten, renew_items):
        for item in items:
            judged.append(_judge(item, settings.mended_folder))
            last = len(judged) == len(unwritten)
            if last or len(judged) >= WRITE_EVERY_ITEMS or clock.now() - written_at >= WRITE_EVERY:
                _write_surely(context, judged, counts)
                unwritten = unwritten[len(judged) :]
                judged, written_at = [], clock.now()
    if counts["accepted"]:
        announce(
            context,
            Message(name=TaskName.DISPATCH, args=[], summary=f"{counts['accepted']} files were accepted"),
        )
    return counts


def _judge(item: ItemUnderInspection, mended_folder: Path | None) -> _Judged:
    name = source_name(item.source)
    try:
        with local_copy(item.source) as path:
            verdict = inspect_file(path, name=name, kind=item.kind)
            if item.mend:
                return _mend(item, path, verdict, mended_folder)
            return _Judged(item=item, verdict=verdict)
    except SourceMissing as error:
        return _Judged(item=item, verdict=_unread(Reason.MISSING, str(error)))
    except FileRejected as error:
        return _Judged(item=item, verdict=_unread(Reason(error.reason), error.detail))
    except (SourceUnavailable, SourceChanged) as error:
        return _Judged(item=item, verdict=None, away=str(error))
    except Exception:
        # One file's trouble must not cost the other files of the batch their verdicts.
        logger.exception("%s could not be judged, by a fault of Greenroom's own.", name)
        return _Judged(item=item, verdict=_unread(Reason.UNREADABLE, "Greenroom failed at this file."))


def _mend(item: ItemUnderInspection, path: Path, verdict: Verdict, folder: Path | None) -> _Judged:
    """Judge what can be made of a file; where nothing can, the file itself, and say why."""
    problem = "GREENROOM_MENDED_FOLDER is not set."
    if folder is not None:
        try:
            kept = mend_and_keep(path, verdict, folder, name=source_name(item.source), kind=item.kind)
        except CannotMend as error:
            problem = str(error)
        except OSError as error:
            problem = f"Greenroom cannot write to {folder}: {error.strerror}."
            logger.error("Nothing can be mended: %s", problem)
        else:
            return _Judged(item=item, verdict=kept.verdict if kept else verdict, mended=kept)
    if verdict.accepted:
        return _Judged(item=item, verdict=verdict)
    return _Judged(item=item, verdict=replace(verdict, detail=f"{verdict.detail} Not mended: {problem}"))


def _unread(reason: Reason, detail: str) -> Verdict:
    return Verdict(label="", size=0, sha256=None, category=None, mime_type=None, reason=reason, detail=detail)


def _write_surely(context: Context, judged: Sequence[_Judged], counts: dict[str, int]) -> None:
    """Write verdicts down, trying again for a while: else the whole batch would be judged anew."""
    for pause in WRITE_AGAIN_AFTER:
        try:
            _write(context, judged, counts)
        except DatabaseUnavailable as error:
            logger.warning("Verdicts could not be written yet: %s", error)
            context.sleep(pause)
        else:
            return
    _write(context, judged, counts)


def _write(context: Context, judged: Sequence[_Judged], counts: dict[str, int]) -> None:
    with context.database.write() as connection:
        # All assets before any item, each in one order for all: see `models.asset.want_asset`.
        assets = {
            (new.channel_id, new.sha256): want_asset(connection, new)
            for new in sorted(_assets_of(judged), key=lambda new: (new.channel_id, new.sha256))
        }
        outcomes = [
            _write_one(context, connection, one, assets)
            for one in sorted(judged, key=lambda one: one.item.claim.id)
        ]
    for outcome in outcomes:
        counts[outcome] += 1


def _assets_of(judged: Sequence[_Judged]) -> list[NewAsset]:
    return [_asset_of(one, one.verdict) for one in judged if one.verdict and one.verdict.accepted]


def _write_one(
    context: Context, connection: Connection, one: _Judged, assets: dict[tuple[str, str], int]
) -> str:
    now, item, verdict = context.clock.now(), one.item, one.verdict
    if verdict is None:
        if item.attempts + 1 < context.settings.max_attempts:
            until = now + backoff(item.attempts)
            postpone_item(connection, item.claim, until=until, detail=one.away)
            return "postponed"
        verdict = _unread(Reason.UNREADABLE, one.away)
    if not verdict.accepted:
        record_verdict(connection, item.claim, verdict, asset_id=None)
        return "rejected"
    asset_id = assets[item.channel_id, verdict.sha256 or ""]
    recorded = record_verdict(
        connection,
        item.claim,
        verdict,
        asset_id=asset_id,
        original_sha256=one.mended.original_sha256 if one.mended else None,
        mended=one.mended.steps if one.mended else (),
    )
    if recorded and not has_live_media(connection, asset_id, now=now):
        queue_upload(connection, asset_id)
    return "accepted"


def _asset_of(one: _Judged, verdict: Verdict) -> NewAsset:
    if verdict.sha256 is None or verdict.mime_type is None or verdict.category is None:
        raise AssertionError("an accepted file has a hash, a MIME type and a category")
    # A mended file stays where it is kept, to be uploaded again at a refresh.
    source = str(one.mended.path.absolute()) if one.mended else one.item.source
    return NewAsset(
        channel_id=one.item.channel_id,
        sha256=verdict.sha256,
        mime_type=verdict.mime_type,
        category=verdict.category,
        size=verdict.size,
        file_name=clean_file_name(source_name(source), verdict.mime_type),
        source=source,
        due_at=one.item.due_at,
    )
