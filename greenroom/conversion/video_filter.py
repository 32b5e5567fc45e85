"""FFmpeg's filters between decoder and encoder: upright, not interlaced, the right size and colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import av

#: Transfer functions of HDR (ITU-T H.273): PQ and HLG. Shown as they are, SDR screens make them grey.
HDR: Final = frozenset({16, 18})
#: Options that bring HDR down to the colours of common screens (BT.709), darkening what is too bright.
_SDR: Final = "out_range=tv:out_primaries=bt709:out_transfer=bt709:out_color_matrix=bt709:intent=perceptual"
_UNSAID: Final = 2
_TURNS: Final[dict[int, tuple[str, ...]]] = {
    90: ("transpose=cclock",),
    180: ("hflip", "vflip"),
    270: ("transpose=clock",),
}


class VideoFilter:
    """Frames of any kind in, frames of one size in yuv420p out.

    Args:
        size: width and height of what comes out.
        turn: degrees to the left that the frame is to be turned by.
        interlaced: whether its frames are made of two halves.
    """

    def __init__(self, size: tuple[int, int], *, turn: int = 0, interlaced: bool = False) -> None:
        self._size, self._turn, self._interlaced = size, turn, interlaced
        self._graph: Any = None
        self._made_for: tuple[object, ...] = ()

    def feed(self, frame: Any | None) -> Iterator[Any]:
        """What comes out for a frame, or at the end (None)."""
        if frame is None:
            yield from self._flushed()
            return
        shape = (frame.width, frame.height, frame.format.name, frame.color_trc, frame.time_base)
        if shape != self._made_for:  # some streams change their size on the way
            yield from self._flushed()
            self._graph, self._made_for = self._made(frame), shape
        self._graph.vpush(frame)
        yield from self._pulled()

    def _flushed(self) -> Iterator[Any]:
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pulled()
            self._graph, self._made_for = None, ()

    def _pulled(self) -> Iterator[Any]:
        while True:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield frame

    def _made(self, frame: Any) -> Any:
        graph: Any = av.filter.Graph()
        last = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        names = [
            *(("bwdif=mode=send_frame:deint=interlaced",) if self._interlaced else ()),
            *_TURNS.get(self._turn, ()),
            *_scaled(frame, self._size),
            "setsar=1",
            "format=yuv420p",
        ]
        for name in names:
            kind, _, options = name.partition("=")
            step = graph.add(kind, options or None)
            last.link_to(step)
            last = step
        last.link_to(graph.add("buffersink"))
        graph.configure()
        return graph


def _scaled(frame: Any, size: tuple[int, int]) -> Iterator[str]:
    """The filters that bring a frame to its size and its colours to those of common screens."""
    scale = f"scale={size[0]}:{size[1]}:flags=bicubic"
    if frame.color_trc in HDR:
        # First small, then its colours: a tenth of the work. The table of colours takes some seconds, once.
        yield scale
        yield f"format={frame.format.name}"
        yield f"{scale}:{_SDR}"
    elif frame.colorspace == _UNSAID and not frame.format.is_rgb:
        yield f"{scale}:out_range=tv"  # what is not said is kept as it is, and still not said
    else:
        yield f"{scale}:out_range=tv:out_color_matrix=bt709"
