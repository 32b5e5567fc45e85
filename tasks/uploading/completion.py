"""Write down what came of uploads: IDs of many channels at once, each failure by whose fault it is."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from greenroom.clock import later
from greenroom.errors import (
    AccountRestricted,
    AnswerLost,
    ChannelError,
    ClaimLost,
    DatabaseUnavailable,
    FileRejected,
    GreenroomError,
    LimiterUnavailable,
    LookupBlocked,
    MediaGone,
    NoSlotInTime,
    OutOfResources,
    ProviderAway,
    RequestRefused,
    SourceChanged,
    SourceMissing,
    SourceRefused,
    Throttled,
    TransientError,
    UploadRedirected,
)
from greenroom.lifecycle import LifeRules
from greenroom.log_fields import about
from greenroom.provider.error_table import Endpoint
from greenroom.reasons import Reason
from models.asset import AssetState
from models.asset_claims import AssetUnderUpload
from models.asset_locks import lock_held
from models.channel import lock_channels, pause_channel
from models.claim import Claim
from models.forecast import campaigns_at_risk
from models.item_claims import inspect_again, lock_items_of
from models.lookups import lock_bookings, note_failures
from models.media import has_current_media
from models.media_records import GivenId, record_media
from models.references import check_references_again, needed_until
from models.upload_outcomes import finish_asset, finish_uploads, postpone_asset
from tasks.runtime.backoff import backoff
from tasks.runtime.context import Context
from tasks.runtime.file_events import UploadedFile
from tasks.uploading.fallback_source import record_lookup
from tasks.uploading.sender import OurFault, Released, UploadOutcome

logger = logging.getLogger(__name__)

#: Seconds for which a worker that cannot write down its media IDs keeps trying.
RECORD_PATIENCE_SECONDS = 600.0
#: What is said of a file whose end could not be recorded.
UNRECORDED = "Greenroom could not write down what came of this file; its log says why."
#: Failures of the moment that say nothing about the file: they burn none of its attempts.
NOT_ITS_FAULT = (Throttled, LimiterUnavailable, NoSlotInTime, LookupBlocked, OutOfResources)


@dataclass(frozen=True, kw_only=True)
class ChannelOutcomes:
    """What came of files of one channel, and the rules of its media IDs.

    The API key is the one that was used, as it stands in the database.
    """

    channel_id: str
    api_key: str
    rules: LifeRules
    outcomes: Sequence[UploadOutcome]
    #: Of the task that uploaded them.
    task_id: str = ""


def record_outcomes(context: Context, outcomes: ChannelOutcomes) -> Counter[str]:
    """Write outcomes down; returns how many were ``uploaded``, ``postponed`` and ``failed``.

    All channels of a process that ask for this at the same time share a transaction. While the database is
    away it is tried again: an ID once given must not be lost.

    What fails in any other way fails alone: its file is given up, and the others' IDs are written down.

    Raises:
        DatabaseUnavailable: it was away for :data:`RECORD_PATIENCE_SECONDS`.
    """
    counts: Counter[str]
    try:
        counts = context.recording.submit(outcomes, lambda entries: _record_surely(context, entries))
    except DatabaseUnavailable:
        raise
    except Exception:
        if len(outcomes.outcomes) == 1:
            (one,) = outcomes.outcomes
            media_id = one.media_id or "none"
            fields = _about(outcomes.channel_id, one)
            logger.exception(
                "%s could not be recorded; media ID: %s", one.asset.file_name, media_id, extra=fields
            )
            _give_up_unrecorded(context, one)
            lost = replace(one, media_id=None, error=OurFault(UNRECORDED))
            _tell(context, [replace(outcomes, outcomes=[lost])], [["failed"]])
            return Counter(failed=1)
        counts = Counter()
        for one in outcomes.outcomes:
            counts += record_outcomes(context, replace(outcomes, outcomes=[one]))
    return counts


def _give_up_unrecorded(context: Context, outcome: UploadOutcome) -> None:
    """Send the file no more: each time its ID would be lost at the provider, and the next one with it."""
    try:
        with context.database.write() as connection:
            finish_asset(
                connection,
                outcome.asset.claim,
                state=AssetState.FAILED,
                reason=Reason.UPLOAD_FAILED,
                detail=UNRECORDED,
            )
    except Exception:
        # Its claim lapses, then.
        logger.exception(
            "Nor could %s be given up.", outcome.asset.file_name, extra=about(file=outcome.asset.file_name)
        )


def _record_surely(context: Context, entries: Sequence[ChannelOutcomes]) -> list[Counter[str]]:
    waited, pause = 0.0, 0.2
    while True:
        try:
            with context.database.write() as connection:
                ends = _record_all(context, connection, entries)
        except DatabaseUnavailable as error:
            if waited >= RECORD_PATIENCE_SECONDS:
                logger.error("Nothing could be recorded for %.0f s: %s", waited, error)
                raise
            context.sleep(pause)
            waited += pause
            pause = min(pause * 2, 10.0)
        else:
            _tell(context, entries, ends)
            return [Counter(its_own) for its_own in ends]


def _tell(context: Context, entries: Sequence[ChannelOutcomes], ends: Sequence[Sequence[str]]) -> None:
    """Tell Flower of each file."""
    if not context.events.files:
        return
    for entry, its_own in zip(entries, ends, strict=True):
        context.events.add(
            UploadedFile(
                asset_id=outcome.asset.claim.id,
                channel_id=entry.channel_id,
                file_name=outcome.asset.file_name,
                size=outcome.asset.size,
                media_id=outcome.media_id,
                error=type(outcome.error).__name__,
                detail="" if outcome.error is None else str(outcome.error),
                is_final=end == "failed" and not isinstance(outcome.error, SourceChanged),
                at=outcome.at,
                task_id=entry.task_id,
            )
            for outcome, end in zip(entry.outcomes, its_own, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class _Failures:
    """What failures write besides their own assets.

    Attributes:
        changed: assets whose sources hold something else by now.
        dead: media IDs that the provider does not have any more, with their channels.
        channels: that are paused, or whose early deaths are counted.
        bookings: of look-ups that were made.
    """

    changed: Sequence[int]
    dead: Sequence[tuple[str, str]]
    channels: Collection[str]
    bookings: Sequence[int]

    @classmethod
    def of(cls, entries: Sequence[ChannelOutcomes]) -> _Failures:
        """Those among the outcomes."""
        every = [(entry.channel_id, outcome) for entry in entries for outcome in entry.outcomes]
        second = [(channel_id, one.job.second) for channel_id, one in every if one.job.second is not None]
        dead = [
            (channel_id, one.media_id)
            for channel_id, one in second
            if one.media_id is not None and isinstance(one.failure, MediaGone)
        ]
        paused = [channel_id for channel_id, one in every if isinstance(one.error, ChannelError)]
        return cls(
            changed=[one.asset.claim.id for _, one in every if isinstance(one.error, SourceChanged)],
            dead=dead,
            channels={*paused, *(channel_id for channel_id, _ in dead)},
            bookings=[one.booking for _, one in second if one.booking is not None],
        )

    def lock(self, connection: Connection) -> None:
        """Lock what comes after assets and media IDs, before any of it is written; see `models.locks`."""
        if self.changed:
            lock_items_of(connection, self.changed)
        lock_channels(connection, self.channels)
        if self.bookings:
            lock_bookings(connection, self.bookings)


def _record_all(
    context: Context, connection: Connection, entries: Sequence[ChannelOutcomes]
) -> list[list[str]]:
    """What became of each outcome, by entry: ``uploaded``, ``postponed`` or ``failed``."""
    held = lock_held(connection, [outcome.asset.claim for entry in entries for outcome in entry.outcomes])
    ids = [outcome.asset.claim.id for entry in entries for outcome in entry.outcomes if outcome.media_id]
    given: list[GivenId] = []
    if ids:
        # Asked for with the assets locked: whatever ends a need after this finds the ID.
        needed = needed_until(connection, ids)
        keep_after = context.settings.keep_after
        keep_until = {asset_id: later(until, keep_after) for asset_id, until in needed.items()}
        given = [
            _given(entry, outcome.job.asset, media_id, outcome.at, held=held, keep_until=keep_until)
            for entry in entries
            for outcome in entry.outcomes
            if (media_id := outcome.media_id)
        ]
        finish_uploads(connection, [one.asset_id for one in given if one.current])
    failures = _Failures.of(entries)
    record_media(
        connection,
        given,
        grace=context.settings.grace,
        current_of=failures.changed,
        named=failures.dead,
    )
    failures.lock(connection)
    ends = [[_record(context, connection, entry, outcome) for outcome in entry.outcomes] for entry in entries]
    if context.settings.failed_uploads_count:
        for entry in entries:
            note_failures(connection, entry.channel_id, map(_at, filter(_was_refused, entry.outcomes)))
    return ends


def _about(channel_id: str, outcome: UploadOutcome) -> dict[str, Any]:
    asset = outcome.asset
    return about(channel=channel_id, file=asset.file_name, attempt=asset.attempts + 1)


def _at(outcome: UploadOutcome) -> datetime:
    return outcome.at


def _was_refused(outcome: UploadOutcome) -> bool:
    """Whether the provider answered this upload with an error, whichever."""
    return outcome.error is not None and outcome.error.answered_by == Endpoint.UPLOAD


def _given(
    entry: ChannelOutcomes,
    asset: AssetUnderUpload,
    media_id: str,
    at: datetime,
    *,
    held: Collection[Claim],
    keep_until: Mapping[int, datetime],
) -> GivenId:
    asset_id = asset.claim.id
    return GivenId(
        asset_id=asset_id,
        channel_id=entry.channel_id,
        sha256=asset.sha256,
        mime_type=asset.mime_type,
        media_id=media_id,
        at=at,
        look_at=max(keep_until.get(asset_id, at), at),
        current=asset.claim in held,
        rules=entry.rules,
    )


def _record(context: Context, connection: Connection, entry: ChannelOutcomes, outcome: UploadOutcome) -> str:
    if outcome.job.second is not None:
        record_lookup(context, connection, entry.channel_id, outcome.job.second)
    error = outcome.error
    if outcome.media_id is not None:
        context.redirected.discard(entry.channel_id)
        return "uploaded"
    if isinstance(error, ChannelError):
        _pause(context, connection, entry, outcome, error)
    if isinstance(error, UploadRedirected):
        _tell_of_redirect(context, entry.channel_id, error)
    if isinstance(error, TransientError | ChannelError | ClaimLost | Released):
        return _postpone(context, connection, outcome, error)
    _give_up(context, connection, outcome, error)
    return "failed"


def _pause(
    context: Context,
    connection: Connection,
    entry: ChannelOutcomes,
    outcome: UploadOutcome,
    error: ChannelError,
) -> None:
    channel_id, now = entry.channel_id, context.clock.now()
    if pause_channel(connection, channel_id, reason=str(error), now=now, tried=entry.api_key):
        level = logging.CRITICAL if isinstance(error, AccountRestricted) else logging.ERROR
        logger.log(level, "Channel %s is paused: %s", channel_id, error, extra=_about(channel_id, outcome))


def _tell_of_redirect(context: Context, channel_id: str, error: UploadRedirected) -> None:
    """Once for each channel, until one of its files is uploaded again."""
    if channel_id in context.redirected:
        return
    context.redirected.add(channel_id)
    logger.error(
        "Channel %s cannot upload: %s. Its files wait, and are tried again; none is given up. "
        "Look at GREENROOM_API_BASE_URL, and at proxies and portals on the way there.",
        channel_id,
        error,
        extra=about(channel=channel_id),
    )


def _postpone(context: Context, connection: Connection, outcome: UploadOutcome, error: GreenroomError) -> str:
    """Back to the backlog, unless the file has failed so often that it is given up."""
    asset = outcome.asset
    counts = _is_charged(error, asset.attempts, max_attempts=context.settings.max_attempts)
    is_last = asset.attempts + 1 >= context.settings.max_attempts and asset.due_at <= outcome.at
    if counts and is_last and not isinstance(error, ProviderAway):
        finish_asset(
            connection, asset.claim, state=AssetState.FAILED, reason=Reason.UPLOAD_FAILED, detail=str(error)
        )
        return "failed"
    until = None
    if isinstance(error, TransientError):
        charged = counts or isinstance(error, ProviderAway)
        until = outcome.at + backoff(asset.attempts if charged else 0, asked=error.retry_after)
    postpone_asset(
        connection,
        asset.claim,
        until=until,
        detail=str(error),
        counts=counts,
        answer_lost=isinstance(error, AnswerLost),
    )
    return "postponed"


def _is_charged(error: GreenroomError, attempts: int, *, max_attempts: int) -> bool:
    """Whether a failure burns one of a file's attempts.

    A provider that is away burns half of them at most: they lengthen the back-off. No file is given up for
    what every file would meet.
    """
    if isinstance(error, ProviderAway):
        return attempts < max_attempts // 2
    return isinstance(error, TransientError) and not isinstance(error, NOT_ITS_FAULT)


def _give_up(
    context: Context, connection: Connection, outcome: UploadOutcome, error: GreenroomError | None
) -> None:
    claim = outcome.asset.claim
    if isinstance(error, SourceChanged):
        if finish_asset(connection, claim, state=at_rest(connection, claim)):
            until = outcome.at + backoff(0)
            inspect_again(
                connection, asset_id=claim.id, until=until, max_attempts=context.settings.max_attempts
            )
            check_references_again(connection, [claim.id], now=outcome.at)
        return
    reason, detail = Reason.UPLOAD_FAILED, str(error)
    if isinstance(error, FileRejected):
        reason, detail = Reason(error.reason), error.detail
    elif isinstance(error, RequestRefused):
        reason = Reason.REFUSED_BY_PROVIDER
    elif isinstance(error, SourceRefused):
        reason = Reason(error.reason)
    elif isinstance(error, SourceMissing):
        reason = Reason.MISSING
    finish_asset(connection, claim, state=AssetState.FAILED, reason=reason, detail=detail)
    if campaigns := campaigns_at_risk(connection, claim.id, now=outcome.at):
        logger.error(
            "The media ID of %s could not be renewed, and campaigns need it: %s. %s",
            outcome.asset.file_name,
            ", ".join(campaigns),
            detail,
            extra=about(campaign=campaigns[0], file=outcome.asset.file_name),
        )


def at_rest(connection: Connection, claim: Claim) -> AssetState:
    """The state of an asset that is not to be uploaded now: with an ID it is READY, where retire finds it."""
    return AssetState.READY if has_current_media(connection, claim.id) else AssetState.IDLE
