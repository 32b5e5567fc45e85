"""One pass over a file: packets of the chosen streams go through tracks into a new one, or are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import av

from greenroom.conversion.job import ConversionJob
from greenroom.conversion.probe import CUT_SHORT, ProbedFile, open_container
from greenroom.conversion.timeline import Timeline
from greenroom.conversion.tracks import CannotCopy, OutputStream
from greenroom.errors import CannotFix
from greenroom.figures import human_time

#: Share of the play time that has to come out, beyond a second.
_WHOLE: Final = 0.9

Build = Callable[[Any, Any], dict[int, OutputStream]]


class TooLarge(Exception):
    """What was written is over the limit."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What had to be done to the clock.

    Attributes:
        silence: seconds that were put where there was no audio.
        jumps: that were closed.
    """

    silence: float
    jumps: int


def transcode(job: ConversionJob, probed: ProbedFile, out: Any, build: Build, *, limit: int) -> Passed:
    """Fill a file.

    Args:
        job: what to read, and for how long.
        probed: what is known of it.
        out: the open file.
        build: makes the tracks, by the index of the original's streams, from the new file and the original.
        limit: bytes that may be written.

    Raises:
        TooLarge: more would have to be written.
        CannotCopy: a stream cannot be kept as it is.
        CannotFix: the original is damaged or cut short, or the time is over.
    """
    written = 0
    with open_container(job.path) as source:
        tracks, clock = build(out, source), Timeline(source, probed.start)
        for packet in source.demux([source.streams[index] for index in tracks]):
            job.deadline.check()
            clock.set(packet)
            for made in tracks[packet.stream.index].feed(packet):
                written += _write(out, made)
            if written > limit:
                raise TooLarge
        for track in tracks.values():
            for made in track.finish():
                written += _write(out, made)
    if written > limit:
        raise TooLarge
    if all(track.seconds <= 0 for track in tracks.values()):
        raise CannotFix("Nothing in this file could be played. Export it again.")
    _whole(probed, clock.claimed)
    return Passed(silence=sum(track.filled for track in tracks.values()), jumps=clock.jumps)


def _write(out: Any, packet: Any) -> int:
    size = int(packet.size)
    try:
        out.mux(packet)
    except av.FFmpegError as error:
        raise CannotCopy from error
    return size


def _whole(probed: ProbedFile, seconds: float) -> None:
    """Refuse what stops long before the file says that it does."""
    if probed.indexed and seconds < probed.seconds * _WHOLE - 1:
        raise CannotFix(CUT_SHORT.format(human_time(seconds), human_time(probed.seconds)))


def measured(job: ConversionJob, probed: ProbedFile, indexes: Iterable[int]) -> tuple[float, int]:
    """Play time and bytes of streams, by reading all of their packets."""
    size = 0
    with open_container(job.path) as source:
        clock = Timeline(source, probed.start)
        for packet in source.demux([source.streams[index] for index in indexes]):
            job.deadline.check()
            clock.set(packet)
            size += packet.size
    return clock.seconds, size
