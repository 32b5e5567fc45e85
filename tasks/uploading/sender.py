"""Send the files of one channel, as fast as its owner may.

While one file waits for its slot, all that can be done before is done: it is opened and hashed, and its
connection stands. So no slot is lost to a slow disk, and what follows a slot is sending and nothing else.
One thread sends a channel's small files, one after the other, and does not wait for their answers; only what
takes its time (large files, files from the network, new connections) has threads of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, BinaryIO

from pydantic import SecretStr

from greenroom.counters import THROTTLED, UPLOAD_SECONDS, UPLOADS
from greenroom.errors import (
    ChannelError,
    ClaimLost,
    GreenroomError,
    SourceChanged,
    SourceMissing,
    Throttled,
)
from greenroom.log_fields import about, bound_fields
from greenroom.provider import UploadContent
from greenroom.rate_limit.ownership import OwnedChannel
from greenroom.resources import out_of_resources
from greenroom.sources import is_remote
from models.asset_claims import AssetUnderUpload
from models.claim import Claim
from tasks.runtime.context import Context
from tasks.uploading.fallback_source import FallbackSource, fallback_copy

logger = logging.getLogger(__name__)

#: Seconds that a file waits for its channel's slot before it goes back to the backlog.
SLOT_PATIENCE_SECONDS = 10.0
#: Uploads of one channel that may be in flight at once: enough for answers that take four seconds.
MAX_IN_FLIGHT = 100
#: Outcomes after which there is something to do at once.
WAITED_FOR = (ChannelError, SourceMissing, SourceChanged)


class SendMethod(Enum):
    """How a file is sent."""

    #: Its content comes over the network.
    FETCHED = "fetched"
    #: It is sent in pieces, and its answer waited for.
    STREAMED = "streamed"
    #: It is sent in one go, on a connection that stands or is made for it.
    AT_ONCE = "at once"


#: How many of a channel's files may be made ready at the same time.
MAX_IN_PREPARATION = {SendMethod.FETCHED: 10, SendMethod.STREAMED: 2, SendMethod.AT_ONCE: 2}


class Released(GreenroomError):
    """The file was not sent because its worker stopped before its turn."""


class OurFault(GreenroomError):
    """Greenroom failed at this file in a way that nobody foresaw; the log has the traceback."""


@dataclass(frozen=True, kw_only=True)
class UploadJob:
    """A file to be sent.

    Attributes:
        asset: what.
        second: where to look for it, after its own source has failed it.
    """

    asset: AssetUnderUpload
    second: FallbackSource | None = None


@dataclass(frozen=True, kw_only=True)
class UploadOutcome:
    """What came of one file: a media ID, or an error that says by its type what to do."""

    job: UploadJob
    media_id: str | None = None
    error: GreenroomError | None = None
    at: datetime

    @property
    def asset(self) -> AssetUnderUpload:
        """Which file."""
        return self.job.asset


class Sender:
    """The files of one channel that wait to be sent, and those that are in flight."""

    def __init__(self, context: Context, api_key: SecretStr, channel: OwnedChannel) -> None:
        self._context = context
        self._api_key = api_key
        self._channel = channel
        self._logged_about = bound_fields()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: dict[SendMethod, deque[UploadJob]] = {way: deque() for way in SendMethod}
        self._in_flight: dict[Claim, AssetUnderUpload] = {}
        #: When each of those in flight had its slot; moments of `time.monotonic`.
        self._sent_at: dict[Claim, float] = {}
        self._preparing: Counter[SendMethod] = Counter()
        self._driven = False
        self._stopped = threading.Event()
        self._why_stopped = ""
        self._lost: set[Claim] = set()
        self._outcomes: list[UploadOutcome] = []
        self._something_to_do = threading.Event()
        #: When a file was last begun, sent or failed; a moment of `time.monotonic`.
        self._got_on_at = time.monotonic()

    def add(self, jobs: Iterable[UploadJob], *, first: bool = False) -> None:
        """Send these, too; before all others where they come first."""
        with self._lock:
            if not self._waiting[SendMethod.AT_ONCE] and not self._waiting[SendMethod.STREAMED]:
                self._got_on_at = time.monotonic()
            for job in jobs:
                queue = self._waiting[self._way(job)]
                queue.appendleft(job) if first else queue.append(job)
        self._begin_more()

    def _way(self, job: UploadJob) -> SendMethod:
        if job.second is not None or is_remote(job.asset.source):
            return SendMethod.FETCHED
        return (
            SendMethod.AT_ONCE
            if self._context.provider.sends_at_once(job.asset.size)
            else SendMethod.STREAMED
        )

    @property
    def waiting(self) -> int:
        """Files that have not been begun."""
        return sum(map(len, self._waiting.values()))

    @property
    def unsent(self) -> bool:
        """Whether there are files that are still to have their slot."""
        with self._lock:
            return bool(self.waiting or self._preparing.total())

    @property
    def busy(self) -> bool:
        """Whether there are files whose outcome has not been collected."""
        with self._lock:
            return bool(self.waiting or self._in_flight or self._outcomes)

    def stalled_for(self, seconds: float) -> bool:
        """Whether files lie ready, and for so long none was begun, sent or failed: a disk that hangs, say."""
        ready = self._waiting[SendMethod.AT_ONCE] or self._waiting[SendMethod.STREAMED]
        return bool(ready) and time.monotonic() - self._got_on_at >= seconds

    @property
    def stopped(self) -> bool:
        """Whether nothing is begun any more."""
        return self._stopped.is_set()

    @property
    def claims(self) -> list[Claim]:
        """Of all files whose outcome has not been collected."""
        with self._lock:
            waiting = [job.asset for queue in self._waiting.values() for job in queue]
            ended = [outcome.asset for outcome in self._outcomes]
            return [asset.claim for asset in (*waiting, *self._in_flight.values(), *ended)]

    def forget(self, claims: Iterable[Claim]) -> None:
        """Do not send these any more: somebody else has their claims."""
        self._lost.update(claims)

    def stop(self, why: str = "Its worker stopped before this file's turn.") -> list[UploadJob]:
        """Begin nothing more; returns the files that were not begun. Those that wait for a slot end soon.

        Args:
            why: is said of those that end so; what was said first stays.
        """
        if not self._stopped.is_set():
            self._why_stopped = why
        self._stopped.set()
        return self.take_back()

    def take_back(self) -> list[UploadJob]:
        """The files that were not begun, which are not to be sent from here."""
        with self._lock:
            jobs = [job for queue in self._waiting.values() for job in queue]
            for queue in self._waiting.values():
                queue.clear()
        return jobs

    def collect(self, *, until: float) -> list[UploadOutcome]:
        """What has come of files since the last time.

        Args:
            until: moment of `time.monotonic` up to which outcomes are waited for, so that many are written at
                a time; less where nothing is in flight any more, or something failed that wants an answer.
        """
        self._something_to_do.wait(max(0.0, until - time.monotonic()))
        with self._lock:
            self._something_to_do.clear()
            outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _begin_more(self) -> None:
        """Start whatever may be made ready now."""
        for way in (SendMethod.FETCHED, SendMethod.STREAMED):
            while job := self._next(way):
                self._context.upload_threads.submit(self._stream, job, way)
        with self._lock:
            drives = not self._driven and self._may_begin(SendMethod.AT_ONCE)
            self._driven = self._driven or drives
        if drives:
            self._context.upload_threads.submit(self._drive)

    def _next(self, way: SendMethod) -> UploadJob | None:
        """Take the first file that goes this way, if one may be made ready now."""
        if not self._waiting[way]:
            return None
        with self._lock:
            if not self._may_begin(way):
                return None
            job = self._waiting[way].popleft()
            self._in_flight[job.asset.claim] = job.asset
            self._preparing[way] += 1
            return job

    def _may_begin(self, way: SendMethod) -> bool:
        return (
            bool(self._waiting[way])
            and self._preparing[way] < MAX_IN_PREPARATION[way]
            and len(self._in_flight) < MAX_IN_FLIGHT
            and not self._stopped.is_set()
        )

    def _drive(self) -> None:
        """Send small files, one after the other, for as long as there are some and connections for them."""
        while True:
            job = self._next(SendMethod.AT_ONCE)
            if job is None:
                with self._lock:
                    self._driven = self._may_begin(SendMethod.AT_ONCE)
                    if not self._driven:
                        return
                continue
            if self._context.provider.has_idle_connection():
                self._send(job)
            else:
                # Connecting takes its time, and files that follow may find a connection by then.
                self._context.upload_threads.submit(self._send, job)

    def _stream(self, job: UploadJob, way: SendMethod) -> None:
        """Send one file, and wait for its answer."""
        with self._dealing_with(job, way) as take_turn:
            self._check(job.asset)
            with self._content(job) as content:
                media_id = self._context.provider.upload(
                    self._api_key,
                    content=content,
                    mime_type=job.asset.mime_type,
                    file_name=job.asset.file_name,
                    before_sending=take_turn,
                    after_sending=self._channel.sent,
                )
                # At once: a copy that cannot be cleared away must not cost the media ID.
                self._end(job, media_id)

    def _send(self, job: UploadJob) -> None:
        """Send one file; its answer comes by itself."""
        with self._dealing_with(job, SendMethod.AT_ONCE) as take_turn:
            self._check(job.asset)
            with self._content(job) as content:
                self._context.provider.upload_later(
                    self._api_key,
                    content=content,
                    mime_type=job.asset.mime_type,
                    file_name=job.asset.file_name,
                    before_sending=take_turn,
                    after_sending=self._channel.sent,
                    done=lambda result: self._end(job, result),
                )

    def _content(self, job: UploadJob) -> AbstractContextManager[UploadContent]:
        """The file, wherever it is to be had; a file of this machine is opened when it is read."""
        if job.second is None and not is_remote(job.asset.source):
            return nullcontext(_read_by(job.asset, lambda: self._open(job.asset.source)))
        return self._copied(job, job.second)

    def _open(self, path: str) -> BinaryIO:
        # An asset may be of a fixed copy: the one source that Greenroom itself has named.
        return self._context.sources.open(path, own=True)

    @contextmanager
    def _copied(self, job: UploadJob, second: FallbackSource | None) -> Iterator[UploadContent]:
        copy = (
            fallback_copy(self._context, self._api_key, job.asset, second)
            if second
            else self._context.sources.copy(job.asset.source, sha256=job.asset.sha256)
        )
        with copy as path:
            # Read in large pieces by whoever sends it: a buffer would only ask the system more often.
            yield _read_by(job.asset, lambda: path.open("rb", buffering=0))

    @contextmanager
    def _dealing_with(self, job: UploadJob, way: SendMethod) -> Iterator[Callable[[], None]]:
        """Gives what waits for a file's slot; whatever fails in the block becomes the file's outcome.

        The block touches no database.
        """
        is_ready = False

        def take_turn() -> None:
            # The connection stands and the file is read: sending follows at once.
            with self._turn:
                self._check(job.asset)
                self._channel.wait(timeout=SLOT_PATIENCE_SECONDS, sleep=self._context.sleep)
            try:
                self._check(job.asset)
                self._sent_at[job.asset.claim] = time.monotonic()
                has_its_slot()
            except Exception:
                self._channel.return_slot()
                raise
            # A process may have been stopped in between, and somebody else be the channel's owner.
            self._channel.require_ownership()

        def has_its_slot() -> None:
            nonlocal is_ready
            if not is_ready:
                is_ready = True
                with self._lock:
                    self._preparing[way] -= 1
                    self._got_on_at = time.monotonic()
                self._begin_more()

        failure: GreenroomError | None = None
        try:
            # First of all: one that has not come to this has no block that could fail.
            yield take_turn
        except GreenroomError as error:
            # Its traceback holds this frame, which holds it, and all that was to be sent.
            failure = error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - one file's trouble must not cost others their media IDs
            failure = out_of_resources(error) or self._our_fault(job.asset, error)
        if failure is not None:
            has_its_slot()
            self._end(job, failure)

    def _end(self, job: UploadJob, result: str | GreenroomError) -> None:
        """Note what has come of a file."""
        media_id, error = (result, None) if isinstance(result, str) else (None, result)
        self._count(job.asset.claim, error)
        if isinstance(error, Throttled):
            hold = self._channel.on_throttled(error.retry_after)
            channel_id = self._channel.channel_id
            fields = self._about(job.asset)
            logger.warning("Channel %s was throttled; it waits %.1f s.", channel_id, hold, extra=fields)
        outcome = UploadOutcome(job=job, media_id=media_id, error=error, at=self._context.clock.now())
        with self._lock:
            if error is not None and job.asset.claim not in self._in_flight:
                return  # it has its outcome, and what failed after that takes nothing from it
            self._outcomes.append(outcome)
            self._in_flight.pop(job.asset.claim, None)
            if isinstance(error, WAITED_FOR) or not (self.waiting or self._in_flight):
                self._something_to_do.set()
        self._begin_more()

    def _count(self, claim: Claim, error: GreenroomError | None) -> None:
        sent_at = self._sent_at.pop(claim, None)
        if sent_at is not None and (error is None or error.answered_by):
            UPLOAD_SECONDS.add(time.monotonic() - sent_at)
        if error is None:
            UPLOADS.add(self._channel.channel_id)
        elif isinstance(error, Throttled):
            THROTTLED.add(self._channel.channel_id)

    def _our_fault(self, asset: AssetUnderUpload, error: Exception) -> OurFault:
        text, fields = "%s could not be uploaded, by a fault of Greenroom's own.", self._about(asset)
        logger.error(text, asset.file_name, exc_info=error, extra=fields)
        return OurFault(f"Greenroom failed at this file ({type(error).__name__}); its log says more.")

    def _about(self, asset: AssetUnderUpload) -> dict[str, Any]:
        """For a line that one of its threads logs: they work for many channels and tasks."""
        return about(**{**self._logged_about, "file": asset.file_name, "attempt": asset.attempts + 1})

    def _check(self, asset: AssetUnderUpload) -> None:
        """End a file's turn before it is sent, if it should not be sent any more."""
        if self._stopped.is_set():
            raise Released(self._why_stopped)
        if self._lost and asset.claim in self._lost:
            raise ClaimLost(f"The claim on {asset.file_name} was lost.")


def _read_by(asset: AssetUnderUpload, open_it: Callable[[], BinaryIO]) -> UploadContent:
    return UploadContent(open=open_it, size=asset.size, sha256=asset.sha256)
