"""An exporter that looks at a test's world; fixtures for whoever imports them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from greenroom.counters import COUNTS
from tasks.runtime.context import Context
from tasks.runtime.counter_store import WRITE_EVERY
from tasks.runtime.heartbeat import Heartbeat
from tests.support.world import World
from worker.exporter.collector import ReadingCollector
from worker.exporter.reading import read_all

#: Values by name and labels, in the text's own order of labels.
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Scraper:
    """Scrapes what one context leads to, each time as if the last look were old."""

    def __init__(self, context: Context, *, most_channels: int = 1_000) -> None:
        self._context = context
        self._heartbeat = Heartbeat(context)
        self._collector = ReadingCollector(
            allowed=context.settings.uploads_per_second,
            database=context.database.dialect,
            most_channels=most_channels,
        )
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._collector)

    def text(self) -> str:
        """What Prometheus gets, once all that was counted is written down."""
        for _ in range(WRITE_EVERY):
            self._heartbeat.beat()
        context = self._context
        self._collector.take_in(read_all(context.settings, context.database, context.redis, context.clock))
        return generate_latest(self._registry).decode()

    def samples(self) -> Samples:
        """The same, read."""
        return {
            (sample.name, tuple(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }


@pytest.fixture
def scraper(world: World, nothing_counted: None) -> Scraper:  # noqa: ARG001 - before the world counts
    """Of a world with one channel."""
    return Scraper(world.context)


@pytest.fixture
def nothing_counted() -> Iterator[None]:
    """What earlier tests of this process counted is none of ours."""
    COUNTS.take()
    yield
    COUNTS.take()


def value(samples: Samples, name: str, **labels: str) -> float | None:
    """The value of one series; None where it is not there."""
    return samples.get((name, tuple(labels.items())))
