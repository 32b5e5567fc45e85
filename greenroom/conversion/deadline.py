"""A bound on the time that one file may take."""

from __future__ import annotations

import time
from collections.abc import Callable

from greenroom.errors import CannotFix


class Deadline:
    """Gives up once its time is over; converters ask between two frames or packets.

    Args:
        seconds: time from now.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minutes = seconds / 60
        self._end = clock() + seconds

    def check(self) -> None:
        """Continue, or give up.

        Raises:
            CannotFix: the time is over.
        """
        if self._clock() > self._end:
            raise CannotFix(
                f"Fixing this file takes more than {self._minutes:.0f} minutes. "
                "Convert it with a video editor, or shorten it."
            )
