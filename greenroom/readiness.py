"""When campaigns will be ready: the uploads that are left, how fast they go, and which come first.

A channel uploads files of the earliest send time first. So its uploads are a queue with priorities: once the
uploads of a campaign that is sent sooner begin, those of others wait. Nothing here asks a clock or a table.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from greenroom.clock import LATEST, later

#: Below this share of the allowance, something else than the allowance limits the uploads.
SLOW = 0.7


@dataclass(frozen=True, kw_only=True)
class UploadRate:
    """How fast a channel uploads.

    Attributes:
        per_second: files a second.
        allowed: what the provider allows.
        observed: whether the first was seen in the last minute; else it is what is allowed.
    """

    per_second: float
    allowed: float
    observed: bool


@dataclass(frozen=True, kw_only=True)
class PendingUploads:
    """Uploads of one channel that have one send time.

    Attributes:
        send_at: when they are sent.
        start: from when they may be uploaded.
        files: how many are left.
    """

    send_at: datetime
    start: datetime
    files: int


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """When a campaign will be ready, as far as arithmetic can say.

    Attributes:
        left: uploads that the campaign waits for, at most: of files that nobody looked at yet, each counts.
        rate: how fast its channel uploads.
        start: when its uploads begin, or began.
        send_at: when it is sent.
        ready_at: when the last of its files is uploaded; None while its channel is paused.
        paused: why its channel is paused; empty if it is not.
    """

    left: int
    rate: UploadRate
    start: datetime
    send_at: datetime
    ready_at: datetime | None
    paused: str = ""

    @property
    def at_risk(self) -> bool:
        """Whether some file will not be ready when the campaign is sent."""
        return self.left > 0 and (self.ready_at is None or self.ready_at > self.send_at)

    def what_helps(self, *, now: datetime) -> tuple[str, ...]:
        """What can be done about a risk, a sentence each."""
        if not self.at_risk:
            return ()
        if self.ready_at is None:
            return ("Put right why its channel is paused, and resume it: greenroom channel resume CHANNEL",)
        sentences = []
        if self.start > now:
            sentences.append("Let its uploads begin sooner: give an earlier upload_from.")
        if self.rate.observed and self.rate.per_second < SLOW * self.rate.allowed:
            sentences.append(
                f"Its channel uploads {self.rate.per_second:.1f} files a second of the {self.rate.allowed:g} "
                "that are allowed: send smaller files, or give the workers a faster line or machine."
            )
        else:
            sentences.append("Send a part of its files on another number, which has an allowance of its own.")
        sentences.append("Move it, or a campaign of the same number that comes before it, to a later time.")
        return tuple(sentences)


def of_all(channels: Collection[Readiness]) -> Readiness:
    """Of a campaign on several channels: it is ready when the last of them is.

    All uploads count that are left on any; whatever else is said is said of the last one.
    """
    last = max(channels, key=lambda one: (one.left > 0, one.ready_at or LATEST))
    return replace(last, left=sum(one.left for one in channels))


def finish_times(
    jobs: Iterable[PendingUploads], *, now: datetime, per_second: float
) -> dict[datetime, datetime]:
    """When the last file of each send time is uploaded.

    Args:
        jobs: all of one channel.
        now: the present.
        per_second: files a second, more than zero.
    """
    starts = sorted((max(job.start, now), job.send_at, job.files) for job in jobs if job.files > 0)
    # Read from its end.
    starts.reverse()
    left: defaultdict[datetime, float] = defaultdict(float)
    queue: list[datetime] = []
    finished: dict[datetime, datetime] = {}
    at = now
    while starts or queue:
        if not queue:
            at = max(at, starts[-1][0])
        while starts and starts[-1][0] <= at:
            _, send_at, files = starts.pop()
            if not left[send_at]:
                heapq.heappush(queue, send_at)
            left[send_at] += files
        first = queue[0]
        end = later(at, timedelta(seconds=left[first] / per_second))
        if starts and starts[-1][0] < end:
            done = (starts[-1][0] - at).total_seconds() * per_second
            # More than nothing: of a moment, microseconds are kept alone.
            left[first] = max(left[first] - done, 1e-6)
            at = starts[-1][0]
        else:
            del left[heapq.heappop(queue)]
            finished[first] = at = end
    return finished
