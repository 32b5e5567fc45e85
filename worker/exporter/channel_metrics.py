"""How things stand on each channel; those for which there is no room are shown together, as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import Metric

from models.gauges import ChannelGauges, WaitingFiles
from worker.exporter import families
from worker.exporter.families import GaugeFamily, gauge_metric
from worker.exporter.watching import FirstFiles

#: What stands for all channels that are not shown by themselves.
OTHER = "other"
#: The two sorts of work that files wait for.
INSPECTION, UPLOAD = WORK = ("inspection", "upload")
#: Channels by the name under which they are shown.
Groups = Mapping[str, Sequence[ChannelGauges]]


class ChannelMetrics:
    """Makes metrics of channels, look after look."""

    def __init__(self, *, allowed: float, most_channels: int) -> None:
        """Prepare.

        Args:
            allowed: uploads a second on one channel.
            most_channels: channels that are shown by themselves.
        """
        self._allowed = allowed
        self._most_channels = most_channels
        self._first_files = FirstFiles()

    def metrics(self, channels: Sequence[ChannelGauges], *, now: float) -> Iterator[Metric]:
        """Of all channels, in an order that puts none of them elsewhere when another one is added.

        Args:
            channels: as they are now.
            now: the present, a timestamp.
        """
        groups: defaultdict[str, list[ChannelGauges]] = defaultdict(list)
        for number, one in enumerate(channels):
            groups[one.channel_id if number < self._most_channels else OTHER].append(one)
        yield from _backlog(groups)
        yield self._oldest(groups, now=now)
        # Of many channels, the one that takes longest: each has its own allowance.
        yield _each(families.BACKLOG_WORK, groups, lambda one: _files(one) / self._allowed, max)
        yield _each(families.PAUSED, groups, lambda one: float(one.paused), sum)
        yield _each(families.LOOKUPS_LEFT, groups, lambda one: float(one.lookups_left), min)

    def _oldest(self, groups: Groups, *, now: float) -> Metric:
        shown_as = {one.channel_id: name for name, group in groups.items() for one in group}
        first_ids = {
            (one.channel_id, work): _waiting(one, work).first_id
            for group in groups.values()
            for one in group
            for work in WORK
            if _waiting(one, work).files
        }
        oldest: dict[tuple[str, str], float] = {}
        for (channel_id, work), since in self._first_files.since(first_ids, now=now).items():
            key = shown_as[channel_id], work
            oldest[key] = min(since, oldest.get(key, since))
        return gauge_metric(families.BACKLOG_OLDEST, oldest.items())


def _backlog(groups: Groups) -> Iterator[Metric]:
    files = {
        (name, work): sum(_waiting(one, work).files for one in group)
        for name, group in groups.items()
        for work in WORK
    }
    yield gauge_metric(families.BACKLOG, files.items())
    due = {
        name: [one.uploads.due_at.timestamp() for one in group if one.uploads.due_at is not None]
        for name, group in groups.items()
    }
    yield gauge_metric(
        families.BACKLOG_DUE, [((name,), min(moments)) for name, moments in due.items() if moments]
    )


def _each(
    family: GaugeFamily,
    groups: Groups,
    value: Callable[[ChannelGauges], float],
    together: Callable[[Iterator[float]], float],
) -> Metric:
    return gauge_metric(family, [((name,), together(map(value, group))) for name, group in groups.items()])


def _waiting(channel: ChannelGauges, work: str) -> WaitingFiles:
    return channel.inspections if work == INSPECTION else channel.uploads


def _files(channel: ChannelGauges) -> int:
    return channel.inspections.files + channel.uploads.files
