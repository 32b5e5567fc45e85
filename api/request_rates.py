"""How often each token may come: so many requests a minute, of which a minute's worth may come at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from api.refusals import TooManyRequests


@dataclass
class _Bucket:
    """What is left of a token's allowance, at a moment."""

    left: float
    at: float


class RequestRates:
    """A bucket for each token, filled by and by; of this process alone.

    Args:
        per_minute: requests.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, *, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / 60
        self._monotonic = monotonic
        self._buckets: dict[int, _Bucket] = {}

    def take(self, token_id: int) -> None:
        """Count a request.

        Raises:
            TooManyRequests: the allowance is used up.
        """
        now = self._monotonic()
        bucket = self._buckets.setdefault(token_id, _Bucket(left=self._most, at=now))
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left < 1:
            after = math.ceil((1 - bucket.left) / self._per_second)
            raise TooManyRequests(
                f"This token may make {self._most:,.0f} requests a minute. Come again in {after} s, and ask "
                "for more at a time.",
                retry_after=after,
            )
        bucket.left -= 1
