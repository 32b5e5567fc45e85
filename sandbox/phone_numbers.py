"""What the sandbox keeps of each phone number: its two limits and its counts, since this process began."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.rate_limits import LookupThrottle, SlidingSecond

#: Seconds with arrivals that are remembered: a day of uploading without a pause.
_SECONDS_REMEMBERED = 24 * 60 * 60
#: Failed statuses that are remembered of a number.
FAILED_REMEMBERED = 10_000


@dataclass(kw_only=True)
class Counts:
    """How often each thing happened to one number.

    Attributes:
        arrivals: requests to ``POST /media``, whatever became of them.
        uploads: those that were accepted and given an ID.
        duplicates: accepted ones whose content and type the number had uploaded before: it arrived twice.
        throttled: those beyond 25 in a second.
        rejected: those refused for what they held.
        aborted: those that the client gave up before the body's end.
        lookups: requests to ``GET /{media-id}``.
        lookup_errors: those answered with an error, other than by a block.
        lookups_blocked: those refused by a block.
        downloads: requests for a media URL, whatever became of them.
        deletes: media deleted.
        messages: messages that were taken.
        messages_refused: those answered with an error.
        messages_failed: those that were taken, and failed later.
        faults: requests that met a fault set by a test.
    """

    arrivals: int = 0
    uploads: int = 0
    duplicates: int = 0
    throttled: int = 0
    rejected: int = 0
    aborted: int = 0
    lookups: int = 0
    lookup_errors: int = 0
    lookups_blocked: int = 0
    downloads: int = 0
    deletes: int = 0
    messages: int = 0
    messages_refused: int = 0
    messages_failed: int = 0
    faults: int = 0


@dataclass(kw_only=True)
class PhoneNumber:
    """One phone number, known by its API key.

    Attributes:
        api_key: never logged.
        counts: what happened.
        second: arrivals of uploads in the sliding second.
        lookups: the two rules about failed look-ups.
        failed: the statuses of the last messages that failed after they were taken.
    """

    api_key: str
    counts: Counts = field(default_factory=Counts)
    second: SlidingSecond = field(default_factory=SlidingSecond)
    lookups: LookupThrottle = field(default_factory=LookupThrottle)
    failed: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=FAILED_REMEMBERED))
    _per_second: deque[list[int]] = field(default_factory=lambda: deque(maxlen=_SECONDS_REMEMBERED))

    def upload_arrives(self, stamp: float, *, since_start: float) -> bool:
        """Count a request to ``POST /media`` and say whether it is within the limit.

        Args:
            stamp: seconds, on the clock that distances are measured with.
            since_start: seconds since the sandbox began.
        """
        self.counts.arrivals += 1
        second = int(since_start)
        if self._per_second and self._per_second[-1][0] == second:
            self._per_second[-1][1] += 1
        else:
            self._per_second.append([second, 1])
        return self.second.arrive(stamp)

    def report(self, *, now: float, media: int) -> dict[str, Any]:
        """The counts as JSON has them.

        Args:
            now: seconds since 1970.
            media: how many media the number has now.
        """
        return {
            **asdict(self.counts),
            "peak_rps": self.second.peak,
            "media": media,
            "blocked_until": self.lookups.blocked_until(now),
            "arrivals_per_second": [list(pair) for pair in self._per_second],
        }
