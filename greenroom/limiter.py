"""The pace of every channel, kept in Redis so that all processes and machines share it.

"Media Uploads (POST /media): a limit of 25 requests per second per phone number." (360dialog, Constraints.)

Each channel has one key: the moment, in microseconds of Redis's own clock, of the next slot that nobody has
taken. Taking slots is one atomic script (GCRA with a burst of one): it moves that moment on and says how long
to wait, so that callers sleep without asking again and nothing ever polls. Slots are never given out twice:

* The key does not expire. There is one small key (about 100 bytes) for each channel that ever uploaded.
* A key that is missing (a new channel, or a wiped Redis that cannot know what was sent a moment ago) begins
  :data:`COLD_START_SECONDS` from now.
* While Redis is away nothing may be sent at all.

Works on Redis 6 and later and on Valkey, clustered too: each script touches a single key.

Why :data:`DEFAULT_PACE_PER_SECOND` is what it is: slots keep their distance, arrivals do not. A window of one
second takes a 26th arrival once jitter eats up ``25 / pace - 1`` seconds. Arrivals beyond the 25th within a
second, of all arrivals, at a loopback server; two processes of 8 threads uploading 50 KB, two cores kept busy
by 4 to 6 other processes, runs of 12 and 30 s; the jitter is a random delay after the slot:

=====  ==========  ============  =================  ==========================================
pace   slack       30 ms jitter  50 ms jitter       50 ms, without throwing missed slots away
=====  ==========  ============  =================  ==========================================
24.5   20 ms       3 of 866      19 of 897          -
24.0   42 ms       0 of 828      17 of 1,533        18 of 697
23.5   64 ms       0 of 889      1 of 1,561         1 of 682
23.0   87 ms       0 of 895      0 of 1,570         0 of 668
=====  ==========  ============  =================  ==========================================

Throwing missed slots away costs rate where the machine cannot keep up: at 23.5, 20.6 to 23.5 arrivals a
second in those runs, and 23.5 on a machine with time to spare. A network known to jitter by 50 ms wants 23.0.
To reproduce: ``python -m benchmarks.limiter_jitter --burners 4 --jitter-ms 50 --seconds 30``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from greenroom.errors import LimiterUnavailable, NoSlotInTime

#: "A limit of 25 requests per second (RPS) per phone number."
PROVIDER_LIMIT_PER_SECOND = 25
#: Slots given out in a second.
DEFAULT_PACE_PER_SECOND = 23.5
#: Where nothing is known of the last second, it is taken to have been full.
COLD_START_SECONDS = 1.0
#: The longest that one answer of the provider can hold a channel back.
LONGEST_PUSH_BACK_SECONDS = 600.0
#: Nobody is given a slot further away than this.
FURTHEST_SLOT_SECONDS = 900.0
#: Slots that one call may take, and fewer where they would reach beyond :data:`ABSURD_SECONDS`.
MOST_SLOTS = 1000
#: A slot stored further away than this was never given out: the clock of Redis has been set back.
ABSURD_SECONDS = 1800.0

_FIRST_RETRY_SECONDS = 0.05
_LONGEST_RETRY_SECONDS = 2.0
# On a machine so busy that every wake-up is late, a slot is used all the same in the end.
_MOST_MISSED_SLOTS = 5
_MICRO = 1_000_000

# Answers {given, slot, now}. Numbers of 16 digits are exact in Lua, but its tostring() would round them.
_NEXT_FREE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cold, absurd = tonumber(ARGV[1]), tonumber(ARGV[2])
local slot = tonumber(redis.call('GET', KEYS[1]) or '')
if not slot or slot ~= slot or slot > now + absurd then slot = now + cold end
if slot < now then slot = now end
"""
_RESERVE = (
    _NEXT_FREE
    + """
local span, within = tonumber(ARGV[3]), tonumber(ARGV[4])
if slot > now + within or slot + span > now + absurd then return {0, slot, now} end
redis.call('SET', KEYS[1], string.format('%.0f', slot + span))
return {1, slot, now}
"""
)
_LOOK = _NEXT_FREE + "return {1, slot, now}"
_PUSH_BACK = (
    _NEXT_FREE
    + """
local earliest = now + tonumber(ARGV[3])
if slot < earliest then slot = earliest end
redis.call('SET', KEYS[1], string.format('%.0f', slot))
return {1, slot, now}
"""
)


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """One or more consecutive slots, taken.

    Attributes:
        slot: the moment of the first, in microseconds of Redis's clock.
        now: what that clock showed when the slot was given out.
    """

    slot: int
    now: int

    @property
    def wait(self) -> float:
        """Seconds from then to the first slot."""
        return (self.slot - self.now) / _MICRO


class Limiter:
    """Hands out the slots of all channels; may be used by many threads at once."""

    def __init__(
        self,
        redis: Redis,
        *,
        pace: float = DEFAULT_PACE_PER_SECOND,
        namespace: str = "greenroom",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the scripts; Redis is not asked yet.

        Args:
            redis: a client. Give it time-outs, and few retries of its own: :meth:`wait` retries.
            pace: slots a second on each channel.
            namespace: what the keys begin with.
            monotonic: seconds on a clock that never jumps.

        Raises:
            ValueError: the pace is not a positive number.
        """
        if not (math.isfinite(pace) and pace > 0):
            raise ValueError(f"the pace must be a positive number of slots a second, not {pace}")
        #: Microseconds between two slots, rounded up.
        self.interval = math.ceil(_MICRO / pace)
        #: Seconds after which a slot has been missed: a third of what may be lost before a window of one
        #: second takes one arrival more than the provider allows.
        self.lateness = max(PROVIDER_LIMIT_PER_SECOND * self.interval / _MICRO - 1, 0.006) / 3
        self._namespace = namespace
        self._monotonic = monotonic
        self._reserve = redis.register_script(_RESERVE)
        self._push_back = redis.register_script(_PUSH_BACK)
        self._look = redis.register_script(_LOOK)

    def reserve(self, channel_id: str, slots: int = 1) -> float:
        """Take consecutive slots, and say how many seconds to wait for the first.

        The others follow at intervals of ``1 / pace``. Slots that are not used are lost, harmlessly.

        Raises:
            LimiterUnavailable: Redis could not be asked. (It may have given out the slots.)
            NoSlotInTime: the next free slot is more than :data:`FURTHEST_SLOT_SECONDS` away.
            ValueError: not between 1 and :data:`MOST_SLOTS` slots.
        """
        return self.take(channel_id, slots).wait

    def take(self, channel_id: str, slots: int = 1, *, within: float = FURTHEST_SLOT_SECONDS) -> Reservation:
        """As :meth:`reserve`, but no slots more than ``within`` seconds away, and with their moment."""
        if not 1 <= slots <= MOST_SLOTS:
            raise ValueError(f"between 1 and {MOST_SLOTS} slots can be taken at once, not {slots}")
        within = min(max(within, 0.0), FURTHEST_SLOT_SECONDS)
        given, slot, now = self._ask(self._reserve, channel_id, slots * self.interval, round(within * _MICRO))
        reservation = Reservation(slot=slot, now=now)
        if not given:
            raise NoSlotInTime(
                f"the next free upload slot of {channel_id} is {reservation.wait:.1f} s away",
                retry_after=reservation.wait,
            )
        return reservation

    def delay(self, channel_id: str) -> float:
        """Seconds to the channel's next free slot, which is not taken.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        _, slot, now = self._ask(self._look, channel_id)
        return Reservation(slot=slot, now=now).wait

    def push_back(self, channel_id: str, seconds: float) -> None:
        """Hold the channel back after a 429: no slot sooner than in ``seconds``.

        Never brings a slot nearer. At most :data:`LONGEST_PUSH_BACK_SECONDS` count. Slots that have been
        taken already are not taken back.

        Raises:
            LimiterUnavailable: Redis could not be asked.
        """
        bounded = min(seconds, LONGEST_PUSH_BACK_SECONDS) if seconds > 0 else 0.0
        self._ask(self._push_back, channel_id, round(bounded * _MICRO))

    def wait(self, channel_id: str, *, timeout: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take a slot and sleep until it comes; on return, send at once.

        A slot that is slept through (the machine was busy) is thrown away, and another one taken: sending
        late would press the request against those of the slots that follow.

        Args:
            channel_id: whose slot.
            timeout: seconds that this may take altogether.
            sleep: sleeps for a number of seconds.

        Raises:
            NoSlotInTime: there is no free slot within the time-out; none was taken.
            LimiterUnavailable: Redis was away until the time-out was over. Nothing may be sent.
        """
        give_up_at = self._monotonic() + timeout
        for _ in range(_MOST_MISSED_SLOTS):
            asked_at, reservation = self._take_patiently(channel_id, give_up_at, sleep)
            sleep(max(0.0, reservation.wait))
            # Redis looked at its clock no sooner than we asked, so this is the most that we can be late.
            if self._monotonic() - asked_at - reservation.wait <= self.lateness:
                return

    def _take_patiently(
        self, channel_id: str, give_up_at: float, sleep: Callable[[float], None]
    ) -> tuple[float, Reservation]:
        """Take a slot, asking again while Redis is away; with the moment of asking."""
        pause = _FIRST_RETRY_SECONDS
        while True:
            asked_at = self._monotonic()
            try:
                return asked_at, self.take(channel_id, within=give_up_at - asked_at)
            except LimiterUnavailable:
                left = give_up_at - self._monotonic()
                if left <= 0:
                    raise
            sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)

    def _ask(self, script: Callable[..., Any], channel_id: str, *arguments: int) -> tuple[bool, int, int]:
        bounds = (round(COLD_START_SECONDS * _MICRO), round(ABSURD_SECONDS * _MICRO))
        key = f"{self._namespace}:next-slot:{channel_id}"
        try:
            given, slot, now = script(keys=[key], args=[*bounds, *arguments])
        except RedisError as error:
            raise LimiterUnavailable(f"the upload pace cannot be kept: {type(error).__name__}") from error
        return bool(given), int(slot), int(now)
