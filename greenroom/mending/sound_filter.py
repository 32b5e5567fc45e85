"""FFmpeg's filters between a sound decoder and an encoder: without gaps, in the right rate and channels."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av


class SoundFilter:
    """Sound of any kind in, frames of an encoder's size and kind out.

    Args:
        context: the encoder.
        frame_size: samples that the encoder wants at once.
    """

    def __init__(self, context: Any, frame_size: int) -> None:
        self._context, self._frame_size = context, frame_size
        self._graph: Any = None
        self._made_for: tuple[object, ...] = ()

    def feed(self, frame: Any | None) -> Iterator[Any]:
        """What comes out for a stretch of sound, or at the end (None)."""
        if frame is None:
            yield from self._flushed()
            return
        shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        if shape != self._made_for:  # broadcasts go from stereo to surround and back
            yield from self._flushed()
            self._graph, self._made_for = self._made(frame), shape
        self._graph.push(frame)
        yield from self._pulled()

    def _flushed(self) -> Iterator[Any]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pulled()
            self._graph, self._made_for = None, ()

    def _pulled(self) -> Iterator[Any]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield frame

    def _made(self, frame: Any) -> Any:
        graph: Any = av.filter.Graph()
        last = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=Fraction(1, frame.sample_rate),
        )
        # The first graph starts at the film's start, with silence if the sound comes later.
        start = ":first_pts=0" if not self._made_for else ""
        context = self._context
        kind = (
            f"{context.format.name}:sample_rates={context.sample_rate}:channel_layouts={context.layout.name}"
        )
        for name, options in (
            ("aresample", f"async=1{start}"),
            ("aformat", f"sample_fmts={kind}"),
            ("asetnsamples", f"n={self._frame_size}:p=0"),
        ):
            step = graph.add(name, options)
            last.link_to(step)
            last = step
        last.link_to(graph.add("abuffersink"))
        graph.configure()
        return graph
