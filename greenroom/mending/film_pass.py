"""One pass over a file: every packet of the chosen streams goes through its track into the new file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from greenroom.errors import CannotMend
from greenroom.inspection.words import human_time
from greenroom.mending.film_source import CUT_SHORT, Film, opened
from greenroom.mending.job import Job
from greenroom.mending.tracks import Track

#: Share of the play time that has to come out, beyond a second.
_WHOLE: Final = 0.9

Build = Callable[[Any, Any], dict[int, Track]]


class TooLarge(Exception):
    """What was written is over the limit."""


def run(job: Job, film: Film, out: Any, build: Build, *, limit: int) -> None:
    """Fill a file.

    Args:
        job: what to read, and for how long.
        film: what is known of it.
        out: the open file.
        build: makes the tracks, by the index of the original's streams, from the new file and the original.
        limit: bytes that may be written.

    Raises:
        TooLarge: more would have to be written.
        CannotMend: the original is damaged or cut short, or the time is over.
    """
    written = 0
    with opened(job.path) as source:
        tracks = build(out, source)
        for packet in source.demux([source.streams[index] for index in tracks]):
            job.deadline.check()
            for made in tracks[packet.stream.index].feed(packet):
                written += made.size
                out.mux(made)
            if written > limit:
                raise TooLarge
        for track in tracks.values():
            for made in track.finish():
                written += made.size
                out.mux(made)
    if written > limit:
        raise TooLarge
    _whole(film, max((track.seconds for track in tracks.values()), default=0.0))


def _whole(film: Film, seconds: float) -> None:
    """Refuse what stops long before the file says that it does."""
    if seconds <= 0:
        raise CannotMend("Nothing in this file could be played. Export it again.")
    if film.indexed and seconds < film.seconds * _WHOLE - 1:
        raise CannotMend(CUT_SHORT.format(human_time(seconds), human_time(film.seconds)))
