"""How long to leave a file alone after a failure of the moment."""

from __future__ import annotations

import random
from datetime import timedelta

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
#: Share of the wait that is left to chance, so that files which failed together do not come back together.
JITTER = 0.25
#: The longest that the other side can have a file wait: it may ask for years, or its clock be wrong.
LONGEST_ASKED_SECONDS = 3600.0


def backoff(attempts: int, *, asked: float | None = None, longest: float = LONGEST_SECONDS) -> timedelta:
    """The wait after so many failures: twice as long each time, up to five minutes or what is given.

    Args:
        attempts: failures before this one.
        longest: seconds.
        asked: seconds that the other side asked us to wait; never less than those, up to an hour.
    """
    seconds = min(longest, FIRST_SECONDS * 2 ** min(attempts, 20))
    seconds *= 1 + JITTER * random.random()  # noqa: S311 - spreads load, guards nothing
    return timedelta(seconds=max(seconds, min(asked or 0.0, LONGEST_ASKED_SECONDS)))
