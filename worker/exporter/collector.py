"""Metrics of one look, for `prometheus_client`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import Metric

from greenroom import __version__
from models.gauges import ChannelGauges, Gauges
from worker.exporter import families
from worker.exporter.channel_metrics import INSPECTION, UPLOAD, ChannelMetrics
from worker.exporter.counted import counted_metrics
from worker.exporter.families import gauge_metric, plain_gauge
from worker.exporter.reading import Reading, RedisState
from worker.exporter.watching import LivingProcesses

#: Channels that are shown by themselves: those that were added first, so that none changes its series.
MOST_CHANNELS = 1_000


class ReadingCollector:
    """Turns the latest look into metrics; `prometheus_client` calls :meth:`collect`."""

    def __init__(self, *, allowed: float, database: str, most_channels: int = MOST_CHANNELS) -> None:
        """Prepare; nothing was looked at yet.

        Args:
            allowed: uploads a second on one channel.
            database: what sort of database it is.
            most_channels: channels that are shown by themselves.
        """
        self._allowed = allowed
        self._database = database
        self._most_channels = most_channels
        self._processes = LivingProcesses()
        self._of_channels = ChannelMetrics(allowed=allowed, most_channels=most_channels)
        self._channels: Sequence[ChannelGauges] = ()
        self._metrics: list[Metric] = []

    def take_in(self, reading: Reading) -> None:
        """Show this from now on."""
        self._metrics = list(self._of(reading))

    def collect(self) -> Iterable[Metric]:
        """All metrics of the latest look."""
        return self._metrics

    def _of(self, reading: Reading) -> Iterator[Metric]:
        yield gauge_metric(families.BUILD, [((__version__, self._database), 1)])
        yield plain_gauge(families.DATABASE_UP, reading.gauges is not None)
        yield plain_gauge(families.REDIS_UP, reading.redis is not None)
        yield plain_gauge(families.LOOK_SECONDS, reading.seconds)
        yield plain_gauge(families.ALLOWED, self._allowed)
        if reading.gauges is not None:
            # Where the database is away, those of before are known.
            self._channels = reading.gauges.channels
            yield from self._of_channels.metrics(self._channels, now=reading.at.timestamp())
            yield from _of_tables(reading.gauges)
        if reading.redis is not None:
            named = [one.channel_id for one in self._channels[: self._most_channels]]
            rest = len(self._channels) > self._most_channels
            yield from counted_metrics(reading.redis.counts, named, rest=rest)
            yield from self._of_redis(reading.redis)

    def _of_redis(self, state: RedisState) -> Iterator[Metric]:
        yield plain_gauge(families.PROCESSES, self._processes.count(state.heartbeats))
        if state.last_tick is not None:
            yield plain_gauge(families.LAST_TICK, state.last_tick.timestamp())
        if state.queued:
            yield gauge_metric(families.QUEUED, [((queue,), count) for queue, count in state.queued.items()])


def _of_tables(gauges: Gauges) -> Iterator[Metric]:
    claimed = [((INSPECTION,), gauges.inspecting), ((UPLOAD,), gauges.uploading)]
    yield gauge_metric(families.CLAIMED, claimed)
    yield plain_gauge(families.FAILED, gauges.failed)
    yield plain_gauge(families.ORPHANS, gauges.possible_orphans)
    yield plain_gauge(families.AT_RISK, gauges.campaigns_at_risk)
    yield gauge_metric(families.MEDIA, [((state,), count) for state, count in gauges.media.items()])
    if gauges.next_end is not None:
        yield plain_gauge(families.NEXT_END, gauges.next_end.timestamp())
