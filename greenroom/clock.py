"""The time, as an argument: aware UTC from the system, or from a clock that a test moves."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

#: Moments that come from outside lie between these: no campaign is planned beyond them, and whatever is added
#: to one, or taken from it, is still a moment.
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved; for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = require_aware(start)

    def now(self) -> datetime:
        """The moment this clock was last set to."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the clock, forward or back."""
        self._now += by


def require_aware(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: the datetime is naive, so nobody can know which moment it means; or it lies so near to the
            end of the calendar that UTC has none for it.
    """
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; add one, for example +00:00 for UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} is no moment in UTC") from None


def require_plausible(moment: datetime) -> datetime:
    """The same moment in UTC, for one that comes from outside.

    Raises:
        ValueError: as :func:`require_aware`; or it is not between :data:`EARLIEST` and :data:`LATEST`.
    """
    aware = require_aware(moment)
    if not EARLIEST <= aware <= LATEST:
        raise ValueError(f"must lie between the years {EARLIEST:%Y} and {LATEST:%Y}")
    return aware


def later(moment: datetime, by: timedelta) -> datetime:
    """The moment so much later, and :data:`LATEST` at the latest.

    For what is worked out from rows: one that is older than the bounds above must not stop a task for all.
    """
    return LATEST if by >= LATEST - moment else moment + by


def boottime() -> float:
    """Seconds on a clock that never jumps and, where the system has one, goes on while the machine sleeps.

    What is shared with others (ownership, connections) grows old while this process or its machine stands
    still; `time.monotonic` stands still with a suspended machine on Linux.
    """
    return time.clock_gettime(_BOOTTIME)


_BOOTTIME: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
