"""Files with odd clocks, made of good ones, and what becomes of a clock when a file is decoded."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

#: The kind of stream ("audio", "video"), the packet's number in it and its seconds in; the seconds that it is
#: moved to and how long it is to last (None: as it is), or None to leave it out.
Change = Callable[[str, int, float], tuple[float, float | None] | None]


def remuxed(data: bytes, form: str, change: Change, *, options: Mapping[str, str] | None = None) -> bytes:
    """The same packets in a file whose clock is another one."""
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(data), "r") as source,
        av.open(target, "w", format=form, options=dict(options or {"fflags": "+bitexact"})) as out,
    ):
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        counts = dict.fromkeys(streams, 0)
        for packet in source.demux():
            if packet.pts is None or not packet.size:
                continue
            number, counts[packet.stream.index] = counts[packet.stream.index], counts[packet.stream.index] + 1
            moved = change(packet.stream.type, number, float(packet.pts * packet.time_base))
            if moved is None:
                continue
            _move(packet, *moved)
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    return target.getvalue()


def _move(packet: Any, at: float, lasting: float | None) -> None:
    """Put a packet at a second; its ticks are fine enough for every container."""
    ticks = Fraction(1, 90_000)
    moved = round(at / ticks) - round(packet.pts * packet.time_base / ticks)
    pts, dts = (round(value * packet.time_base / ticks) + moved for value in (packet.pts, packet.dts))
    duration = packet.duration * packet.time_base if lasting is None else lasting
    packet.time_base, packet.pts, packet.dts, packet.duration = ticks, pts, dts, round(duration / ticks)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Seconds of one stream as it is decoded.

    Attributes:
        first: when its first frame is due.
        end: of its last frame; of images, when the last one is due.
        gap: the longest time between the end of a frame and the next one.
        back: the longest step back.
        decoded: seconds of audio, or the number of images.
        frame: the longest frame of audio.
    """

    first: float
    end: float
    gap: float
    back: float
    decoded: float
    frame: float


def clock(path: Path, kind: str) -> Clock:
    """Decode the first stream of a kind, and look at the clock of what comes out."""
    due: list[tuple[float, float]] = []
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        frame: Any
        for frame in container.decode(stream):
            lasting = frame.samples / frame.sample_rate if isinstance(frame, av.AudioFrame) else 0.0
            assert frame.pts is not None
            assert frame.time_base is not None
            due.append((float(frame.pts * frame.time_base), lasting))
    steps = [at - (before + lasting) for (before, lasting), (at, _) in pairwise(due)]
    return Clock(
        first=due[0][0],
        end=due[-1][0] + due[-1][1],
        gap=max(steps, default=0.0),
        back=max(0.0, -min(steps, default=0.0)),
        decoded=sum(lasting for _, lasting in due) if kind == "audio" else len(due),
        frame=max(lasting for _, lasting in due),
    )
