"""One process's time as the owner of a channel."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from pydantic import SecretStr

from greenroom import tracing
from greenroom.clock import boottime
from greenroom.counters import GIVEN_UP
from greenroom.errors import (
    ChannelError,
    DatabaseUnavailable,
    LimiterUnavailable,
    SourceChanged,
    SourceMissing,
)
from greenroom.rate_limit.ownership import OwnedChannel
from models.asset_claims import AssetUnderUpload, claim_and_take_assets, renew_assets
from models.asset_locks import lock_held
from models.channel import ChannelRow, get_channels
from models.claim import Claim
from models.upload_outcomes import postpone_asset
from tasks.runtime.announcements import announce_dispatch
from tasks.runtime.context import Context
from tasks.uploading.beginning import still_wanted
from tasks.uploading.completion import ChannelOutcomes, record_outcomes
from tasks.uploading.fallback_source import find_fallback_source
from tasks.uploading.sender import Released, Sender, UploadJob, UploadOutcome
from tasks.uploading.upload_report import UploadReport

logger = logging.getLogger(__name__)

#: Seconds between two looks at what has come of the files in flight: what has is written down then, all at
#: once. All channels of a process look at the same moments, and so share their transactions.
LOOK_EVERY_SECONDS = 0.5
#: Seconds that a batch waits for an owner of the channel that is ending.
OWNER_PATIENCE_SECONDS = 10.0
#: Seconds after which another worker continues with the channel; and sooner, while channels wait for a
#: worker.
UPLOAD_TURN_SECONDS = 120.0
SHORT_TURN_SECONDS = 2.0
#: Seconds in which something is sent, or fails, where files wait: the longest wait for a slot six times over.
STALLED_SECONDS = 60.0


def still_held(
    context: Context, assets: Sequence[AssetUnderUpload], *, taken_at: float
) -> list[AssetUnderUpload]:
    """Those whose claims are ours after the wait for the channel: we may have been frozen meanwhile."""
    if boottime() - taken_at < context.settings.lease_seconds / 3:
        return list(assets)
    with context.database.write() as connection:
        until = context.clock.now() + context.lease
        lost = set(renew_assets(connection, [asset.claim for asset in assets], until=until))
    return [asset for asset in assets if asset.claim not in lost]


def give_back_claims(context: Context, assets: Sequence[AssetUnderUpload], why: str) -> None:
    """Files that were not begun go back to the backlog, at once."""
    if assets:
        with context.database.write() as connection:
            lock_held(connection, [asset.claim for asset in assets])
            for asset in assets:
                postpone_asset(connection, asset.claim, until=None, detail=why, counts=False)


def _tell(outcomes: Sequence[UploadOutcome]) -> None:
    """An event of the span for each file."""
    if not tracing.tracing_is_on():
        return
    for outcome in outcomes:
        error = None if outcome.error is None else type(outcome.error).__name__
        asset = outcome.asset
        tracing.event("file", asset_id=asset.claim.id, media_id=outcome.media_id, error=error)


class Turn:
    """One process's time as the owner of a channel."""

    def __init__(
        self,
        context: Context,
        channel: ChannelRow,
        key: SecretStr,
        owned: OwnedChannel,
        *,
        report: UploadReport,
        task_id: str = "",
    ) -> None:
        self._context = context
        self._report = report
        self._task_id = task_id
        self._channel = channel
        self._owned = owned
        self._sender = Sender(context, key, owned)
        self._rules = context.settings.life_rules(channel.media_life)
        self._began_at = self._looked_for_room_at = time.monotonic()
        self._recording: Sequence[UploadOutcome] = ()
        self._ending = False
        self._idle_since: float | None = None
        #: When to look for more files; a moment of `time.monotonic`.
        self._look_at = 0.0

    def run(self, assets: Sequence[AssetUnderUpload]) -> None:
        """Send these, and then what else waits."""
        outcomes: list[UploadOutcome] = []
        if len(assets) < self._context.settings.batch_size:
            # That was all there is: what comes now is looked for with all other channels.
            self._look_at = _next_look()
        self._sender.add(UploadJob(asset=asset) for asset in assets)
        try:
            while True:
                self._continue_or_end()
                if not self._sender.busy and self._has_nothing_to_wait_for():
                    break
                self._recording = outcomes = self._collect()
                if any(isinstance(outcome.error, ChannelError) for outcome in outcomes):
                    self._end(why="The channel is paused.", stop=True)
                outcomes = self._try_second_sources(outcomes)
                if outcomes:
                    if not self._ending:
                        # More is claimed first: together with channels that have nothing to write down.
                        self._continue_or_end()
                    self._record(outcomes)
                    outcomes = []
        finally:
            # Reached early only by a fault of ours: nothing may be sent that nobody would record.
            self._sender.stop()
            while self._sender.busy:
                outcomes += self._sender.collect(until=_next_look())
            self._record_the_rest(outcomes)

    def _collect(self) -> list[UploadOutcome]:
        """What has come of files by the next look; a process that is to end is not waited with."""
        if not self._sender.busy:
            self._context.stopping.wait(_next_look() - time.monotonic())
            return []
        return self._sender.collect(until=_next_look())

    def _record_the_rest(self, outcomes: Sequence[UploadOutcome]) -> None:
        if not outcomes:
            return
        try:
            self._record(outcomes)
        except DatabaseUnavailable:
            media_ids = [outcome.media_id for outcome in outcomes if outcome.media_id]
            logger.error("Media IDs could not be recorded: %s", ", ".join(media_ids) or "none")

    def claims(self) -> list[Claim]:
        """Of all files that this turn has, and whose outcome is not written down yet."""
        recording = [outcome.asset.claim for outcome in self._recording]
        return [*self._sender.claims, *recording]

    def forget(self, lost: Sequence[Claim]) -> None:
        """Send none of these any more: somebody else has their claims."""
        self._sender.forget(lost)

    def _record(self, outcomes: Sequence[UploadOutcome]) -> None:
        entry = ChannelOutcomes(
            channel_id=self._channel.id,
            api_key=self._channel.api_key,
            rules=self._rules,
            outcomes=outcomes,
            task_id=self._task_id,
        )
        self._recording = outcomes
        with tracing.traced("record uploads", channel=self._channel.id, files=len(outcomes)):
            _tell(outcomes)
            ends = record_outcomes(self._context, entry)
        self._report.note(outcomes, ends)
        if ends["failed"]:
            GIVEN_UP.add(count=ends["failed"])
        self._recording = ()

    def _continue_or_end(self) -> None:
        # First: whose time is over claims nothing more.
        self._owned.heartbeat()
        if self._ending:
            if not self._sender.unsent:
                self._owned.release()
        elif self._owned.lost or self._context.stopping.is_set():
            self._end(why="The worker stopped before this file's turn.")
        elif self._sender.stalled_for(STALLED_SECONDS):
            # Whoever owns and does not get on releases its channel; what is stuck here is not waited for.
            logger.error(
                "Channel %s: nothing could be sent for a while; somebody else tries.", self._channel.id
            )
            self._end(why="Its worker did not get on.")
            self._owned.release()
        elif self._is_over():
            self._ending = True
            self._owned.drain()
            announce_dispatch(self._context, why=f"channel {self._channel.id} continues elsewhere")
        elif self._sender.waiting <= self._context.settings.batch_size:
            self._take_more()

    def _has_nothing_to_wait_for(self) -> bool:
        """Whether nothing more came for so long that the channel is released."""
        now = time.monotonic()
        if self._ending:
            return True
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since >= self._context.linger_seconds

    def _end(self, *, why: str, stop: bool = False) -> None:
        self._ending = True
        jobs = self._sender.stop(why) if stop else self._sender.take_back()
        try:
            give_back_claims(self._context, [job.asset for job in jobs], why)
        except DatabaseUnavailable as error:
            # What was sent is still to be recorded; these come back when their claims lapse.
            logger.warning("Files of channel %s wait for their leases to end: %s", self._channel.id, error)
        self._report.note_postponed(len(jobs), why)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if now - self._began_at < SHORT_TURN_SECONDS:
            return False
        if now - self._began_at >= UPLOAD_TURN_SECONDS:
            return True
        if now - self._looked_for_room_at < 1:
            return False
        self._looked_for_room_at = now
        try:
            return self._context.limiter.short_of_workers()
        except LimiterUnavailable:
            return False

    def _take_more(self) -> None:
        """Claim the next files of the channel, the most urgent first; once in a look.

        A turn that does not linger looks once more before it ends.
        """
        context = self._context
        if time.monotonic() < self._look_at and (self._sender.busy or context.linger_seconds):
            return
        self._look_at = _next_look()
        try:
            wanted = context.taking.submit(self._channel, lambda channels: _take_for_all(context, channels))
        except DatabaseUnavailable as error:
            logger.warning("No more files of channel %s could be claimed: %s", self._channel.id, error)
            return
        if wanted is None:
            # Paused, or given another key or life: whoever begins anew reads it all.
            self._ending = True
            return
        if wanted:
            self._idle_since = None
            self._sender.add(UploadJob(asset=asset) for asset in wanted)

    def _try_second_sources(self, outcomes: Sequence[UploadOutcome]) -> list[UploadOutcome]:
        """Begin again with files whose source failed them and that may be had elsewhere; returns the rest."""
        rest = []
        for outcome in outcomes:
            if isinstance(outcome.error, SourceMissing | SourceChanged) and outcome.job.second is None:
                if self._sender.stopped:
                    # It would wait for ever; whoever continues with the channel looks for another source.
                    rest.append(replace(outcome, error=Released("The channel is paused.")))
                    continue
                try:
                    with self._context.database.write() as connection:
                        second = find_fallback_source(
                            connection,
                            self._channel.id,
                            outcome.asset,
                            why=str(outcome.error),
                            now=self._context.clock.now(),
                        )
                except DatabaseUnavailable as error:
                    rest.append(replace(outcome, error=error))
                    continue
                if second is not None:
                    self._sender.add([UploadJob(asset=outcome.asset, second=second)], first=True)
                    continue
            rest.append(outcome)
        return rest


def _take_for_all(context: Context, channels: Sequence[ChannelRow]) -> list[list[AssetUnderUpload] | None]:
    """The next files of each channel; None for one that is not what it was when its turn began."""
    with context.database.write() as connection:
        present = get_channels(connection, [channel.id for channel in channels])
        same = [
            channel.id for channel in channels if (now := present.get(channel.id)) and now.uploads_as(channel)
        ]
        taken = claim_and_take_assets(
            connection,
            same,
            limit=context.settings.batch_size,
            now=context.clock.now(),
            lease=context.lease,
            worker=context.worker,
        )
        wanted = still_wanted(context, connection, taken)
    return [wanted.get(channel.id) for channel in channels]


def _next_look() -> float:
    """The next moment of `time.monotonic` at which all look."""
    return (time.monotonic() // LOOK_EVERY_SECONDS + 1) * LOOK_EVERY_SECONDS
