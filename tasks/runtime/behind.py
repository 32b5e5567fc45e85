"""How far a machine's clock is behind that of Redis: leases hold as long as if it were not.

A worker whose clock was set back by hours would write leases that are over for all others, who would put its
work back and do it again. One whose clock is ahead is no matter of the writer's (:mod:`tasks.sweep`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from greenroom.clock import Clock, SystemClock

#: What the way to Redis and back may take is no difference between clocks.
SLACK = timedelta(seconds=2)


class Behind:
    """What was seen last."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def note(self, clock: Clock, redis_time: tuple[int, int]) -> bool:
        """Compare the machine's clock, and no other, with Redis's; returns whether it was set back since.

        Args:
            clock: the worker's own.
            redis_time: seconds and microseconds, as ``TIME`` answers.
        """
        if not isinstance(clock, SystemClock):
            return False
        seconds, micros = redis_time
        by = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros) - clock.now()
        by = by if by > SLACK else timedelta(0)
        set_back = by > self.by + SLACK
        self.by = by
        return set_back
