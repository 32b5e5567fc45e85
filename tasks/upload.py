"""Upload: work a batch of claims on one channel, and record each media ID as soon as it is known."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import SecretStr
from sqlalchemy import Connection

from greenroom.errors import (
    AccountRestricted,
    AnswerLost,
    ChannelError,
    ClaimLost,
    FileRejected,
    GreenroomError,
    LimiterUnavailable,
    LookupBlocked,
    NoSlotInTime,
    RequestRefused,
    SettingsError,
    SourceChanged,
    SourceMissing,
    Throttled,
    TransientError,
)
from greenroom.lifecycle import LifeRules
from greenroom.provider import UploadContent
from greenroom.reasons import Reason
from greenroom.sources import local_copy
from greenroom.task_names import TaskName
from models.asset import (
    AssetState,
    AssetUnderUpload,
    finish_asset,
    finish_uploads,
    lock_held,
    postpone_asset,
    renew_assets,
    take_assets,
)
from models.channel import ChannelRow, get_channel, pause_channel
from models.claim import Claim
from models.database import DatabaseUnavailable
from models.item import inspect_again
from models.media import GivenId, has_current_media, record_media
from models.need import look_again, needed_now
from models.outlook import campaigns_at_risk
from tasks.backoff import backoff
from tasks.context import Context, Message, announce
from tasks.second_source import SecondSource, find_second_source, second_copy, settle

logger = logging.getLogger(__name__)

#: Seconds after which finished uploads are written, while others of the batch are under way.
WRITE_EVERY_SECONDS = 0.2
#: Seconds that a file waits for its channel's limiter before it goes back to the backlog. Longer waits are
#: the dispatcher's: a channel that the provider holds back must not keep the workers from the others.
LIMITER_PATIENCE_SECONDS = 10.0
#: Seconds that the next upload waits after a 429 that does not say how long.
THROTTLE_SECONDS = 1.0
#: Seconds for which a worker that cannot write down its media IDs goes on trying.
RECORD_PATIENCE_SECONDS = 600.0


#: Failures of the moment that say nothing about the file: they burn none of its attempts.
NOT_ITS_FAULT = (Throttled, LimiterUnavailable, NoSlotInTime, LookupBlocked)


class _Released(GreenroomError):
    """The file was not sent because the batch stopped before its turn."""


class _OurFault(GreenroomError):
    """Greenroom failed at this file in a way that nobody foresaw; the log has the traceback."""


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What came of one file: a media ID, or an error that says by its type what to do."""

    asset: AssetUnderUpload
    media_id: str | None = None
    error: GreenroomError | None = None
    #: Where the file was looked for after its own source had failed it.
    second: SecondSource | None = None
    at: datetime


@dataclass(kw_only=True)
class _Batch:
    """The files of one task while they are under way, shared by its threads."""

    channel_id: str
    api_key: SecretStr
    rules: LifeRules
    stop: threading.Event = field(default_factory=threading.Event)
    lost: set[Claim] = field(default_factory=set)

    def check(self, asset: AssetUnderUpload) -> None:
        """End a file's turn before it is sent, if it should not be sent any more."""
        if self.stop.is_set():
            raise _Released("The batch was stopped.")
        if asset.claim in self.lost:
            raise ClaimLost(f"The claim on {asset.file_name} was lost.")


def upload(context: Context, channel_id: str, claims: Sequence[Claim]) -> dict[str, int]:
    """Upload the assets of these claims; each succeeds or fails by itself.

    Answers how many were ``uploaded``, how many go back to the backlog (``postponed``) and how many were
    given up (``failed``).

    Raises:
        TransientError: the database is away; what was not begun is taken up again after its lease.
    """
    now = context.clock.now()
    with context.database.write() as connection:
        taken = take_assets(connection, channel_id, claims, now=now, lease=context.settings.lease)
        channel = get_channel(connection, channel_id)
        assets = _still_wanted(connection, taken, now=now)
        key = _key_or_pause(context, connection, channel)
        if key is None:
            for asset in assets:
                postpone_asset(
                    connection, asset.claim, until=None, detail="The channel is paused.", counts=False
                )
    if key is None:
        return {"uploaded": 0, "postponed": len(assets), "failed": 0}
    rules = context.settings.life_rules(channel.media_life)
    counts = _work(context, _Batch(channel_id=channel_id, api_key=key, rules=rules), assets)
    if assets:
        summary = f"channel {channel_id} has room for more"
        announce(context, Message(name=TaskName.DISPATCH, args=[channel_id], summary=summary))
    return counts


def _still_wanted(
    connection: Connection, taken: Sequence[AssetUnderUpload], *, now: datetime
) -> list[AssetUnderUpload]:
    """Look again: what no campaign needs any more is not uploaded."""
    needed = needed_now(connection, [asset.claim.id for asset in taken], now=now)
    for asset in taken:
        if asset.claim.id not in needed:
            finish_asset(connection, asset.claim, state=_at_rest(connection, asset.claim))
    return [asset for asset in taken if asset.claim.id in needed]


def _at_rest(connection: Connection, claim: Claim) -> AssetState:
    """The state of an asset that is not to be uploaded now: with an ID it is READY, where retire finds it."""
    return AssetState.READY if has_current_media(connection, claim.id) else AssetState.IDLE


def _key_or_pause(context: Context, connection: Connection, channel: ChannelRow) -> SecretStr | None:
    """The channel's API key, or None for a channel that is paused, or has to be: its key can't be read."""
    if channel.paused_at is not None:
        return None
    try:
        return context.vault.decrypt(channel.api_key)
    except SettingsError as error:
        pause_channel(connection, channel.id, reason=str(error), now=context.clock.now())
        logger.error("Channel %s is paused: %s", channel.id, error)
        return None


def _work(context: Context, batch: _Batch, assets: Sequence[AssetUnderUpload]) -> dict[str, int]:
    counts = {"uploaded": 0, "postponed": 0, "failed": 0}
    running: dict[Future[_Outcome], AssetUnderUpload] = {
        context.upload_threads.submit(_upload_one, context, batch, asset): asset for asset in assets
    }
    renewed_at = context.clock.now()
    outcomes: list[_Outcome] = []
    try:
        while running:
            # What comes within a moment is written in one transaction, not in one for each file.
            done, _ = wait(running, timeout=WRITE_EVERY_SECONDS)
            outcomes = [future.result() for future in done]
            for future in done:
                del running[future]
            if any(isinstance(outcome.error, ChannelError) for outcome in outcomes):
                batch.stop.set()
            outcomes = _try_second_sources(context, batch, outcomes, running)
            if outcomes:
                _record_surely(context, batch, outcomes, counts)
                outcomes = []
            if context.clock.now() - renewed_at >= context.settings.lease / 3:
                renewed_at = context.clock.now()
                _renew(context, batch, sorted(running.values(), key=lambda asset: asset.sha256))
    finally:
        # Reached early only by a fault of ours: nothing may be sent that nobody would record.
        batch.stop.set()
        wait(running)
        _log_unrecorded([*outcomes, *(future.result() for future in running)])
    return counts


def _try_second_sources(
    context: Context,
    batch: _Batch,
    outcomes: Sequence[_Outcome],
    running: dict[Future[_Outcome], AssetUnderUpload],
) -> list[_Outcome]:
    """Begin again with files whose source failed them and that may be had elsewhere; answers the rest."""
    rest = []
    for outcome in outcomes:
        second = None
        if isinstance(outcome.error, SourceMissing | SourceChanged) and outcome.second is None:
            try:
                with context.database.write() as connection:
                    second = find_second_source(
                        connection,
                        batch.channel_id,
                        outcome.asset,
                        why=str(outcome.error),
                        now=context.clock.now(),
                    )
            except DatabaseUnavailable as error:
                rest.append(replace(outcome, error=error))
                continue
        if second is None:
            rest.append(outcome)
        else:
            future = context.upload_threads.submit(_upload_one, context, batch, outcome.asset, second)
            running[future] = outcome.asset
    return rest


def _log_unrecorded(outcomes: Sequence[_Outcome]) -> None:
    """Media IDs that only the provider knows from now on: an operator may delete them there."""
    if media_ids := [outcome.media_id for outcome in outcomes if outcome.media_id]:
        logger.error("Media IDs could not be recorded: %s", ", ".join(media_ids))


def _upload_one(
    context: Context, batch: _Batch, asset: AssetUnderUpload, second: SecondSource | None = None
) -> _Outcome:
    """Send one file in its turn; runs in a thread of its own and touches no database."""
    media_id: str | None = None
    failure: GreenroomError | None = None
    try:
        batch.check(asset)
        copy = second_copy(context, batch.api_key, asset, second) if second else local_copy(asset.source)
        with copy as path:
            content = UploadContent(open=lambda: path.open("rb"), size=asset.size, sha256=asset.sha256)
            media_id = context.provider.upload(
                batch.api_key,
                content=content,
                mime_type=asset.mime_type,
                file_name=asset.file_name,
                before_sending=lambda: _take_turn(context, batch, asset),
            )
    except Throttled as error:
        _slow_down(context, batch.channel_id, error)
        failure = error
    except GreenroomError as error:
        failure = error
    except Exception as error:
        # One file's trouble must not cost the other files of the batch their media IDs.
        logger.exception("%s could not be uploaded, by a fault of Greenroom's own.", asset.file_name)
        failure = _OurFault(f"Greenroom failed at this file ({type(error).__name__}); its log says more.")
    return _Outcome(asset=asset, media_id=media_id, error=failure, second=second, at=context.clock.now())


def _take_turn(context: Context, batch: _Batch, asset: AssetUnderUpload) -> None:
    """Wait for the channel's next slot; the connection stands by then, so that sending follows at once."""
    context.limiter.wait(batch.channel_id, timeout=LIMITER_PATIENCE_SECONDS, sleep=context.sleep)
    batch.check(asset)


def _slow_down(context: Context, channel_id: str, error: Throttled) -> None:
    """Push the channel's next slot out; nobody else's."""
    seconds = THROTTLE_SECONDS if error.retry_after is None else error.retry_after
    logger.warning("Channel %s was throttled by the provider; it waits %.1f s.", channel_id, seconds)
    try:
        context.limiter.push_back(channel_id, seconds)
    except LimiterUnavailable:
        # Redis is away: then nothing is sent on any channel until it is back.
        logger.warning("Redis is away, so that channel %s could not be slowed down.", channel_id)


def _renew(context: Context, batch: _Batch, assets: Sequence[AssetUnderUpload]) -> None:
    claims = [asset.claim for asset in assets]
    try:
        with context.database.write() as connection:
            lost = renew_assets(connection, claims, until=context.clock.now() + context.settings.lease)
    except DatabaseUnavailable as error:
        logger.warning("Claims could not be renewed: %s", error)
        return
    batch.lost.update(lost)


def _record_surely(
    context: Context, batch: _Batch, outcomes: Sequence[_Outcome], counts: dict[str, int]
) -> None:
    """Write outcomes down, trying again while the database is away: an ID once given must not be lost."""
    waited, pause = 0.0, 0.2
    while True:
        try:
            with context.database.write() as connection:
                results = _record_all(context, connection, batch, outcomes)
        except DatabaseUnavailable as error:
            if waited >= RECORD_PATIENCE_SECONDS:
                logger.error("Nothing could be recorded for %.0f s: %s", waited, error)
                raise
            context.sleep(pause)
            waited += pause
            pause = min(pause * 2, 10.0)
        else:
            for result in results:
                counts[result] += 1
            return


def _record_all(
    context: Context, connection: Connection, batch: _Batch, outcomes: Sequence[_Outcome]
) -> list[str]:
    held = lock_held(connection, [outcome.asset.claim for outcome in outcomes])
    results = [
        _record(context, connection, batch, outcome) for outcome in outcomes if outcome.media_id is None
    ]
    return results + _record_media_ids(context, connection, batch, outcomes, held)


def _record(context: Context, connection: Connection, batch: _Batch, outcome: _Outcome) -> str:
    _settle(context, connection, batch, outcome)
    error = outcome.error
    if isinstance(error, ChannelError):
        _pause(context, connection, batch.channel_id, error)
    if isinstance(error, TransientError | ChannelError | ClaimLost | _Released):
        return _postpone(context, connection, outcome, error)
    _give_up(context, connection, outcome, error)
    return "failed"


def _record_media_ids(
    context: Context, connection: Connection, batch: _Batch, outcomes: Sequence[_Outcome], held: set[int]
) -> list[str]:
    """All IDs that were given, in a few statements."""
    given = [(outcome, outcome.media_id) for outcome in outcomes if outcome.media_id is not None]
    if not given:
        return []
    finish_uploads(connection, held & {outcome.asset.claim.id for outcome, _ in given})
    for outcome, _ in given:
        _settle(context, connection, batch, outcome)
    record_media(
        connection,
        [
            GivenId(
                asset_id=outcome.asset.claim.id,
                sha256=outcome.asset.sha256,
                mime_type=outcome.asset.mime_type,
                media_id=media_id,
                at=outcome.at,
                current=outcome.asset.claim.id in held,
            )
            for outcome, media_id in given
        ],
        channel_id=batch.channel_id,
        rules=batch.rules,
        grace=context.settings.grace,
    )
    return ["uploaded"] * len(given)


def _settle(context: Context, connection: Connection, batch: _Batch, outcome: _Outcome) -> None:
    if outcome.second is not None:
        settle(context, connection, batch.channel_id, outcome.second)


def _pause(context: Context, connection: Connection, channel_id: str, error: ChannelError) -> None:
    if pause_channel(connection, channel_id, reason=str(error), now=context.clock.now()):
        level = logging.CRITICAL if isinstance(error, AccountRestricted) else logging.ERROR
        logger.log(level, "Channel %s is paused: %s", channel_id, error)


def _postpone(context: Context, connection: Connection, outcome: _Outcome, error: GreenroomError) -> str:
    """Back to the backlog, unless the file has failed so often that it is given up."""
    counts = isinstance(error, TransientError) and not isinstance(error, NOT_ITS_FAULT)
    asset = outcome.asset
    if counts and asset.attempts + 1 >= context.settings.max_attempts and asset.due_at <= outcome.at:
        finish_asset(
            connection, asset.claim, state=AssetState.FAILED, reason=Reason.UPLOAD_FAILED, detail=str(error)
        )
        return "failed"
    until = None
    if isinstance(error, TransientError):
        until = outcome.at + backoff(asset.attempts if counts else 0, asked=error.retry_after)
    postpone_asset(
        connection,
        asset.claim,
        until=until,
        detail=str(error),
        counts=counts,
        answer_lost=isinstance(error, AnswerLost),
    )
    return "postponed"


def _give_up(
    context: Context, connection: Connection, outcome: _Outcome, error: GreenroomError | None
) -> None:
    claim = outcome.asset.claim
    if isinstance(error, SourceChanged):
        if finish_asset(connection, claim, state=_at_rest(connection, claim)):
            until = outcome.at + backoff(0)
            inspect_again(
                connection, asset_id=claim.id, until=until, max_attempts=context.settings.max_attempts
            )
            look_again(connection, [claim.id], now=outcome.at)
        return
    reason, detail = Reason.UPLOAD_FAILED, str(error)
    if isinstance(error, FileRejected):
        reason, detail = Reason(error.reason), error.detail
    elif isinstance(error, RequestRefused):
        reason = Reason.REFUSED_BY_PROVIDER
    elif isinstance(error, SourceMissing):
        reason = Reason.MISSING
    finish_asset(connection, claim, state=AssetState.FAILED, reason=reason, detail=detail)
    if campaigns := campaigns_at_risk(connection, claim.id, now=outcome.at):
        logger.error(
            "The media ID of %s could not be renewed, and campaigns need it: %s. %s",
            outcome.asset.file_name,
            ", ".join(campaigns),
            detail,
        )
