"""The metrics that are read at each scrape, by Prometheus's rules for names and units.

What workers count is in :data:`greenroom.counters.COUNTERS`. No label is a campaign, a file or a media ID: of
those there is no end. Of channels there are some thousand at most, and the exporter shows a part of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric


@dataclass(frozen=True, kw_only=True)
class GaugeFamily:
    """Something that goes up and down.

    Attributes:
        name: as Prometheus has it.
        help: a sentence for whoever reads the number.
        labels: their names.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


DATABASE_UP: Final = GaugeFamily(
    name="greenroom_database_up", help="1 where the database answered at the last look, 0 where it did not."
)
REDIS_UP: Final = GaugeFamily(
    name="greenroom_redis_up", help="1 where Redis answered at the last look, 0 where it did not."
)
LOOK_SECONDS: Final = GaugeFamily(
    name="greenroom_exporter_read_seconds",
    help="How long the exporter's last look at the database and at Redis took.",
)
BACKLOG: Final = GaugeFamily(
    name="greenroom_backlog_files",
    help="Files that wait and are with no worker: to be inspected, to be uploaded.",
    labels=("channel", "work"),
)
BACKLOG_OLDEST: Final = GaugeFamily(
    name="greenroom_backlog_oldest_timestamp_seconds",
    help="Since when the file that came first has been waiting, as far as this exporter has been watching.",
    labels=("channel", "work"),
)
BACKLOG_DUE: Final = GaugeFamily(
    name="greenroom_backlog_due_timestamp_seconds",
    help="When the first of the files that wait for upload is sent, or the ID that it replaces ends.",
    labels=("channel",),
)
BACKLOG_WORK: Final = GaugeFamily(
    name="greenroom_backlog_work_seconds",
    help="How long all files that wait on a channel take at its full allowance.",
    labels=("channel",),
)
ALLOWED: Final = GaugeFamily(
    name="greenroom_uploads_allowed_per_second", help="Uploads in any second on one channel, by the settings."
)
CLAIMED: Final = GaugeFamily(
    name="greenroom_claimed_files", help="Files that workers have claimed.", labels=("work",)
)
FAILED: Final = GaugeFamily(name="greenroom_failed_files", help="Files whose upload was given up.")
ORPHANS: Final = GaugeFamily(
    name="greenroom_possible_orphans",
    help="Uploads that may have arrived though no answer came: IDs at the provider that nobody has.",
)
MEDIA: Final = GaugeFamily(
    name="greenroom_media",
    help="Media IDs: in service, replaced and to be deleted, deleted and not yet dropped.",
    labels=("state",),
)
NEXT_END: Final = GaugeFamily(
    name="greenroom_media_next_end_timestamp_seconds",
    help="When the next media ID ends that a campaign needs. Missing where none is needed.",
)
AT_RISK: Final = GaugeFamily(
    name="greenroom_campaigns_at_risk", help="Campaigns that will not be ready when they are sent."
)
PAUSED: Final = GaugeFamily(
    name="greenroom_channel_paused", help="1 for a channel that is paused.", labels=("channel",)
)
LOOKUPS_LEFT: Final = GaugeFamily(
    name="greenroom_lookup_failures_left",
    help="Look-ups that may still fail within the hour before there are no more.",
    labels=("channel",),
)
LAST_TICK: Final = GaugeFamily(
    name="greenroom_beat_last_tick_timestamp_seconds",
    help="When a worker last did what beat asks for. Missing where none ever did.",
)
PROCESSES: Final = GaugeFamily(
    name="greenroom_worker_processes", help="Processes of workers that say that they live."
)
QUEUED: Final = GaugeFamily(
    name="greenroom_queue_messages",
    help="Messages that no worker has taken. Missing where the broker is another one than Redis.",
    labels=("queue",),
)
GAUGES: Final = (
    *(DATABASE_UP, REDIS_UP, LOOK_SECONDS, BACKLOG, BACKLOG_OLDEST, BACKLOG_DUE, BACKLOG_WORK, ALLOWED),
    *(CLAIMED, FAILED, ORPHANS, MEDIA, NEXT_END, AT_RISK, PAUSED, LOOKUPS_LEFT, LAST_TICK, PROCESSES),
    QUEUED,
)
#: A constant 1 whose labels say what runs.
BUILD: Final = GaugeFamily(
    name="greenroom_build_info", help="Which version runs, on which database.", labels=("version", "database")
)


def gauge_metric(family: GaugeFamily, values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """The family with these values, by those of its labels."""
    metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in values:
        metric.add_metric(labels, value)
    return metric


def plain_gauge(family: GaugeFamily, value: float) -> Metric:
    """The family, which has no labels, with its value."""
    return gauge_metric(family, [((), value)])
