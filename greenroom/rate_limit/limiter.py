"""Who may upload on a channel, kept in Redis so that all processes and machines agree.

"Media Uploads (POST /media): a limit of 25 requests per second per phone number." (360dialog, Constraints.)
A channel has one owner at a time, a worker process. The owner keeps the pace by itself, by a log of when its
last 25 uploads were sent (:mod:`.sliding_log`), and asks Redis once a second, to remain the owner; what it
knows of the channel's last second passes to the next one:

* An owner that releases the channel hands its log on. The next one continues it, as if they were one.
* An owner that dies is owner until its time is over, :data:`OWNERSHIP_SECONDS` after its last heartbeat. The
  second before that is taken to have been full.
* Where nothing is known of a channel (a new one, or a Redis that was wiped), somebody may be its owner, and
  Redis not know, and go on until its time is over: all seconds until then are taken to have been full. The
  same where a server other than the present one wrote what is known. It was restarted, restored or replaced
  by its replica, and may have lost what was written last. In the embedded stack, where nobody else can have
  uploaded, the second before it was started is taken to have been full. Keys do not expire: each channel that
  ever uploaded has a small one, of about 600 bytes.
* An owner that cannot reach Redis continues until its time is over, for nobody else can begin before that.
  Then it is one no more, whether or not somebody else is: so one that was frozen, with its process or its
  machine, sends nothing when it wakes. Its claims may be somebody else's by then.
* Whether its time is over an owner sees once more just before it sends, by a clock that runs on while the
  machine sleeps: a process that was stopped in between must not send together with the next owner.
* An owner that releases the channel waits for what is just being sent: stamped too early, it would arrive in
  a second that the next owner has filled.

Moments are Redis's own, in microseconds; an owner says how long ago each was. Where they are turned into a
process's own time or back, an upload is taken to have been sent rather later than sooner, by as long as the
question to Redis took.

Works on Redis 6 and later and on Valkey, clustered too: each script touches a single key, but in the embedded
stack.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from greenroom.clock import boottime
from greenroom.errors import LimiterUnavailable, NoSlotInTime, TransientError
from greenroom.rate_limit.ownership import (
    LONGEST_RETRY_SECONDS,
    MAX_HOLD_SECONDS,
    MICRO,
    OWNERSHIP_SECONDS,
    OwnedChannel,
    stored_number,
    stored_text,
)
from greenroom.rate_limit.sliding_log import PROVIDER_LIMIT_PER_SECOND, SlidingLog

#: The provider's own number.
DEFAULT_UPLOADS_PER_SECOND = float(PROVIDER_LIMIT_PER_SECOND)
#: An upload that somebody asked for and that has not begun within this time waits for a worker: all are busy.
SHORT_OF_WORKERS_SECONDS = 1.0
#: Seconds for which enough workers stay enough.
ENOUGH_WORKERS_SECONDS = 0.5
#: One that was asked for longer ago than this was lost on the way.
LOST_REQUEST_SECONDS = 30.0

_FIRST_RETRY_SECONDS = 0.01

# What all scripts about a channel begin with. A server has a new `run_id` at each start. Where the command is
# not allowed, all servers are taken for one.
_HERE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local function moments(text)
    local function moment(age) return string.format('%.0f', now - age) end
    return (string.gsub(text, '@(-?%d+)', moment))
end
"""
# KEYS: the channel; to begin, and where nobody else uploads, what says so, too. ARGV: me, the time for which
# I want it, 1 to begin or 0 to continue; to begin, since when nobody else can have uploaded; and to continue,
# what I know: log, what its 429s have taught, moment until which it is held back, 1 if I am ending, and 1 if
# by my clocks my time is not over. Where a moment is meant, it is an @ and how many microseconds ago it was.
# Returns {1: mine, now, whose log this is: 0 nobody's, 1 that of an owner that released it, 2 that of one
# that died, the moment of its end, log, learned}; or {0: not mine, now, to begin: '1' if its owner ends}.
_ACQUIRE = (
    _HERE
    + """
local lasts = tonumber(ARGV[2])
local row = redis.call('HMGET', KEYS[1], 'owner', 'until', 'log', 'learned', 'run', 'ending')
local owner, ends = row[1], tonumber(row[2] or '')
local known = owner and (row[5] or '') == run
-- A moment so far away was never written by us: the clock of Redis has been set back.
if ends and ends > now + 2 * lasts then owner, ends, known = 'nobody', now, true end
if ARGV[3] == '0' then
    -- Whose time is over begins anew: its own clock may have stood still.
    local mine = owner == ARGV[1] and ends and ends > now
    -- What this server never knew, or has forgotten, its owner tells it.
    if not mine and (known or ARGV[8] ~= '1') then return {0, now} end
    redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + lasts), 'run', run,
               'log', moments(ARGV[4]), 'learned', moments(ARGV[5]), 'held_until', moments(ARGV[6]),
               'ending', ARGV[7])
    return {1, now}
end
if owner and owner ~= '' and ends and ends > now then return {0, now, row[6] or ''} end
local whose = 0
if known and owner == '' then whose = 1 elseif known and owner ~= 'nobody' then whose = 2 end
if whose == 0 then
    -- Whoever was owner, and is not known, is owner no longer than this.
    ends = now + lasts
    -- With a Redis of our own, nothing is known of a channel because nobody has uploaded yet.
    if KEYS[2] and owner ~= 'nobody' and redis.call('GET', KEYS[2]) == run then
        ends = math.min(tonumber(ARGV[4]), now)
    end
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + lasts), 'run', run,
           'ending', '0')
return {1, now, whose, string.format('%.0f', ends or now), row[3] or '', row[4] or ''}
"""
)
# ARGV: me, log, learned, held until, and 1 if by my clocks my time is not over.
_RELEASE = (
    _HERE
    + """
local row = redis.call('HMGET', KEYS[1], 'owner', 'run')
local known = row[1] and (row[2] or '') == run
if known and row[1] ~= ARGV[1] or not known and ARGV[5] ~= '1' then return 0 end
redis.call('HSET', KEYS[1], 'owner', '', 'until', '0', 'run', run, 'log', moments(ARGV[2]),
           'learned', moments(ARGV[3]), 'held_until', moments(ARGV[4]))
return 1
"""
)
# KEYS: where it is said that nobody else uploads.
_SOLE = (
    _HERE
    + """
redis.call('SET', KEYS[1], run)
return 1
"""
)
# KEYS: the channels that workers were asked to upload on. ARGV: those that they are asked for now.
_REQUEST = """
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
for _, channel in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, channel) end
return 1
"""
# KEYS: as above. ARGV: microseconds after which one that was asked
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


class Limiter:
    """Hands channels to owners; may be used by many threads at once."""

    def __init__(
        self,
        redis: Redis,
        *,
        uploads_per_second: float = DEFAULT_UPLOADS_PER_SECOND,
        sole_since: datetime | None = None,
        namespace: str = "greenroom",
        monotonic: Callable[[], float] = boottime,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Prepare the scripts; Redis is not asked yet.

        Args:
            redis: a client. Give it time-outs, and few retries of its own: waiting is done here.
            uploads_per_second: uploads a second on each channel.
            sole_since: when this Redis was started, with all that uploads by it, by its own clock; None where
                others may have uploaded before. It counts while this Redis knows of it
                (:meth:`note_sole_uploader`): of one that lost what it knew, the last second is not known.
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
        #: When to ask again whether workers are short; a moment of the clock that never jumps.
        self._enough_until = -math.inf
        self._namespace = namespace
        self._sole_since = 0 if sole_since is None else round(sole_since.timestamp() * MICRO)
        self._heartbeat = redis.register_script(_ACQUIRE)
        self._release = redis.register_script(_RELEASE)
        self._sole = redis.register_script(_SOLE)
        self._request = redis.register_script(_REQUEST)
        self._waiting = redis.register_script(_WAITING)

    def acquire(
        self, channel_id: str, *, timeout: float, sleep: Callable[[float], None] = time.sleep
    ) -> OwnedChannel:
        """Become a channel's owner; one that says that it is ending is waited for.

        Args:
            channel_id: which.
            timeout: seconds that this may take.
            sleep: sleeps for a number of seconds.

        Raises:
            NoSlotInTime: somebody else is its owner, and goes on, or did not end in time.
            LimiterUnavailable: Redis was away until the time-out was over.
        """
        give_up_at = self.monotonic() + timeout
        me = secrets.token_hex(8)
        keys = [self._key(channel_id), *([self._sole_key] if self._sole_since else [])]
        pause = _FIRST_RETRY_SECONDS
        while True:
            asked_at = self.monotonic()
            try:
                lasts = round(OWNERSHIP_SECONDS * MICRO)
                answer = self._call(self._heartbeat, keys, me, lasts, 1, self._sole_since)
            except LimiterUnavailable as error:
                problem: TransientError = error
                pause = min(pause * 2, LONGEST_RETRY_SECONDS)
            else:
                if answer[0]:
                    return OwnedChannel(self, channel_id, me, asked_at=asked_at, answer=answer)
                taken = NoSlotInTime(f"somebody else is uploading on {channel_id}", retry_after=1.0)
                if stored_text(answer[2]) != "1":
                    raise taken
                problem, pause = taken, _FIRST_RETRY_SECONDS
            left = give_up_at - self.monotonic()
            if left <= 0:
                break
            sleep(min(pause, left))
        raise problem

    def note_sole_uploader(self) -> None:
        """Remember, as long as this Redis runs and is not wiped, that it was started with all that uploads.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        self._call(self._sole, [self._sole_key])

    def heartbeat(self, channel_id: str, owner: str, state: Sequence[str]) -> list[Any]:
        """Say that an owner lives, and what he knows; for :class:`OwnedChannel`."""
        keys, lasts = [self._key(channel_id)], round(OWNERSHIP_SECONDS * MICRO)
        answer: list[Any] = self._call(self._heartbeat, keys, owner, lasts, 0, *state)
        return answer

    def release(self, channel_id: str, owner: str, state: Sequence[str]) -> None:
        """Hand a channel on; for :class:`OwnedChannel`."""
        log, learned, held_until, _ending, sure = state
        self._call(self._release, [self._key(channel_id)], owner, log, learned, held_until, sure)

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
        now = seconds * MICRO + micro
        return {
            channel_id: ChannelStatus(
                owned=bool(owner) and stored_number(ends, 0.0) > now and stored_text(ending or "") != "1",
                held_back=max(0.0, min((stored_number(held, 0.0) - now) / MICRO, MAX_HOLD_SECONDS)),
            )
            for channel_id, (owner, ends, held, ending) in zip(channel_ids, rows, strict=True)
        }

    def note_requested(self, channel_ids: Sequence[str]) -> None:
        """Remember that workers were asked to upload on these channels.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        if channel_ids:
            self._call(self._request, [self._requested], *channel_ids)

    def note_started(self, channel_ids: Sequence[str]) -> None:
        """Remember that a worker has begun with what it was asked for, on these channels.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrem(self._requested, *channel_ids)
        self._run(pipeline)

    def short_of_workers(self) -> bool:
        """Whether some channel waits for a worker that has time for it.

        All channels of a process want to know: that none does is taken to be so for a moment.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        now = self.monotonic()
        if now < self._enough_until:
            return False
        ages = (SHORT_OF_WORKERS_SECONDS * MICRO, LOST_REQUEST_SECONDS * MICRO)
        if self._call(self._waiting, [self._requested], *map(round, ages)):
            return True
        self._enough_until = now + ENOUGH_WORKERS_SECONDS
        return False

    @property
    def _requested(self) -> str:
        return f"{self._namespace}:asked"

    @property
    def _sole_key(self) -> str:
        return f"{self._namespace}:sole"

    def _key(self, channel_id: str) -> str:
        return f"{self._namespace}:channel:{channel_id}"

    def _call(self, script: Callable[..., Any], keys: Sequence[str], *arguments: object) -> Any:
        try:
            return script(keys=keys, args=arguments)
        except RedisError as error:
            raise LimiterUnavailable(f"the upload pace cannot be kept: {type(error).__name__}") from error

    def _run(self, pipeline: Any) -> list[Any]:
        try:
            answers: list[Any] = pipeline.execute()
        except RedisError as error:
            raise LimiterUnavailable(f"the upload pace cannot be kept: {type(error).__name__}") from error
        return answers
