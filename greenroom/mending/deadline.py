"""A bound on the time that one file may take."""

from __future__ import annotations

import time
from collections.abc import Callable

from greenroom.errors import CannotMend


class Deadline:
    """Gives up once its time is over; menders ask between two pictures or packets.

    Args:
        seconds: time from now.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minutes = seconds / 60
        self._end = clock() + seconds

    def check(self) -> None:
        """Go on, or give up.

        Raises:
            CannotMend: the time is over.
        """
        if self._clock() > self._end:
            raise CannotMend(
                f"Mending this file takes more than {self._minutes:.0f} minutes. "
                "Convert it with a video editor, or shorten it."
            )
