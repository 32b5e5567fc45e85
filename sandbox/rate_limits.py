"""The provider's limits as sliding windows, fed with explicit stamps: no clock and no network in here."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass

#: "Media Uploads (POST /media): A limit of 25 requests per second (RPS) per phone number."
UPLOADS_PER_SECOND = 25
#: Arrivals are remembered for so long, for those that a busy server sees late.
SEEN_LATE_SECONDS = 60.0


class SlidingSecond:
    """Counts every arrival, answered or refused, in the second that ends with it.

    Attributes:
        peak: the most arrivals that any sliding second has held so far.
    """

    def __init__(self, allowed: int = UPLOADS_PER_SECOND) -> None:
        self._allowed = allowed
        self._arrivals: list[float] = []
        self.peak = 0

    def arrive(self, stamp: float) -> bool:
        """Count an arrival and say whether it is within the limit.

        Args:
            stamp: seconds; may be smaller than at the call before, by less than :data:`SEEN_LATE_SECONDS`:
                what arrived first is not always seen first.
        """
        insort(self._arrivals, stamp)
        del self._arrivals[: bisect_right(self._arrivals, self._arrivals[-1] - SEEN_LATE_SECONDS)]
        ends = self._arrivals[bisect_left(self._arrivals, stamp) : bisect_left(self._arrivals, stamp + 1.0)]
        self.peak = max(self.peak, *map(self._held, ends), 0)
        return self._held(stamp) <= self._allowed

    def _held(self, end: float) -> int:
        """How many arrived in the second that ends with this moment."""
        return bisect_right(self._arrivals, end) - bisect_right(self._arrivals, end - 1.0)


@dataclass(frozen=True, kw_only=True)
class ErrorRule:
    """One of the page's two rules about failed look-ups.

    Attributes:
        allowed: errors that a window may hold; one more starts the penalty.
        window_seconds: length of the sliding window.
        penalty_seconds: how long look-ups are then blocked.
        counts_refusals: whether a look-up refused by a block counts as an error.
        may_count_uploads: whether its words may mean uploads that failed, too.
        source: the page's own words.
    """

    allowed: int
    window_seconds: float
    penalty_seconds: float
    counts_refusals: bool
    may_count_uploads: bool
    source: str


ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        allowed=20,
        window_seconds=60 * 60,
        penalty_seconds=30 * 60,
        counts_refusals=True,  # the answer to a blocked look-up is an "error response"
        may_count_uploads=False,  # "Media Retrieval (GET /<media_id>)"
        source="Error Threshold: 20 error responses within a 60-minute window. Penalty: [...] 30 minutes.",
    ),
    ErrorRule(
        allowed=5,
        window_seconds=60 * 60,
        penalty_seconds=60 * 60,
        counts_refusals=False,  # a blocked look-up never reached the endpoint, so it did not fail there
        may_count_uploads=True,  # "failed requests to the /media endpoint", which takes uploads
        source="exceeds five (5) failed requests to the /media endpoint within one hour [...] for one hour",
    ),
)


class RuleWatch:
    """One rule for one number. A block is never lengthened while it runs: the page gives it a fixed term."""

    def __init__(self, rule: ErrorRule) -> None:
        self.rule = rule
        # The oldest of the last allowed + 1 errors tells whether the window holds too many.
        self._errors: deque[float] = deque(maxlen=rule.allowed + 1)
        self._blocked_until = float("-inf")

    def blocked_until(self, now: float) -> float | None:
        """When the running block ends (seconds on the caller's clock), or None where none runs."""
        return self._blocked_until if now < self._blocked_until else None

    def error(self, now: float, *, refusal: bool) -> None:
        """Count an error response; begin the penalty where it is one too many."""
        if refusal and not self.rule.counts_refusals:
            return
        self._errors.append(now)
        if self._exceeded(now) and self.blocked_until(now) is None:
            self._blocked_until = now + self.rule.penalty_seconds

    def _exceeded(self, now: float) -> bool:
        full = len(self._errors) == self._errors.maxlen
        return full and self._errors[0] > now - self.rule.window_seconds


class LookupThrottle:
    """Both rules for one number; the later end counts where both have blocked it."""

    def __init__(self, rules: tuple[ErrorRule, ...] = ERROR_RULES) -> None:
        self._watches = [RuleWatch(rule) for rule in rules]

    def blocked_until(self, now: float) -> float | None:
        """When look-ups work again (seconds on the caller's clock), or None where they work now."""
        ends = [end for watch in self._watches if (end := watch.blocked_until(now)) is not None]
        return max(ends, default=None)

    def failed(self, now: float) -> None:
        """A look-up was answered with an error."""
        for watch in self._watches:
            watch.error(now, refusal=False)

    def upload_failed(self, now: float) -> None:
        """An upload was answered with an error, and is to count where a rule's words may mean so."""
        for watch in self._watches:
            if watch.rule.may_count_uploads:
                watch.error(now, refusal=False)

    def refused(self, now: float) -> None:
        """A look-up was refused because of a block."""
        for watch in self._watches:
            watch.error(now, refusal=True)
