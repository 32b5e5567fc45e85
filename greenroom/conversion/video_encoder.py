"""The H.264 encoder and the MP4 file around it; the only place that knows the encoders' options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from greenroom.conversion.job import ConversionJob
from greenroom.conversion.video_filter import VideoFilter
from greenroom.conversion.video_plan import MAX_VIDEO, VideoPlan
from greenroom.errors import CannotFix

Frames = Iterator[Any]

#: No version and no time of its own, and the index in front.
_MP4: Final = {"movflags": "+faststart", "fflags": "+bitexact"}
#: Constant quality, of which 23 is the encoder's own middle; one thread, on whose number the bytes depend.
_H264: Final = {"preset": "faster", "profile": "main", "crf": "23", "bf": "0", "threads": "1"}
#: A file may come out a little over its plan; each further try aims lower.
SHARES: Final = (1.0, 0.88, 0.7)


@dataclass(frozen=True, kw_only=True)
class ColourDescription:
    """What the encoder is told of colours, in the numbers of ITU-T H.273; 2 is "not said"."""

    primaries: int = 1
    transfer: int = 1
    matrix: int = 1


@contextmanager
def mp4(path: Path) -> Iterator[Any]:
    """An MP4 file to write streams to."""
    with av.open(f"file:{path.absolute()}", "w", format="mp4", options=dict(_MP4)) as out:
        yield out


class H264Encoder:
    """One video's frames on their way into a file.

    Args:
        out: the open file.
        plan: its size, rate and bits.
        look: its colours.
    """

    def __init__(self, out: Any, plan: VideoPlan, colours: ColourDescription) -> None:
        options = {**_H264, "maxrate": str(plan.bits), "bufsize": str(plan.buffer)}
        self.stream = out.add_stream(
            "libx264", rate=Fraction(plan.rate).limit_denominator(1001), options=options
        )
        self.stream.width, self.stream.height = plan.size
        self.stream.pix_fmt = "yuv420p"
        context = self.stream.codec_context
        context.time_base = Fraction(1, plan.ticks)
        context.color_range, context.colorspace = 1, colours.matrix
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        self._last = -1
        self.ticks = plan.ticks

    def finish(self, lasting: float | None = None) -> list[Any]:
        """The last packets; the last frame is shown for so many seconds, or as long as the others."""
        packets = list(self.stream.encode(None))
        if packets and lasting is not None:
            packets[-1].duration = round(lasting * self.ticks)
        return packets

    def encode(self, frame: Any) -> list[Any]:
        """Packets for a frame; one that is out of order is left out."""
        pts = int(frame.pts * frame.time_base * self.ticks)
        if pts <= self._last:
            return []
        self._last = frame.pts = pts
        frame.time_base = Fraction(1, self.ticks)
        frame.pict_type = 0  # what the original used as a key frame means nothing here
        return list(self.stream.encode(frame))


def write_silent_video(
    job: ConversionJob,
    plan: VideoPlan,
    colours: ColourDescription,
    frames: Callable[[], Frames],
    *,
    lasting: float,
) -> None:
    """Write frames as a video without audio.

    Args:
        job: where to.
        plan: size and bits.
        colours: colours.
        frames: makes the frames, as often as it is asked.
        lasting: seconds that the last frame is shown.

    Raises:
        CannotFix: it is over the limit whatever is tried.
    """
    for share in SHARES:
        tried = VideoPlan(
            size=plan.size, rate=plan.rate, bits=int(plan.bits * share), audio_bits=0, channels=0
        )
        with mp4(job.out) as out:
            encoder = H264Encoder(out, tried, colours)
            video_filter = VideoFilter(plan.size)
            for frame in frames():
                for filtered in video_filter.feed(frame):
                    out.mux(encoder.encode(filtered))
            out.mux(encoder.finish(lasting))
        if job.out.stat().st_size <= MAX_VIDEO:
            return
    raise CannotFix("This animation is over WhatsApp's limit for videos whatever is tried. Make it shorter.")
