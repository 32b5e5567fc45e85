"""What workers counted, as Prometheus has it: each series that there can be, from 0 on, and no other.

A count that is missing until something happens has no increase when it does; so all are there from the
start. What stands in Redis and is none of ours is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from greenroom.counters import (
    BUCKET,
    BUCKETS,
    COUNTERS,
    FIELD_SEPARATOR,
    MILLIONTHS,
    SUM,
    UPLOAD_SECONDS,
    CounterFamily,
    SecondsFamily,
)
from greenroom.errors import AnswerLost, ProviderAway, ProviderUnavailable
from greenroom.provider.error_table import TABLE, Endpoint, ProviderAnswer
from greenroom.reasons import Reason
from worker.exporter.channel_metrics import OTHER, WORK


def _error_names() -> list[str]:
    """All classes that a failed request to the provider can have."""
    answered = {type(row.becomes(ProviderAnswer(endpoint=Endpoint.UPLOAD, status=0))) for row in TABLE}
    return sorted(kind.__name__ for kind in {*answered, AnswerLost, ProviderAway, ProviderUnavailable})


#: The values of each label but a channel's.
VALUES: dict[str, Sequence[str]] = {
    "endpoint": [endpoint.name.lower() for endpoint in Endpoint],
    "error": _error_names(),
    "reason": [str(reason) for reason in Reason],
    "work": WORK,
}


def counted_metrics(counts: Mapping[str, int], channels: Collection[str], *, rest: bool) -> Iterator[Metric]:
    """All of them.

    Args:
        counts: by name and labels, as in Redis.
        channels: those that are shown by themselves.
        rest: whether there are others, which are shown as one.
    """
    shown = {channel: channel for channel in channels}
    every = [*channels, OTHER] if rest else [*channels]
    for family in COUNTERS:
        yield _counter(family, counts, lambda channel: shown.get(channel, OTHER), every)
    yield _histogram(UPLOAD_SECONDS, counts)


def _counter(
    family: CounterFamily,
    counts: Mapping[str, int],
    shown_as: Callable[[str], str],
    channels: Sequence[str],
) -> Metric:
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    found: Counter[tuple[str, ...]] = Counter()
    for field, count in counts.items():
        name, *labels = field.split(FIELD_SEPARATOR)
        if name == family.name and len(labels) == len(family.labels):
            pairs = zip(family.labels, labels, strict=True)
            found[tuple(shown_as(value) if label == "channel" else value for label, value in pairs)] += count
    possible = [channels if label == "channel" else VALUES[label] for label in family.labels]
    for values in product(*possible):
        metric.add_metric(values, found[values])
    return metric


def _histogram(family: SecondsFamily, counts: Mapping[str, int]) -> Metric:
    total = 0
    buckets = []
    for bound in [*map(str, BUCKETS), "+Inf"]:
        total += counts.get(f"{family.name}{BUCKET}{FIELD_SEPARATOR}{bound}", 0)
        buckets.append((bound, total))
    seconds = counts.get(family.name + SUM, 0) / MILLIONTHS
    return HistogramMetricFamily(family.name, family.help, buckets=buckets, sum_value=seconds)
