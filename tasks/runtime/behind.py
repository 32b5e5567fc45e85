"""How a machine's clock stands to that of Redis: leases hold for the one and are over for the other.

A worker whose clock was set back by hours would write leases that are over for all others, who would put its
work back and do it again: it lets them hold for as much longer. One whose clock is ahead is no matter of the
writer's (:mod:`tasks.sweep`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from greenroom.clock import Clock, SystemClock

#: What the way to Redis and back may take is no difference between clocks.
SLACK = timedelta(seconds=2)


class Behind:
    """What was seen last."""

    def __init__(self) -> None:
        self._seen = timedelta(0)

    @property
    def by(self) -> timedelta:
        """By how much; nothing, where that may be the way alone."""
        return self._seen if self._seen > SLACK else timedelta(0)

    def note(self, clock: Clock, redis_time: tuple[int, int]) -> bool:
        """Compare the worker's clock with Redis's; returns whether it was set back since.

        Args:
            clock: the worker's own.
            redis_time: seconds and microseconds, as ``TIME`` answers.
        """
        before, self._seen = self._seen, moment_of_redis(clock, redis_time) - clock.now()
        return self._seen > max(before, timedelta(0)) + SLACK


def moment_of_redis(clock: Clock, redis_time: tuple[int, int]) -> datetime:
    """Redis's time; beside a clock that a test moves, which it says nothing about, that clock's own."""
    if not isinstance(clock, SystemClock):
        return clock.now()
    seconds, micros = redis_time
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
