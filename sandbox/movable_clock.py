"""The sandbox's clock: real time plus an offset that only grows, so that 30 days pass in no time."""

from __future__ import annotations

import time


class MovableClock:
    """Tells the time of the sandbox's own world; not thread-safe, it lives in the server's event loop."""

    def __init__(self, *, offset_seconds: float = 0.0) -> None:
        self._offset = offset_seconds

    @property
    def offset_seconds(self) -> float:
        """How far the sandbox is ahead of the real world, in seconds."""
        return self._offset

    def advance(self, seconds: float) -> None:
        """Let seconds pass at once.

        Raises:
            ValueError: time would run backwards.
        """
        if seconds < 0:
            raise ValueError("the sandbox's clock only goes forward")
        self._offset += seconds

    def now(self) -> float:
        """Wall clock: seconds since 1970, UTC."""
        return time.time() + self._offset

    def stamp(self, moment: float | None = None) -> float:
        """Seconds on a clock that nobody sets back; good for distances only.

        Args:
            moment: of `time.monotonic`; the present, where it is not given.
        """
        return (time.monotonic() if moment is None else moment) + self._offset
