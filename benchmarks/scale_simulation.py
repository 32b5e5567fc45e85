"""A fleet of numbers in simulated time: campaigns come at random, batches queue for processes and servers.

What is simulated is what the arithmetic leaves out: queues. A number is idle for a random time, then uploads
a campaign of a random length. While it does, each second brings a batch of as many files as its pace, unless
the batch before it is not through yet. A batch passes, in this order and waiting wherever all are busy:
PostgreSQL (its claims), inspection, an upload process, Redis, and PostgreSQL (its IDs). A tick of the
dispatcher takes one inspection process and PostgreSQL, for a time that grows with the channels that are
active. Same seed, same result.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from random import Random

from benchmarks.scale_arithmetic import PACE, SOMETIMES, TICK_SECONDS, Fleet, Needs
from benchmarks.scale_costs import UnitCosts

#: Seconds for which a campaign uploads on average: some 2,000 files.
CAMPAIGN_SECONDS = 80.0
#: Batches that are simulated, whatever the fleet.
BATCHES = 1_000_000
#: A batch comes once a second.
BATCH_SECONDS = 1.0
#: Seconds until a batch counts as late: the next one of its number is there.
LATE_SECONDS = 1.0
#: Share of PostgreSQL's work on an upload that is done before it is sent.
BEFORE = 0.5


@dataclass(kw_only=True)
class Station:
    """So many alike that serve whoever has come first.

    Attributes:
        free_at: when each will be free.
        busy: seconds of service given.
        waited: seconds for which somebody waited.
        served: how many.
    """

    free_at: list[float]
    busy: float = 0.0
    waited: float = 0.0
    served: int = 0

    def serve(self, now: float, seconds: float) -> float:
        """Take one who came now; returns when he leaves."""
        start = max(now, self.free_at[0])
        heapq.heapreplace(self.free_at, start + seconds)
        self.busy += seconds
        self.waited += start - now
        self.served += 1
        return start + seconds


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What came of it; cores are those used on average.

    Attributes:
        seconds: simulated.
        active: numbers that uploaded, on average.
        at_most: numbers that uploaded, of which there were more in a hundredth of the time alone.
        uploads: a second.
        upload: cores used in upload processes.
        inspection: in inspection, ticks included.
        redis: in Redis.
        postgres: in PostgreSQL.
        late: the share of batches that took more than a second to pass.
        waited: seconds that a batch waited for an upload process, on average.
    """

    seconds: float
    active: float
    at_most: int
    uploads: float
    upload: float
    inspection: float
    redis: float
    postgres: float
    late: float
    waited: float


@dataclass(kw_only=True)
class _Fleet:
    """Who uploads, and for how long how many did."""

    active: int
    since: float = 0.0
    seconds_at: dict[int, float] = field(default_factory=dict)

    def change(self, now: float, by: int) -> None:
        self.seconds_at[self.active] = self.seconds_at.get(self.active, 0.0) + now - self.since
        self.active += by
        self.since = now


class Simulation:
    """One fleet on so many processes and servers."""

    def __init__(
        self, costs: UnitCosts, fleet: Fleet, needs: Needs, *, seed: int, batches: int = BATCHES
    ) -> None:
        self._costs = costs
        self._fleet = fleet
        self._random = Random(seed)  # noqa: S311 - reproducible, not secret
        self.seconds = batches * BATCH_SECONDS / max(fleet.active, 1e-9)
        self._upload = _station(needs.upload_processes)
        self._inspection = _station(needs.inspection_processes)
        self._postgres = _station(needs.postgres_cores)
        self._redis = [_station(1) for _ in range(needs.redis_servers)]
        self._events: list[tuple[float, int, int, int, float]] = []
        self._order = 0
        self._late = self._batches = 0
        self._idle_seconds = CAMPAIGN_SECONDS * (1 - fleet.duty) / fleet.duty
        self._begins = [0.0] * fleet.numbers
        self._ends = [0.0] * fleet.numbers
        self._active = _Fleet(active=0)

    def run(self) -> Simulated:
        """All of it."""
        for number in range(self._fleet.numbers):
            # As it would be met at any moment: exponential times have no memory.
            if self._random.random() < self._fleet.duty:
                self._begin(number, 0.0)
            else:
                self._add(self._after(self._idle_seconds), _BEGIN, number, 0.0)
        self._add(self._random.random() * TICK_SECONDS, _TICK, 0, 0.0)
        while self._events and self._events[0][0] < self.seconds:
            now, _, what, number, came_at = heapq.heappop(self._events)
            self._happens(now, what, number, came_at)
        self._active.change(self.seconds, 0)
        return self._result()

    def _happens(self, now: float, what: int, number: int, came_at: float) -> None:
        if what == _BEGIN:
            self._begin(number, now)
        elif what == _END:
            self._active.change(now, -1)
            self._add(now + self._after(self._idle_seconds), _BEGIN, number, 0.0)
        elif what == _BATCH:
            if now < self._ends[number] and came_at == self._begins[number]:
                self._add(now, _CLAIM, number, now)
        elif what == _TICK:
            self._tick(now)
        else:
            self._passes(now, what, number, came_at)

    def _begin(self, number: int, now: float) -> None:
        end = now + self._after(CAMPAIGN_SECONDS)
        self._begins[number], self._ends[number] = now, end
        self._active.change(now, 1)
        self._add(end, _END, number, 0.0)
        # Batches fall anywhere into the campaign, so that on average there is one for each second of it.
        self._add(now + self._random.random() * BATCH_SECONDS, _BATCH, number, now)

    def _tick(self, now: float) -> None:
        costs, active = self._costs, self._active.active
        seconds = (costs.tick_ms + active * costs.tick_channel_ms) / 1000
        self._inspection.serve(now, seconds)
        self._postgres.serve(now, (costs.postgres_tick_ms + active * costs.postgres_tick_channel_ms) / 1000)
        self._add(now + TICK_SECONDS, _TICK, 0, 0.0)

    def _passes(self, now: float, what: int, number: int, came_at: float) -> None:
        """Serve a batch where it is; it is at the next place when it leaves."""
        costs, files = self._costs, PACE * BATCH_SECONDS / 1000
        if what == _CLAIM:
            leaves = self._postgres.serve(now, files * costs.postgres_ms * BEFORE)
        elif what == _INSPECT:
            leaves = self._inspection.serve(now, files * costs.inspection_ms)
        elif what == _UPLOAD:
            leaves = self._upload.serve(now, files * costs.upload_ms)
        elif what == _PACE:
            redis = self._redis[number % len(self._redis)]
            leaves = redis.serve(now, files * costs.redis_ms)
        else:
            leaves = self._postgres.serve(now, files * costs.postgres_ms * (1 - BEFORE))
            self._batches += leaves <= self.seconds
            self._late += leaves - came_at > LATE_SECONDS
            if came_at >= self._begins[number]:
                # Of this campaign. Whoever uploads claims more when he has sent what he had.
                again_at = max(came_at + BATCH_SECONDS, leaves)
                self._add(again_at, _BATCH, number, self._begins[number])
            return
        self._add(leaves, what + 1, number, came_at)

    def _add(self, at: float, what: int, number: int, came_at: float) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, what, number, came_at))

    def _after(self, mean: float) -> float:
        return self._random.expovariate(1 / mean) if mean > 0 else 0.0

    def _result(self) -> Simulated:
        seconds, seconds_at = self.seconds, self._active.seconds_at
        return Simulated(
            seconds=seconds,
            active=sum(count * length for count, length in seconds_at.items()) / seconds,
            at_most=_at_most(seconds_at),
            uploads=self._batches * PACE * BATCH_SECONDS / seconds,
            upload=self._upload.busy / seconds,
            inspection=self._inspection.busy / seconds,
            redis=sum(redis.busy for redis in self._redis) / seconds,
            postgres=self._postgres.busy / seconds,
            late=self._late / max(1, self._batches),
            waited=self._upload.waited / max(1, self._upload.served),
        )


#: What happens: a campaign begins or ends, a batch or a tick is due, or a batch is at one of its places.
_BEGIN, _END, _BATCH, _TICK, _CLAIM, _INSPECT, _UPLOAD, _PACE, _RECORD = range(9)


def _station(servers: int) -> Station:
    return Station(free_at=[0.0] * servers)


def _at_most(seconds_at: dict[int, float]) -> int:
    total, below = math.fsum(seconds_at.values()), 0.0
    for count in sorted(seconds_at):
        below += seconds_at[count]
        if below >= total * (1 - SOMETIMES):
            return count
    return max(seconds_at)
