"""The counts of all processes, added up in Redis: a field for each count, in one hash."""

from __future__ import annotations

from typing import Any

from redis import Redis

from greenroom.counters import COUNTS, FIELD_SEPARATOR, Key

#: In Redis: what was counted since it was set up.
COUNTS_KEY = "greenroom:counts"
#: Heartbeats from one writing of this process's counts to the next.
WRITE_EVERY = 5


class CountWriter:
    """Hands the counts of this process to Redis, together with what is asked of it anyway."""

    def __init__(self) -> None:
        self._beats = 0
        self._unsure: dict[Key, int] = {}

    def add_to(self, pipeline: Any, *, now: bool = False) -> None:
        """Put the counts into a pipeline, if it is time.

        Args:
            pipeline: of Redis.
            now: whether or not it is.
        """
        self._beats += 1
        if now or self._beats >= WRITE_EVERY:
            self._beats = 0
            self._unsure = COUNTS.take()
            for key, count in self._unsure.items():
                pipeline.hincrby(COUNTS_KEY, FIELD_SEPARATOR.join(key), count)

    def written(self) -> None:
        """The pipeline went through."""
        self._unsure = {}

    def failed(self) -> None:
        """It may not have: the counts go with a later one. What came through after all counts twice."""
        COUNTS.put_back(self._unsure)
        self._unsure = {}


def read_counts(redis: Redis) -> dict[str, int]:
    """All counts, by name and labels; what is none of ours is left out."""
    found: dict[Any, Any] = redis.hgetall(COUNTS_KEY)
    return {field.decode(errors="replace"): int(count) for field, count in found.items() if count.isdigit()}
