"""A channel that this process alone uploads on; its slots are handed out here, to many threads."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from greenroom.errors import LimiterUnavailable, NoSlotInTime
from greenroom.log_fields import about
from greenroom.rate_limit.sliding_log import MOST_SLACK, Learned, SlidingLog

logger = logging.getLogger(__name__)
#: Seconds that an owner stays owner without a heartbeat.
OWNERSHIP_SECONDS = 4.0
#: Seconds between two heartbeats.
HEARTBEAT_SECONDS = 1.0
#: The longest that one answer of the provider can hold a channel back.
MAX_HOLD_SECONDS = 600.0
#: What was begun so long ago and is still being sent is large, and has arrived when its first bytes did.
SENDING_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 0.5
MICRO = 1_000_000
_RELEASED_BEFORE = 1
_FIELDS_LEARNED = 5


class OwnershipLost(NoSlotInTime):
    """The time of an owner is over; somebody else may upload on the channel now."""


class OwnerRecord(Protocol):
    """What all processes know of a channel's owner: :class:`greenroom.rate_limit.limiter.Limiter`."""

    @property
    def uploads_per_second(self) -> float:
        """On each channel."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...

    def wall(self) -> float:
        """Seconds on the machine's clock."""
        ...

    def heartbeat(self, channel_id: str, owner: str, state: Sequence[str]) -> list[Any]:
        """Say that an owner lives, and what it knows; returns whether it is the owner, and the moment."""
        ...

    def release(self, channel_id: str, owner: str, state: Sequence[str]) -> None:
        """Hand a channel on."""
        ...


class OwnedChannel:
    """A channel that this process alone uploads on; its slots are handed out here, to many threads."""

    def __init__(
        self, record: OwnerRecord, channel_id: str, owner: str, *, asked_at: float, answer: list[Any]
    ) -> None:
        self.channel_id = channel_id
        self._record = record
        self._owner = owner
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._asking = threading.Lock()
        self._lost = False
        self._ending = False
        self._log = SlidingLog(record.uploads_per_second)
        self._continue(answer)
        self._kept(asked_at)

    def _continue(self, answer: list[Any]) -> None:
        """Take over the log of whoever was owner before."""
        whose, ended, log, learned = answer[2:]
        now, here = int(answer[1]), self._record.monotonic()

        def local(moment: bytes | str) -> float:
            # Redis looked at its clock before this moment, so this is rather later than sooner.
            return here + (stored_number(moment, -math.inf) - now) / MICRO

        # Where it is not known who was owner, that owner's time is over later than now.
        latest = here + OWNERSHIP_SECONDS
        sent = [min(local(moment), latest) for moment in stored_text(log).split(",")]
        after = 0.0
        if whose != _RELEASED_BEFORE or not log:
            sent = [min(local(ended), latest)] * self._log.most
            after = random.random() / self._record.uploads_per_second  # noqa: S311 - no secret
        fields = stored_text(learned).split(",")
        if len(fields) != _FIELDS_LEARNED:
            self._log.adopt(sent, Learned(), after=after)
            return
        cut, cut_at, slack, refused_at, held_until = fields
        self._log.adopt(
            sent,
            Learned(
                cut=max(1.0, stored_number(cut, math.inf)),
                cut_at=min(local(cut_at), here),
                slack=min(max(0.0, stored_number(slack, 0.0)), MOST_SLACK),
                refused_at=min(local(refused_at), here),
                held_until=min(local(held_until), here + MAX_HOLD_SECONDS),
            ),
            after=after,
        )

    def wait(self, *, timeout: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Wait for the next slot; on return, send at once, and call :meth:`sent` when that is done.

        Whoever does anything else in between asks :meth:`require_ownership` just before it sends.

        Raises:
            NoSlotInTime: there is none within the time-out.
            OwnershipLost: somebody else uploads on this channel now.
            LimiterUnavailable: Redis was away until the time-out was over. Nothing may be sent.
        """
        give_up_at = self._record.monotonic() + timeout
        woken_at = math.inf
        while True:
            self.heartbeat()
            with self._lock:
                now = self._record.monotonic()
                if woken_at < now:
                    self._log.woke(now - woken_at)
                earliest, mine = self._log.earliest(now), self._is_owner(now)
                if self._lost:
                    text = f"the time to upload on {self.channel_id} is over; whoever has it now continues"
                    raise OwnershipLost(text, retry_after=1.0)
                if mine and earliest <= now:
                    self._log.begin(now)
                    return
                if not mine and now >= give_up_at:
                    raise LimiterUnavailable("the upload pace cannot be kept: Redis does not answer")
                if now >= give_up_at or give_up_at < earliest < math.inf:
                    raise NoSlotInTime(
                        f"the next upload on {self.channel_id} has to wait {earliest - now:.1f} s",
                        retry_after=min(max(earliest - now, 1.0), MAX_HOLD_SECONDS),
                    )
                if earliest == math.inf:
                    # As many as a window may hold are being sent; whichever is done first wakes us.
                    woken_at = math.inf
                    self._changed.wait(HEARTBEAT_SECONDS)
                    continue
            # Not for so long that our time ends meanwhile.
            pause = min(max(earliest - now, 0.0 if mine else LONGEST_RETRY_SECONDS), HEARTBEAT_SECONDS)
            woken_at = self._record.monotonic() + pause
            sleep(pause)

    def require_ownership(self) -> None:
        """Look again, just before sending in a slot; where this raises, the slot is given back.

        Raises:
            OwnershipLost: so much time has passed that somebody else may upload on this channel now.
        """
        if not self._lost and self._is_owner(self._record.monotonic()):
            return
        self.return_slot()
        raise OwnershipLost(f"somebody else may be uploading on {self.channel_id} now", retry_after=1.0)

    def _is_owner(self, now: float) -> bool:
        """Whether our time is not over, by either clock."""
        return now < self._until and self._record.wall() - self._kept_wall < OWNERSHIP_SECONDS

    def sent(self, late: float = 0.0) -> None:
        """What a slot was for has been sent to its end, or broke off.

        Args:
            late: seconds by which it may arrive later than others; see :mod:`.sliding_log`.
        """
        with self._lock:
            self._log.finish(self._record.monotonic(), late=late)
            self._changed.notify()

    def return_slot(self) -> None:
        """Nothing was sent in a slot."""
        with self._lock:
            self._log.cancel()
            self._changed.notify()

    def on_throttled(self, retry_after: float | None) -> float:
        """The provider answered 429; returns the seconds for which nothing is sent now."""
        if retry_after is not None:
            retry_after = min(max(retry_after, 0.0), MAX_HOLD_SECONDS)
        with self._lock:
            held = self._log.on_throttled(self._record.monotonic(), hold=retry_after)
            # The dispatcher shall know.
            self._keep_at = -math.inf
        return held

    def heartbeat(self) -> None:
        """Say that the owner lives, where it is time to.

        While Redis is away this does nothing: our time ends when it was to end.
        """
        # Whoever finds another thread asking goes on: a Redis that hangs is waited for by one alone.
        if self._record.monotonic() >= self._keep_at and self._asking.acquire(blocking=False):
            try:
                self._send_heartbeat()
            finally:
                self._asking.release()

    def _send_heartbeat(self) -> None:
        asked_at = self._record.monotonic()
        if self._lost or asked_at < self._keep_at:
            return  # another thread has just done so
        if asked_at >= self._until:
            self._lose()
            return
        try:
            answer = self._record.heartbeat(self.channel_id, self._owner, self._state())
        except LimiterUnavailable as error:
            logger.warning("Channel %s: %s", self.channel_id, error, extra=about(channel=self.channel_id))
            # Not at each slot, while Redis is away.
            self._keep_at = self._record.monotonic() + HEARTBEAT_SECONDS / 4
            return
        if answer[0]:
            self._kept(asked_at)
        else:
            self._lose()

    def _lose(self) -> None:
        with self._lock:
            self._lost = True
            self._changed.notify_all()

    def drain(self) -> None:
        """Say that somebody else may be asked to continue; who comes waits for this owner's release."""
        self._ending = True
        with self._asking:
            self._keep_at = -math.inf
            self._send_heartbeat()

    def release(self) -> None:
        """Hand the channel on; not yet, where an upload is just being sent: ask again soon.

        Large ones that are being sent for longer than :data:`SENDING_SECONDS` count as sent by now.
        """
        with self._asking:
            with self._lock:
                just_begun = self._record.monotonic() - self._log.begun_at < SENDING_SECONDS
                if self._lost or (self._log.open and just_begun):
                    return
                self._lost = True
                self._changed.notify_all()
            # Where Redis is away, the next owner begins when our time is over.
            with suppress(LimiterUnavailable):
                self._record.release(self.channel_id, self._owner, self._state())

    @property
    def lost(self) -> bool:
        """Whether it is not ours any more."""
        return self._lost

    def _kept(self, asked_at: float) -> None:
        # Redis looked at its clock after we asked, so by our clock our time ends no later than by its own.
        self._until = asked_at + OWNERSHIP_SECONDS
        self._kept_wall = self._record.wall() - (self._record.monotonic() - asked_at)
        self._keep_at = asked_at + HEARTBEAT_SECONDS

    def _state(self) -> tuple[str, str, str, str, str]:
        """What :meth:`OwnerRecord.heartbeat` tells.

        The log, what 429s have taught, until when nothing is sent, whether this is the end, and whether our
        time is not over. Moments are told by how long ago they were: whatever became of the clock of Redis
        since we asked it last, or of ours, they are as old as that.
        """

        def moment(local: float) -> str:
            return f"@{(now - local) * MICRO:.0f}" if math.isfinite(local) else ""

        with self._lock:
            now = self._record.monotonic()
            sent = [*self._log.sent, *[now] * self._log.open][-self._log.most :]
            learned = self._log.learned
            held_until = moment(learned.held_until)
            fields = (
                f"{learned.cut:.3f}",
                moment(learned.cut_at),
                f"{learned.slack:.4f}",
                moment(learned.refused_at),
                held_until,
            )
            ending = "1" if self._ending else "0"
            sure = "1" if self._is_owner(now) else "0"
            return ",".join(map(moment, sent)), ",".join(fields), held_until, ending, sure


def stored_text(value: bytes | str) -> str:
    """What a field of ours holds, whether or not the client decodes."""
    return value.decode() if isinstance(value, bytes) else value


def stored_number(value: bytes | str | None, default: float) -> float:
    """What a field of ours holds; rubbish counts as nothing."""
    try:
        number = float(stored_text(value or ""))
    except ValueError:
        return default
    return number if math.isfinite(number) else default
