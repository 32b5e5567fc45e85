"""FFmpeg's filters between an audio decoder and an encoder: without gaps, in the right rate and channels."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av

#: Seconds that audio may come late before silence fills the time; below, the filters make up for it.
_LATE: Final = 0.1
#: Formats whose middle is 128.
_UNSIGNED: Final = ("u8", "u8p")


class AudioFilter:
    """Audio of any kind in, frames of an encoder's size and kind out, which count from 0 without a gap.

    Args:
        context: the encoder.
        frame_size: samples that the encoder wants at once.

    Attributes:
        filled: seconds of silence that were put in.
    """

    def __init__(self, context: Any, frame_size: int) -> None:
        self._context, self._frame_size = context, frame_size
        self._graph: Any = None
        self._made_for: tuple[object, ...] = ()
        self._ready: Any = av.AudioFifo()
        self._came = self._went = 0  # samples of the encoder's rate
        self._due = 0.0  # seconds at which the next audio is expected
        self.filled = 0.0

    def feed(self, frame: Any | None) -> Iterator[Any]:
        """What comes out for a stretch of audio, or at the end (None)."""
        if frame is None:
            self._flush()
            yield from self._pulled(partial=True)
            return
        shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        if shape != self._made_for:  # broadcasts go from stereo to surround and back
            self._flush()
            self._graph, self._made_for = self._made(frame), shape
        for silence in self._missing(frame):
            self._graph.push(silence)
            self._collect()
            yield from self._pulled()
        self._graph.push(frame)
        self._collect()
        self._due = float(frame.pts * frame.time_base) + frame.samples / frame.sample_rate
        yield from self._pulled()

    def _missing(self, frame: Any) -> Iterator[Any]:
        """Silence until a frame is due, a second at a time."""
        late = float(frame.pts * frame.time_base) - self._due
        if late <= _LATE:
            return
        self.filled += late
        left, at = round(late * frame.sample_rate), round(self._due * frame.sample_rate)
        while left > 0:
            samples = min(left, frame.sample_rate)
            yield _silence(frame, samples, at)
            left, at = left - samples, at + samples

    def _flush(self) -> None:
        if self._graph is not None:
            self._graph.push(None)
            self._collect()
            self._graph, self._made_for = None, ()

    def _collect(self) -> None:
        """Take what has come through the filters."""
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            self._came += frame.samples
            frame.pts = None
            self._ready.write(frame)

    def _pulled(self, *, partial: bool = False) -> Iterator[Any]:
        """Whole frames for the encoder, and at the end what is left."""
        while (frame := self._ready.read(self._frame_size, partial=partial)) is not None:
            frame.pts, frame.time_base = self._went, Fraction(1, self._context.sample_rate)
            self._went += frame.samples
            yield frame

    def _made(self, frame: Any) -> Any:
        graph: Any = av.filter.Graph()
        last = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=Fraction(1, frame.sample_rate),
        )
        # Each graph goes on where the one before it ended, the first at 0.
        start = round(self._came * frame.sample_rate / self._context.sample_rate)
        context = self._context
        kind = (
            f"{context.format.name}:sample_rates={context.sample_rate}:channel_layouts={context.layout.name}"
        )
        for name, options in (
            ("aresample", f"async=1:first_pts={start}"),
            ("aformat", f"sample_fmts={kind}"),
        ):
            step = graph.add(name, options)
            last.link_to(step)
            last = step
        last.link_to(graph.add("abuffersink"))
        graph.configure()
        return graph


def _silence(like: Any, samples: int, at: int) -> Any:
    """Nothing to hear, of the same kind as a frame."""
    frame: Any = av.AudioFrame(format=like.format.name, layout=like.layout.name, samples=samples)
    nothing = b"\x80" if like.format.name in _UNSIGNED else b"\x00"
    for plane in frame.planes:
        plane.update(nothing * plane.buffer_size)
    frame.sample_rate, frame.pts, frame.time_base = like.sample_rate, at, Fraction(1, like.sample_rate)
    return frame
