"""One clock for all streams of a file: it starts at 0, goes on after a jump and believes no absurd length.

Files count from anywhere: a browser from when its page was opened, a radio stream from when the station went
on air. Their clocks jump where recordings were joined or a broadcast was cut, and wrap. What is fixed counts
from 0, and every second of it has something to be seen or heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import av

#: Seconds that a stream may step back before that is a jump: files round their times.
_BACK: Final = 0.1
#: Seconds without anything that are believed. What is longer is a jump: in a file that lists its times they
#: are rather meant than in a broadcast, whose clock is the sender's. (FFmpeg's own program has 10 for those.)
_LONGEST_PAUSE: Final = 600.0
_LONGEST_IN_BROADCASTS: Final = 10.0
#: Seconds that a packet may claim to last where its neighbours do not last as long.
_LONGEST_FRAME: Final = 10.0
_LONGEST_AUDIO: Final = 1.0


@dataclass(slots=True)
class _Stream:
    """What is known of one stream.

    Attributes:
        tick: seconds of its unit of time.
        frame: seconds that each of its packets lasts by its codec, or 0.
        longest: seconds that a packet may claim to last where its neighbours do not last as long.
        due: seconds on the new clock at which its next packet is expected, or None before the first.
        last: of its last packet.
        step: the longest between two of its packets.
        ahead: how much before it is shown its last key frame was decoded.
        counted: seconds of all its packets.
    """

    tick: float
    frame: float
    longest: float
    due: float | None = None
    last: float | None = None
    step: float = 0.0
    ahead: float = 0.0
    counted: float = 0.0

    def lasting(self, declared: float) -> float:
        """Seconds that a packet lasts: as it says, unless neither codec nor neighbours last as long."""
        if declared <= 0:
            return self.frame
        return declared if declared <= max(self.step, self.longest) else max(self.step, self.frame)


class Timeline:
    """Sets packets to the new file's clock, in the order in which they are read.

    A jump moves all streams by as much, so that video and audio stay together.

    Args:
        container: the original.
        start: seconds at which its clock starts.

    Attributes:
        claimed: seconds that the original says it has had so far, jumps and absurd lengths included.
        jumps: how many were closed.
    """

    def __init__(self, container: Any, start: float) -> None:
        broadcast = container.format.flags & av.format.Flags.ts_discont.value
        self._longest = _LONGEST_IN_BROADCASTS if broadcast else _LONGEST_PAUSE
        self._start = start
        self._offset = -start
        self._streams: dict[int, _Stream] = {}
        self._end = 0.0
        self.claimed = 0.0
        self.jumps = 0

    @property
    def seconds(self) -> float:
        """Play time so far: by the times, or by the lengths of what has no times."""
        return max(self._end, *(stream.counted for stream in self._streams.values()), 0.0)

    def set(self, packet: Any) -> None:
        """Give a packet its times on the new clock, and the length that it can have."""
        stream = self._streams.get(packet.stream.index) or self._met(packet)
        tick, pts, dts = stream.tick, packet.pts, packet.dts
        if pts is not None and dts is not None:
            ahead = (pts - dts) * tick
            if ahead > self._longest:
                packet.dts = dts = None  # FFmpeg takes Matroska's from frames that came before a jump
            elif packet.is_keyframe:
                stream.ahead = ahead
        lasting = self._lasting(packet, stream)
        if dts is not None:
            self._follow(stream, dts * tick, lasting)
        elif pts is not None:
            # Frames are decoded before they are shown; how much before, the last key frame has told.
            self._leap(stream, pts * tick - stream.ahead)
        shift = round(self._offset / tick)
        if pts is not None:
            packet.pts = pts + shift
            self._end = max(self._end, packet.pts * tick + lasting)
        if dts is not None:
            packet.dts = dts + shift

    def _met(self, packet: Any) -> _Stream:
        """Keep a stream in mind that was not met before."""
        frame = frame_of(packet.stream)
        longest = _LONGEST_FRAME if packet.stream.type == "video" else 2 * frame or _LONGEST_AUDIO
        stream = _Stream(tick=float(packet.time_base), frame=frame, longest=longest)
        self._streams[packet.stream.index] = stream
        return stream

    def _lasting(self, packet: Any, stream: _Stream) -> float:
        """Seconds that a packet lasts, which it says from now on."""
        declared = (packet.duration or 0) * stream.tick
        at = packet.pts if packet.dts is None else packet.dts
        if at is not None:
            self.claimed = max(self.claimed, at * stream.tick + declared - self._start)
        lasting = stream.lasting(declared)
        if lasting != declared:
            packet.duration = round(lasting / stream.tick)
        stream.counted += lasting
        return lasting

    def _follow(self, stream: _Stream, original: float, lasting: float) -> None:
        """Go with one stream; where it jumps, all do."""
        at = self._leap(stream, original)
        if stream.last is not None:
            stream.step = max(stream.step, at - stream.last)
        stream.last = at
        stream.due = at + lasting if stream.due is None else max(stream.due, at + lasting)

    def _leap(self, stream: _Stream, original: float) -> float:
        """Where a time is on the new clock, which goes on where the original's jumps."""
        at, due = original + self._offset, stream.due
        if due is None or due - _BACK <= at <= due + self._longest:
            return at
        self._offset += due - at
        self.jumps += 1
        return due


def frame_of(stream: Any) -> float:
    """Seconds that each packet of a stream lasts by its codec, or 0 where that is not fixed."""
    context = stream.codec_context
    if stream.type != "audio" or context is None or not context.frame_size or not context.sample_rate:
        return 0.0
    return float(context.frame_size / context.sample_rate)
