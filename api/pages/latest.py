"""What is costly to make, and asked for by many again and again: made for all of them, now and then."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

#: Seconds that the latest is good for; and, of one that is costly, how many times what it cost.
LEAST_SECONDS: Final = 3.0
TIMES_ITS_COST: Final = 20
#: Of so many things the latest is kept.
MOST_KEPT: Final = 200


@dataclass(kw_only=True)
class _Latest(Generic[T]):
    value: T | None = None
    good_until: float = float("-inf")
    making: threading.Lock = field(default_factory=threading.Lock)


class LatestOfEach(Generic[T]):
    """The latest of each thing; so making them takes a twentieth of one thread's time, whoever asks.

    While somebody makes it anew, others get the one before; where there is none, they wait.

    Args:
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, _Latest[T]] = OrderedDict()

    def get(self, key: Any, make: Callable[[], T]) -> T:
        """The latest of one thing.

        Args:
            key: which.
            make: makes it; what it raises is raised here, and nothing is kept.
        """
        latest = self._of(key)
        if (value := latest.value) is not None and self._monotonic() < latest.good_until:
            return value
        if not latest.making.acquire(blocking=value is None):
            return value  # type: ignore[return-value] # it blocks where there is none
        try:
            began = self._monotonic()
            if latest.value is None or began >= latest.good_until:
                latest.value = make()
                now = self._monotonic()
                latest.good_until = now + max(LEAST_SECONDS, TIMES_ITS_COST * (now - began))
            return latest.value
        finally:
            latest.making.release()

    def kept(self, key: Any) -> T | None:
        """What there is of it, however old; None where there is nothing."""
        with self._lock:
            latest = self._kept.get(key)
            return None if latest is None else latest.value

    def _of(self, key: Any) -> _Latest[T]:
        with self._lock:
            latest = self._kept.setdefault(key, _Latest())
            self._kept.move_to_end(key)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return latest
