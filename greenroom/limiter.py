"""Who may upload on a channel, kept in Redis so that all processes and machines agree.

"Media Uploads (POST /media): a limit of 25 requests per second per phone number." (360dialog, Constraints.)
A channel has one owner at a time. The owner keeps the pace by itself (:mod:`greenroom.sliding_log`) and asks
Redis once a second, to remain the owner; what it knows of the channel's last second passes to the next one:

* An owner that releases the channel hands its log on. The next one continues it, as if they were one.
* An owner that dies is owner until its time is over, :data:`OWNERSHIP_SECONDS` after its last heartbeat. The
  second before that is taken to have been full.
* Where nothing is known of a channel (a new one, or a Redis that was wiped), the last second is taken to have
  been full, too. Keys do not expire: each channel that ever uploaded has a small one, of about 600 bytes.
* An owner that cannot reach Redis continues until its time is over, for nobody else can begin before that.
  Then it is one no more, whether or not somebody else is: so one that was frozen, with its process or its
  machine, sends nothing when it wakes. Its claims may be somebody else's by then.
* Whether its time is over an owner sees once more just before it sends, by a clock that runs on while the
  machine sleeps: a process that was stopped in between must not send together with the next owner.
* An owner that releases the channel waits for what is just being sent: stamped too early, it would arrive in
  a second that the next owner has filled.

Moments are Redis's own, in microseconds. Where they are turned into a process's own time or back, an upload
is taken to have been sent rather later than sooner, by as long as the question to Redis took.

Works on Redis 6 and later and on Valkey, clustered too: each script touches a single key.
"""

from __future__ import annotations

import logging
import math
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from greenroom.clock import boottime
from greenroom.errors import LimiterUnavailable, NoSlotInTime
from greenroom.sliding_log import MOST_SLACK, PROVIDER_LIMIT_PER_SECOND, Learned, SlidingLog

logger = logging.getLogger(__name__)

#: The provider's own number.
DEFAULT_UPLOADS_PER_SECOND = float(PROVIDER_LIMIT_PER_SECOND)
#: Seconds that an owner stays owner without a heartbeat.
OWNERSHIP_SECONDS = 4.0
#: Seconds between two heartbeats.
HEARTBEAT_SECONDS = 1.0
#: The longest that one answer of the provider can hold a channel back.
MAX_HOLD_SECONDS = 600.0
#: What was begun so long ago and is still being sent is large, and has arrived when its first bytes did.
SENDING_SECONDS = 2.0
#: An upload that somebody asked for and that has not begun within this time waits for a worker: all are busy.
SHORT_OF_WORKERS_SECONDS = 1.0
#: One that was asked for longer ago than this was lost on the way.
LOST_REQUEST_SECONDS = 30.0

_FIRST_RETRY_SECONDS = 0.01
_LONGEST_RETRY_SECONDS = 0.5
_MICRO = 1_000_000
_RELEASED_BEFORE = 1
_FIELDS_LEARNED = 5

# KEYS: the channel. ARGV: me, the time for which I want it, 1 to begin or 0 to continue; and to continue,
# what I know: log, what its 429s have taught, moment until which it is held back, 1 if I am ending.
# Returns {1 or 0: mine or not, now, whose log this is: 0 nobody's, 1 that of an owner that released it, 2
# that of one that died, the moment of its end, log, learned}.
_ACQUIRE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local lasts = tonumber(ARGV[2])
local row = redis.call('HMGET', KEYS[1], 'owner', 'until', 'log', 'learned')
local owner, ends = row[1], tonumber(row[2] or '')
-- A moment so far away was never written by us: the clock of Redis has been set back.
if ends and ends > now + 2 * lasts then owner, ends = 'nobody', now end
if ARGV[3] == '0' then
    -- Whose time is over begins anew: its own clock may have stood still.
    if owner and (owner ~= ARGV[1] or not ends or ends <= now) then return {0, now} end
    redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + lasts),
               'log', ARGV[4], 'learned', ARGV[5], 'held_until', ARGV[6], 'ending', ARGV[7])
    return {1, now}
end
if owner and owner ~= '' and ends and ends > now then return {0, now} end
local whose = 0
if owner == '' then whose = 1 elseif owner then whose = 2 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + lasts), 'ending', '0')
return {1, now, whose, string.format('%.0f', ends or now), row[3] or '', row[4] or ''}
"""
# ARGV: me, log, learned, held until.
_RELEASE = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '', 'until', '0', 'log', ARGV[2], 'learned', ARGV[3],
           'held_until', ARGV[4])
return 1
"""
# KEYS: the channels that workers were asked to upload on. ARGV: microseconds after which one that was asked
# for waits for a worker, and after which it was lost on the way. Returns how many wait.
_WAITING = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[2]))
return redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%.0f', now - ARGV[1]))
"""


@dataclass(frozen=True, kw_only=True)
class ChannelStatus:
    """How things stand with a channel's uploads.

    Attributes:
        owned: whether somebody is uploading on it, and will continue as long as there is something to upload.
        held_back: seconds until the provider wants to see the next upload.
    """

    owned: bool
    held_back: float


class OwnershipLost(NoSlotInTime):
    """The time of an owner is over; somebody else may upload on the channel now."""


class Limiter:
    """Hands channels to owners; may be used by many threads at once."""

    def __init__(
        self,
        redis: Redis,
        *,
        uploads_per_second: float = DEFAULT_UPLOADS_PER_SECOND,
        namespace: str = "greenroom",
        monotonic: Callable[[], float] = boottime,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Prepare the scripts; Redis is not asked yet.

        Args:
            redis: a client. Give it time-outs, and few retries of its own: waiting is done here.
            uploads_per_second: uploads a second on each channel.
            namespace: what the keys begin with.
            monotonic: seconds on a clock that never jumps, and goes on while the machine sleeps.
            wall: seconds on the machine's clock, by which a virtual machine sees that it was paused.

        Raises:
            ValueError: the pace is not a positive number.
        """
        SlidingLog(uploads_per_second)
        self.uploads_per_second = uploads_per_second
        self.monotonic = monotonic
        self.wall = wall
        self._redis = redis
        self._namespace = namespace
        self._heartbeat = redis.register_script(_ACQUIRE)
        self._release = redis.register_script(_RELEASE)
        self._waiting = redis.register_script(_WAITING)

    def acquire(
        self, channel_id: str, *, timeout: float, sleep: Callable[[float], None] = time.sleep
    ) -> OwnedChannel:
        """Become a channel's owner, waiting for the present one to release it.

        Args:
            channel_id: which.
            timeout: seconds that this may take.
            sleep: sleeps for a number of seconds.

        Raises:
            NoSlotInTime: somebody else was its owner for all that time.
            LimiterUnavailable: Redis was away until the time-out was over.
        """
        give_up_at = self.monotonic() + timeout
        me = secrets.token_hex(8)
        pause = _FIRST_RETRY_SECONDS
        problem: LimiterUnavailable | None = None
        while True:
            asked_at = self.monotonic()
            try:
                answer = self._ask(self._heartbeat, channel_id, me, round(OWNERSHIP_SECONDS * _MICRO), 1)
            except LimiterUnavailable as error:
                problem = error
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
            else:
                if answer[0]:
                    return OwnedChannel(self, channel_id, me, asked_at=asked_at, answer=answer)
                problem, pause = None, _FIRST_RETRY_SECONDS
            left = give_up_at - self.monotonic()
            if left <= 0:
                break
            sleep(min(pause, left))
        raise problem or NoSlotInTime(
            f"somebody else has been uploading on {channel_id} for {timeout:g} s", retry_after=timeout
        )

    def heartbeat(self, channel_id: str, owner: str, state: Sequence[str]) -> list[Any]:
        """Say that an owner lives, and what he knows; for :class:`OwnedChannel`."""
        return self._ask(self._heartbeat, channel_id, owner, round(OWNERSHIP_SECONDS * _MICRO), 0, *state)

    def release(self, channel_id: str, owner: str, state: Sequence[str]) -> None:
        """Hand a channel on; for :class:`OwnedChannel`."""
        self._ask(self._release, channel_id, owner, *state[:-1])

    def peek(self, channel_ids: Sequence[str]) -> dict[str, ChannelStatus]:
        """How things stand with these channels; nothing is changed.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.time()
        for channel_id in channel_ids:
            pipeline.hmget(self._key(channel_id), "owner", "until", "held_until", "ending")
        (seconds, micro), *rows = self._run(pipeline)
        now = seconds * _MICRO + micro
        return {
            channel_id: ChannelStatus(
                owned=bool(owner) and _number(ends, 0.0) > now and _text(ending or "") != "1",
                held_back=max(0.0, min((_number(held, 0.0) - now) / _MICRO, MAX_HOLD_SECONDS)),
            )
            for channel_id, (owner, ends, held, ending) in zip(channel_ids, rows, strict=True)
        }

    def note_requested(self, channel_ids: Sequence[str]) -> None:
        """Remember that workers were asked to upload on these channels.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        if not channel_ids:
            return
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.time()
        ((seconds, micro),) = self._run(pipeline)
        pipeline.zadd(self._requested, dict.fromkeys(channel_ids, seconds * _MICRO + micro))
        self._run(pipeline)

    def note_started(self, channel_id: str) -> None:
        """Remember that a worker has begun with what it was asked for.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrem(self._requested, channel_id)
        self._run(pipeline)

    def short_of_workers(self) -> bool:
        """Whether some channel waits for a worker that has time for it.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        ages = (SHORT_OF_WORKERS_SECONDS * _MICRO, LOST_REQUEST_SECONDS * _MICRO)
        return bool(self._call(self._waiting, self._requested, *map(round, ages)))

    @property
    def _requested(self) -> str:
        return f"{self._namespace}:asked"

    def _key(self, channel_id: str) -> str:
        return f"{self._namespace}:channel:{channel_id}"

    def _ask(self, script: Callable[..., Any], channel_id: str, *arguments: object) -> list[Any]:
        answer = self._call(script, self._key(channel_id), *arguments)
        return answer if isinstance(answer, list) else [answer]

    def _call(self, script: Callable[..., Any], key: str, *arguments: object) -> Any:
        try:
            return script(keys=[key], args=arguments)
        except RedisError as error:
            raise LimiterUnavailable(f"the upload pace cannot be kept: {type(error).__name__}") from error

    def _run(self, pipeline: Any) -> list[Any]:
        try:
            answers: list[Any] = pipeline.execute()
        except RedisError as error:
            raise LimiterUnavailable(f"the upload pace cannot be kept: {type(error).__name__}") from error
        return answers


class OwnedChannel:
    """A channel that this process alone uploads on; its slots are handed out here, to many threads."""

    def __init__(
        self, limiter: Limiter, channel_id: str, owner: str, *, asked_at: float, answer: list[Any]
    ) -> None:
        self.channel_id = channel_id
        self._limiter = limiter
        self._owner = owner
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._asking = threading.Lock()
        self._lost = False
        self._ending = False
        self._log = SlidingLog(limiter.uploads_per_second)
        self._continue(answer)
        self._kept(asked_at, answer)

    def _continue(self, answer: list[Any]) -> None:
        """Take over the log of whoever was owner before."""
        whose, ended, log, learned = answer[2:]
        now, here = int(answer[1]), self._limiter.monotonic()

        def local(moment: bytes | str) -> float:
            # Redis looked at its clock before this moment, so this is rather later than sooner.
            return here + (_number(moment, -math.inf) - now) / _MICRO

        sent = [min(local(moment), here) for moment in _text(log).split(",")]
        after = 0.0
        if whose != _RELEASED_BEFORE or not log:
            sent = [min(local(ended), here)] * self._log.most
            after = random.random() / self._limiter.uploads_per_second  # noqa: S311 - no secret
        fields = _text(learned).split(",")
        if len(fields) != _FIELDS_LEARNED:
            self._log.adopt(sent, Learned(), after=after)
            return
        cut, cut_at, slack, refused_at, held_until = fields
        self._log.adopt(
            sent,
            Learned(
                cut=max(1.0, _number(cut, math.inf)),
                cut_at=min(local(cut_at), here),
                slack=min(max(0.0, _number(slack, 0.0)), MOST_SLACK),
                refused_at=min(local(refused_at), here),
                held_until=min(local(held_until), here + MAX_HOLD_SECONDS),
            ),
            after=after,
        )

    def wait(self, *, timeout: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Wait for the next slot; on return, send at once, and call :meth:`sent` when that is done.

        Whoever does anything else in between asks :meth:`require_mine` just before he sends.

        Raises:
            NoSlotInTime: there is none within the time-out.
            OwnershipLost: somebody else uploads on this channel now.
            LimiterUnavailable: Redis was away until the time-out was over. Nothing may be sent.
        """
        give_up_at = self._limiter.monotonic() + timeout
        woken_at = math.inf
        while True:
            self.heartbeat()
            with self._lock:
                now = self._limiter.monotonic()
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
            pause = min(max(earliest - now, 0.0 if mine else _LONGEST_RETRY_SECONDS), HEARTBEAT_SECONDS)
            woken_at = self._limiter.monotonic() + pause
            sleep(pause)

    def require_ownership(self) -> None:
        """Look again, just before sending in a slot; where this raises, the slot is given back.

        Raises:
            OwnershipLost: so much time has passed that somebody else may upload on this channel now.
        """
        if not self._lost and self._is_owner(self._limiter.monotonic()):
            return
        self.return_slot()
        raise OwnershipLost(f"somebody else may be uploading on {self.channel_id} now", retry_after=1.0)

    def _is_owner(self, now: float) -> bool:
        """Whether our time is not over, by either clock."""
        return now < self._until and self._limiter.wall() - self._kept_wall < OWNERSHIP_SECONDS

    def sent(self, late: float = 0.0) -> None:
        """What a slot was for has been sent to its end, or broke off.

        Args:
            late: seconds by which it may arrive later than others; see :mod:`greenroom.sliding_log`.
        """
        with self._lock:
            self._log.finish(self._limiter.monotonic(), late=late)
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
            held = self._log.on_throttled(self._limiter.monotonic(), hold=retry_after)
            # The dispatcher shall know.
            self._keep_at = -math.inf
        return held

    def heartbeat(self) -> None:
        """Say that the owner lives, where it is time to.

        While Redis is away this does nothing: our time ends when it was to end.
        """
        # Whoever finds another thread asking goes on: a Redis that hangs is waited for by one alone.
        if self._limiter.monotonic() >= self._keep_at and self._asking.acquire(blocking=False):
            try:
                self._send_heartbeat()
            finally:
                self._asking.release()

    def _send_heartbeat(self) -> None:
        asked_at = self._limiter.monotonic()
        if self._lost or asked_at < self._keep_at:
            return  # another thread has just done so
        if asked_at >= self._until:
            self._lose()
            return
        try:
            answer = self._limiter.heartbeat(self.channel_id, self._owner, self._state())
        except LimiterUnavailable as error:
            logger.warning("Channel %s: %s", self.channel_id, error)
            # Not at each slot, while Redis is away.
            self._keep_at = self._limiter.monotonic() + HEARTBEAT_SECONDS / 4
            return
        if answer[0]:
            self._kept(asked_at, answer)
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
                just_begun = self._limiter.monotonic() - self._log.begun_at < SENDING_SECONDS
                if self._lost or (self._log.open and just_begun):
                    return
                self._lost = True
                self._changed.notify_all()
            # Where Redis is away, the next owner begins when our time is over.
            with suppress(LimiterUnavailable):
                self._limiter.release(self.channel_id, self._owner, self._state())

    @property
    def lost(self) -> bool:
        """Whether it is not ours any more."""
        return self._lost

    def _kept(self, asked_at: float, answer: list[Any]) -> None:
        # Redis looked at its clock after we asked, so by our clock our time ends no later than by its own.
        self._until = asked_at + OWNERSHIP_SECONDS
        self._kept_wall = self._limiter.wall() - (self._limiter.monotonic() - asked_at)
        self._keep_at = asked_at + HEARTBEAT_SECONDS
        self._offset: float = answer[1] - asked_at * _MICRO

    def _state(self) -> tuple[str, str, str, str]:
        """The log, what 429s have taught, until when nothing is sent, and whether this is the end."""

        def moment(local: float) -> str:
            return f"{self._offset + local * _MICRO:.0f}" if math.isfinite(local) else ""

        with self._lock:
            now = self._limiter.monotonic()
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
            return ",".join(map(moment, sent)), ",".join(fields), held_until, ending


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _number(value: bytes | str | None, default: float) -> float:
    """What a field of ours holds; rubbish counts as nothing."""
    try:
        number = float(_text(value or ""))
    except ValueError:
        return default
    return number if math.isfinite(number) else default
