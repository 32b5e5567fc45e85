"""A stream on its way from one file into another: copied as it is, or decoded, filtered and encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush
from typing import Any, Final, Protocol

import av

from greenroom.conversion.audio_filter import AudioFilter
from greenroom.conversion.probe import DECODER, FFMPEG_ERRORS, ProbedFile, ProbedVideo
from greenroom.conversion.timeline import frame_of
from greenroom.conversion.video_encoder import ColourDescription, H264Encoder
from greenroom.conversion.video_filter import VideoFilter
from greenroom.conversion.video_plan import VideoPlan
from greenroom.errors import CannotFix

#: Packets that may fail to decode before a file counts as damaged: so many, and one in so many.
_FEW: Final = 10
_ONE_IN: Final = 20
_AAC_SAMPLES: Final = 1024
_OPUS_SAMPLES: Final = 960
#: Frames that follow closer than this share of the planned gap are left out.
_GAP: Final = 0.95
#: Seconds that times are off where a file counts in milliseconds, twice.
_ROUNDING: Final = 0.002
#: Seconds that audio may start after the frames as it is; every player waits so long.
_LATE_START: Final = 0.1
#: "Not said" in the numbers of ITU-T H.273; and the number of a matrix that stands for RGB.
_UNSAID: Final = 2
_RGB: Final = 0


class OutputStream(Protocol):
    """One stream."""

    seconds: float
    filled: float  # seconds of silence that were put in

    def feed(self, packet: Any) -> Iterator[Any]:
        """Packets to write for a packet that was read."""

    def finish(self) -> Iterator[Any]:
        """The last packets to write."""


class CannotCopy(CannotFix):
    """A stream that can be kept only by encoding it anew; if that was tried, the file is not readable."""

    def __init__(self, text: str = FFMPEG_ERRORS) -> None:
        super().__init__(text)


class Uneven(CannotCopy):
    """Audio that has gaps: players differ in what they make of them."""


class CopiedStream:
    """A stream that is kept as it is.

    Args:
        out: the file to write.
        stream: to copy.
    """

    def __init__(self, out: Any, stream: Any) -> None:
        self._stream = out.add_stream_from_template(stream)
        self._stream.metadata.clear()
        rate = getattr(stream, "average_rate", None)
        self._step = round(1 / rate / stream.time_base) if rate else 0
        self._audio = stream.type == "audio"
        self._frame = frame_of(stream)
        self._waiting: list[Any] = []
        self._begun = False
        self.seconds = self.filled = 0.0

    def feed(self, packet: Any) -> Iterator[Any]:
        """The packet, on the new file's clock."""
        if packet.size == 0:
            return
        if packet.pts is None:
            raise CannotCopy  # a packet that does not say when it is shown
        if packet.dts is None and self._audio:
            packet.dts = packet.pts
        if packet.dts is None:
            # Matroska says when frames are shown, not when they are decoded; FFmpeg knows a few later.
            self._waiting.append(packet)
            return
        waiting, self._waiting = self._waiting, []
        for before, held in enumerate(reversed(waiting), 1):
            held.dts = packet.dts - before * (held.duration or self._step)
        for ready in (*waiting, packet):
            yield self._placed(ready)

    def finish(self) -> Iterator[Any]:
        """Frames whose order was never told."""
        if self._waiting:
            raise CannotCopy
        yield from ()

    def _placed(self, packet: Any) -> Any:
        if self._audio:
            self._require_even(packet)
        elif not self._begun and packet.pts > 0:
            # The first frame is shown from the start, until the second one is due.
            packet.dts -= packet.pts
            packet.pts = 0
        self._begun = True
        self.seconds = max(self.seconds, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        packet.stream = self._stream
        return packet

    def _require_even(self, packet: Any) -> None:
        frame = max(self._frame, float((packet.duration or 0) * packet.time_base))
        late = float(packet.pts * packet.time_base) - self.seconds
        if late > (frame + _ROUNDING if self._begun else _LATE_START):
            raise Uneven
        if self._begun and late < -_ROUNDING:
            # Where a jump was closed, audio may have gone on longer than the frames.
            packet.pts = packet.dts = round(self.seconds / packet.time_base)


class _Decoded:
    """What decoding has in common: counting failures, and the clock."""

    def __init__(self, stream: Any) -> None:
        self._decoder = stream
        self._packets = self._failed = 0
        self.seconds = self.filled = 0.0

    def _at(self, frame: Any, otherwise: float) -> float:
        """Seconds from the video's start at which a frame is due."""
        if frame.pts is None:
            return otherwise
        return float(frame.pts * (frame.time_base or self._decoder.time_base))

    def _frames(self, packet: Any | None) -> list[Any]:
        if packet is not None and not packet.size:
            return []  # AVI writes none for a frame that is shown again; the end has a call of its own
        self._packets += 1
        try:
            return list(self._decoder.decode(packet))
        except av.InvalidDataError as error:
            self._failed += 1
            if self._failed > _FEW + self._packets // _ONE_IN:
                raise CannotFix(FFMPEG_ERRORS) from error
            return []


class VideoStream(_Decoded):
    """Frames that are encoded anew.

    Args:
        out: the file to write.
        stream: to decode.
        probed: what is known of the original.
        video: the same, of this stream.
        plan: size, rate and bits.
    """

    def __init__(
        self, out: Any, stream: Any, probed: ProbedFile, video: ProbedVideo, plan: VideoPlan
    ) -> None:
        super().__init__(stream)
        stream.thread_type = "AUTO"
        stream.codec_context.options = dict(DECODER)
        self._encoder = H264Encoder(out, plan, _colours(video))
        self._filter = VideoFilter(plan.size, turn=video.turn, interlaced=video.interlaced)
        self._gap = _GAP / plan.rate if video.rate > plan.rate else 0.0
        self._last: float | None = None
        self._step = 1 / video.rate
        # AVI counts frames as they are stored, not as they are shown: the n-th to be shown is due at the
        # n-th lowest time.
        self._counted = probed.form == "avi"
        self._due: list[float] = []

    def feed(self, packet: Any) -> Iterator[Any]:
        """Packets of H.264."""
        if self._counted and packet.size and packet.dts is not None:
            heappush(self._due, float(packet.dts * packet.time_base))
        for frame in self._frames(packet):
            yield from self._image(frame)

    def finish(self) -> Iterator[Any]:
        """What decoder, filters and encoder still hold."""
        for frame in self._frames(None):
            yield from self._image(frame)
        for frame in self._filter.feed(None):
            yield from self._encoder.encode(frame)
        yield from self._encoder.finish()

    def _image(self, frame: Any) -> Iterator[Any]:
        if frame.is_corrupt and self._last is None:
            return  # streams cut out of broadcasts start in the middle
        at = heappop(self._due) if self._due else self._at(frame, self.seconds)
        if self._last is None:
            at = 0.0  # the first frame is shown from the start
        self.seconds = max(self.seconds, at + self._step)
        if self._last is not None and at - self._last < self._gap:
            return
        self._last = at
        base = Fraction(1, self._encoder.ticks)
        frame.pts, frame.time_base = round(at * self._encoder.ticks), base
        for filtered in self._filter.feed(frame):
            yield from self._encoder.encode(filtered)


def _colours(video: ProbedVideo) -> ColourDescription:
    """The colours that come out of the filters."""
    primaries, transfer, matrix = video.colours
    if video.hdr or matrix == _RGB:
        return ColourDescription()
    return ColourDescription(
        primaries=primaries, transfer=transfer, matrix=_UNSAID if matrix == _UNSAID else 1
    )


class AudioStream(_Decoded):
    """Audio that is encoded anew.

    Args:
        out: the file to write.
        stream: to decode.
        codec: ``"aac"`` or ``"libopus"``.
        bits: a second.
        channels: 1 or 2.
    """

    def __init__(self, out: Any, stream: Any, *, codec: str, bits: int, channels: int) -> None:
        super().__init__(stream)
        opus = codec == "libopus"
        # 44,100 a second stays; everything else goes to 48,000, which is all that Opus knows.
        rate = 44_100 if not opus and stream.codec_context.sample_rate % 11_025 == 0 else 48_000
        self._stream = out.add_stream(codec, rate=rate, options={})
        self._stream.codec_context.layout = "stereo" if channels > 1 else "mono"
        self._stream.codec_context.bit_rate = bits
        self._filter = AudioFilter(self._stream.codec_context, _OPUS_SAMPLES if opus else _AAC_SAMPLES)
        self._ended: float = 0.0

    def feed(self, packet: Any) -> Iterator[Any]:
        """Packets of the new codec."""
        for frame in self._frames(packet):
            yield from self._stretch(frame)

    def finish(self) -> Iterator[Any]:
        """What decoder, filters and encoder still hold."""
        for frame in self._frames(None):
            yield from self._stretch(frame)
        for frame in self._filter.feed(None):
            yield from self._stream.encode(frame)
        yield from self._stream.encode(None)

    def _stretch(self, frame: Any) -> Iterator[Any]:
        at = self._at(frame, self._ended)
        self._ended = at + frame.samples / frame.sample_rate
        self.seconds = max(self.seconds, self._ended)
        frame.pts, frame.time_base = round(at * frame.sample_rate), Fraction(1, frame.sample_rate)
        for audio in self._filter.feed(frame):
            yield from self._stream.encode(audio)
        self.filled = self._filter.filled
