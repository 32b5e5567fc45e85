"""Verdicts written down, and the assets that accepted files need."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from greenroom.counters import ACCEPTED, REJECTED
from greenroom.errors import DatabaseUnavailable
from greenroom.file_names import safe_file_name
from greenroom.fixed_store import StoredFix
from greenroom.log_fields import about
from greenroom.reasons import Reason
from greenroom.sources import source_name
from greenroom.untrusted_text import one_line
from greenroom.verdict import Verdict
from models.item_claims import ItemUnderInspection, postpone_item
from models.media import live_assets
from models.upload_start import waiting_campaigns
from models.verdict_records import Judged, record_verdicts
from models.wanted_assets import NewAsset, queue_uploads, want_assets
from tasks.runtime.backoff import backoff
from tasks.runtime.bisecting_writes import write_bisecting
from tasks.runtime.context import Context
from tasks.runtime.file_events import InspectedFile

logger = logging.getLogger(__name__)
#: Pauses, in seconds, after which verdicts that could not be written are written again.
WRITE_AGAIN_AFTER = (0.2, 1.0, 5.0, 20.0)


@dataclass(frozen=True, kw_only=True)
class JudgedItem:
    """An item and what came of its inspection: a verdict, or a source that is away for now."""

    item: ItemUnderInspection
    verdict: Verdict | None
    away: str = ""
    #: Whether this was an attempt of the file's; one that this machine could not make is none.
    counts: bool = True
    #: How long to leave it alone, where that is not what comes of its attempts.
    pause: timedelta | None = None
    fixed: StoredFix | None = None


def unread_verdict(reason: Reason, detail: str) -> Verdict:
    """The verdict on a file that could not be read."""
    return Verdict(label="", size=0, sha256=None, category=None, mime_type=None, reason=reason, detail=detail)


def write_surely(context: Context, judged: Sequence[JudgedItem], counts: Counter[str]) -> None:
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


def _write_each(context: Context, judged: Sequence[JudgedItem]) -> Counter[str]:
    """Write verdicts down, all at once; where the database refuses one, that one's file is rejected."""
    now = context.clock.now()
    files: list[InspectedFile] = []

    def write(connection: Connection, part: Sequence[JudgedItem]) -> Counter[str]:
        counts, written = _write(context, connection, part, now=now)
        files.extend(written)
        return counts

    def refused(one: JudgedItem, error: Exception) -> Counter[str]:
        name = one_line(source_name(one.item.source))
        fields = about(
            campaign=one.item.campaign_id, channel=one.item.channel_id, ref=one.item.ref, file=name
        )
        logger.error("The verdict on %s could not be written.", name, exc_info=error, extra=fields)
        verdict = unread_verdict(Reason.UNREADABLE, "Greenroom failed at this file.")
        with context.database.write() as connection:
            record_verdicts(connection, [Judged(claim=one.item.claim, verdict=verdict, asset_id=None)])
        files.append(_file(one.item, verdict, at=now))
        return Counter({"rejected": 1, str(Reason.UNREADABLE): 1})

    counts: Counter[str] = sum(write_bisecting(context.database, judged, write, refused=refused), Counter())
    if context.events.files:
        context.events.add(files)
    return _count(counts)


def _count(counts: Counter[str]) -> Counter[str]:
    """Count verdicts that were written down, each rejection by its reason; returns the rest without these."""
    for reason in Reason:
        if rejected := counts.pop(reason, 0):
            REJECTED.add(reason, count=rejected)
    if counts["accepted"]:
        ACCEPTED.add(count=counts["accepted"])
    return counts


def _write(
    context: Context, connection: Connection, judged: Sequence[JudgedItem], *, now: datetime
) -> tuple[Counter[str], list[InspectedFile]]:
    """All assets before any item, each in one order for all: see `models.locks`."""
    away = [one for one in judged if one.verdict is None]
    most = context.settings.max_attempts
    again = [one for one in away if not one.counts or one.item.attempts + 1 < most]
    final = [
        replace(one, verdict=unread_verdict(Reason.UNREADABLE, one.away)) if one.verdict is None else one
        for one in judged
        if one not in again
    ]
    maybe_later = {one.item.campaign_id for one in final if one.item.upload_from is not None}
    later = waiting_campaigns(connection, maybe_later) if maybe_later else set()
    new = {
        one.item.claim: _assets_of(one, begun=one.item.campaign_id not in later)
        for one in final
        if one.verdict and one.verdict.accepted
    }
    ids = want_assets(connection, [asset for each in new.values() for asset in each])
    assets = {claim: [(one.channel_id, ids[one.key]) for one in each] for claim, each in new.items()}
    verdicts = [
        Judged(
            claim=one.item.claim,
            verdict=one.verdict,
            asset_id=next((asset_id for _, asset_id in assets.get(one.item.claim, ())), None),
            further_assets=assets.get(one.item.claim, [])[1:],
            original_sha256=one.fixed.original_sha256 if one.fixed else None,
            fixed=one.fixed.steps if one.fixed else (),
        )
        for one in final
        if one.verdict
    ]
    held = record_verdicts(connection, verdicts, also=[one.item.claim for one in again])
    begun = {claim for claim, each in new.items() if each[0].begun and claim.id in held}
    wanted = {asset_id for claim in begun for _, asset_id in assets[claim]}
    queue_uploads(connection, wanted - live_assets(connection, wanted, now=now))
    for one in again:
        until = now + (backoff(one.item.attempts) if one.pause is None else one.pause)
        postpone_item(connection, one.item.claim, until=until, detail=one.away, counts=one.counts)
    counts = Counter(postponed=len(again), accepted=len(new), rejected=len(final) - len(new))
    counts.update(str(one.verdict.reason) for one in final if one.verdict and one.verdict.reason)
    if not context.events.files:
        return counts, []
    firsts = {one.claim: one.asset_id for one in verdicts}
    ended = [
        _file(one.item, one.verdict, at=now, asset_id=firsts.get(one.item.claim))
        for one in final
        if one.verdict and one.item.claim.id in held
    ]
    return counts, [*ended, *(_file(one.item, None, at=now, away=one.away) for one in again)]


def _file(
    item: ItemUnderInspection,
    verdict: Verdict | None,
    *,
    at: datetime,
    asset_id: int | None = None,
    away: str = "",
) -> InspectedFile:
    """What Flower is told of an item."""
    rejected = verdict is not None and not verdict.accepted
    return InspectedFile(
        item_id=item.claim.id,
        campaign_id=item.campaign_id,
        channel_id=item.channel_id,
        ref=item.ref,
        source=item.source,
        size=verdict.size if verdict and verdict.sha256 else None,
        asset_id=asset_id,
        reason=str(verdict.reason) if verdict and rejected else "",
        detail=verdict.detail if verdict and rejected else away,
        at=at,
    )


def _assets_of(one: JudgedItem, *, begun: bool) -> list[NewAsset]:
    """One on each channel, that on the first one first."""
    verdict = one.verdict
    if verdict is None or verdict.sha256 is None or verdict.mime_type is None or verdict.category is None:
        raise AssertionError("an accepted file has a hash, a MIME type and a category")
    # A fixed file stays where it is kept, to be uploaded again at a refresh.
    source = str(one.fixed.path.absolute()) if one.fixed else one.item.source
    first = NewAsset(
        channel_id=one.item.channel_id,
        sha256=verdict.sha256,
        mime_type=verdict.mime_type,
        category=verdict.category,
        size=verdict.size,
        file_name=safe_file_name(source_name(source), verdict.mime_type),
        source=source,
        due_at=one.item.due_at,
        begun=begun,
    )
    return [first, *(replace(first, channel_id=channel) for channel in one.item.further_channels)]
