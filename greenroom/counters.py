"""What this process counts: uploads, failures, how long answers take; an addition in memory each time.

Counts are kept until whoever writes them down takes them (:mod:`tasks.runtime.heartbeat`, every few seconds,
into Redis, where all processes' counts add up; `greenroom metrics` shows them to Prometheus). Names and units
are those that Prometheus asks for: what is counted ends in ``_total``, times are in seconds.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Between a count's name and the values of its labels, where they are written as one text. No channel and no
#: reason has it.
FIELD_SEPARATOR: Final = "\t"
#: Upper bounds of the classes of a histogram of seconds; what is above the last has none.
BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BOUNDS: Final = (*map(str, BUCKETS), "+Inf")
#: Sums of seconds are kept in whole millionths: adding them up loses nothing.
MILLIONTHS: Final = 1_000_000
#: The ends of a histogram's names: how many in a class, and the sum of all.
BUCKET, SUM = "_bucket", "_sum"


#: A count's name, and the values of its labels.
Key = tuple[str, ...]


class ProcessCounts:
    """The counts of one process since they were taken last; many threads add to them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, int] = {}

    def add(self, key: Key, count: int = 1) -> None:
        """Add to one of them."""
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + count

    def put_back(self, counts: Mapping[Key, int]) -> None:
        """What was taken could not be written down."""
        for key, count in counts.items():
            self.add(key, count)

    def take(self) -> dict[Key, int]:
        """All that is above 0, which counts as written down from now on."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return {key: count for key, count in counts.items() if count}


#: Of this process, whoever counts in it.
COUNTS: Final = ProcessCounts()


@dataclass(frozen=True, kw_only=True)
class CounterFamily:
    """Something that is counted, by the values of its labels.

    Attributes:
        name: as Prometheus has it.
        help: a sentence for whoever reads the number.
        labels: their names; whoever counts gives a value for each, of which there are few.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def add(self, *values: str, count: int = 1) -> None:
        """Count."""
        COUNTS.add((self.name, *values), count)


@dataclass(frozen=True, kw_only=True)
class SecondsFamily:
    """Something that takes its time, as a histogram.

    Attributes:
        name: as Prometheus has it, ending in ``_seconds``.
        help: a sentence for whoever reads the numbers.
    """

    name: str
    help: str

    def add(self, seconds: float) -> None:
        """Count one that took so long."""
        COUNTS.add((self.name + BUCKET, _BOUNDS[bisect_left(BUCKETS, seconds)]))
        COUNTS.add((self.name + SUM,), round(seconds * MILLIONTHS))


UPLOADS: Final = CounterFamily(
    name="greenroom_uploads_total",
    help="Files that the provider gave a media ID for, renewals included.",
    labels=("channel",),
)
UPLOAD_SECONDS: Final = SecondsFamily(
    name="greenroom_upload_duration_seconds",
    help="From the moment at which an upload may be sent to the provider's answer, whichever it is.",
)
THROTTLED: Final = CounterFamily(
    name="greenroom_throttled_total",
    help="Uploads that the provider answered with 429: too many on this number.",
    labels=("channel",),
)
PROVIDER_ERRORS: Final = CounterFamily(
    name="greenroom_provider_errors_total",
    help="Requests that the provider refused or did not answer, by endpoint and by class of error.",
    labels=("endpoint", "error"),
)
GIVEN_UP: Final = CounterFamily(
    name="greenroom_uploads_given_up_total",
    help="Files that are not uploaded any more, for good.",
)
ACCEPTED: Final = CounterFamily(
    name="greenroom_files_accepted_total", help="Files that inspection accepted, one for each line."
)
REJECTED: Final = CounterFamily(
    name="greenroom_files_rejected_total",
    help="Files that inspection rejected, by reason, one for each line.",
    labels=("reason",),
)
RECOVERED: Final = CounterFamily(
    name="greenroom_claims_recovered_total",
    help="Claims of silent or dead workers that were put back, by what they had claimed.",
    labels=("work",),
)
COUNTERS: Final = (UPLOADS, THROTTLED, PROVIDER_ERRORS, GIVEN_UP, ACCEPTED, REJECTED, RECOVERED)
