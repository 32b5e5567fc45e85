"""How long an answer takes: nothing, always the same, or spread as networks spread it."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Self

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")
#: How many standard deviations the lower and the upper bound lie from the middle.
_BOUND_DEVIATIONS = 2.0
_DICE = random.SystemRandom()


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds between a request's end and its answer.

    A range is log-normal: its middle is the geometric mean of the bounds (50ms-1500ms: 274 ms), about 95 of
    100 answers fall between the bounds, and the few beyond are given the bound itself. So most answers are
    quick and some are very slow, as on a real network.

    Attributes:
        low: seconds of the quickest answer.
        high: seconds of the slowest.
    """

    low: float = 0.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError("latency: the first bound is above the second; write for example 50ms-1500ms")
        if self.low == 0 < self.high:
            raise ValueError("latency: a range begins above zero; write for example 1ms-50ms")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``0``, ``80ms``, ``1.5s`` or ``50ms-1500ms``.

        Raises:
            ValueError: with a sentence on what to write instead.
        """
        low, dash, high = text.partition("-")
        first = _seconds(low, text)
        return cls(low=first, high=_seconds(high, text) if dash else first)

    def sample(self) -> float:
        """Seconds that the next answer shall take."""
        if self.low == self.high:
            return self.low
        middle = (math.log(self.low) + math.log(self.high)) / 2
        deviation = (math.log(self.high) - math.log(self.low)) / (2 * _BOUND_DEVIATIONS)
        return min(max(_DICE.lognormvariate(middle, deviation), self.low), self.high)


def _seconds(part: str, whole: str) -> float:
    match = _TIME.fullmatch(part.strip())
    if match is None or (match[2] is None and float(match[1]) != 0):
        raise ValueError(f"latency: {whole!r} is not understood; write 0, 80ms, 1.5s or 50ms-1500ms")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)
