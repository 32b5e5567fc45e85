"""Opus on its way into Ogg, packet by packet as it is, with silence where packets are missing.

A packet says itself how long it lasts, and silence has a packet of its own (RFC 6716, section 4.3: the flag
"silence"); so the clock in the new file is counted, not believed (RFC 7845, section 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av

from greenroom.conversion.tracks import CannotCopy
from greenroom.inspection.opus import MUSIC, RATE, samples_of

_BASE: Final = Fraction(1, RATE)
#: One channel of music that has nothing in it, by samples: what encoders write for silence.
_SILENCE: Final = {samples: bytes([(28 + number) << 3, 0xFF, 0xFE]) for number, samples in enumerate(MUSIC)}
#: Samples that times are off where a file counts in milliseconds, twice.
_ROUNDING: Final = 96
_HEAD: Final = 12  # bytes of an identification header until its pre-skip ends (RFC 7845, section 5.1)


class CopiedOpus:
    """One channel of Opus that is kept as it is.

    Args:
        out: the Ogg file to write.
        stream: to copy.

    Attributes:
        seconds: how far it is.
        filled: seconds of silence that were put in.
    """

    def __init__(self, out: Any, stream: Any) -> None:
        head = bytes(stream.codec_context.extradata or b"")
        if len(head) < _HEAD:
            raise CannotCopy
        self._stream = out.add_stream_from_template(stream)
        self._stream.metadata.clear()
        self._at = -int(struct.unpack_from("<H", head, 10)[0])  # what players leave out at the start
        self._held: tuple[bytes, int] | None = None
        self.seconds = self.filled = 0.0

    def feed(self, packet: Any) -> Iterator[Any]:
        """The packet before this one, and silence where this one comes late."""
        if not packet.size:
            return
        data = bytes(packet)
        try:
            samples = samples_of(data)
        except ValueError as error:
            raise CannotCopy from error
        if self._held is not None:
            before = self._held[0]
            yield self._made(before, samples_of(before))
        if packet.pts is not None:
            yield from self._silence(round(packet.pts * packet.time_base * RATE) - self._at, samples)
        self._held = data, _heard(packet, samples)

    def finish(self) -> Iterator[Any]:
        """The last packet, of which a part may not be meant to be heard."""
        if self._held is not None:
            yield self._made(*self._held)

    def _silence(self, gap: int, frame: int) -> Iterator[Any]:
        if gap <= frame + _ROUNDING:
            return
        self.filled += gap / RATE
        for samples in sorted(_SILENCE, reverse=True):
            while gap >= samples:
                gap -= samples
                yield self._made(_SILENCE[samples], samples)

    def _made(self, data: bytes, samples: int) -> Any:
        packet: Any = av.Packet(data)
        packet.time_base, packet.pts, packet.dts, packet.duration = _BASE, self._at, self._at, samples
        packet.stream = self._stream
        self._at += samples
        self.seconds = self._at / RATE
        return packet


def _heard(packet: Any, samples: int) -> int:
    """Samples of a packet that are to be heard if it is the last one."""
    if packet.has_sidedata("skip_samples"):
        cut: int = struct.unpack_from("<I", bytes(packet.get_sidedata("skip_samples")), 4)[0]
        return max(1, samples - cut)
    declared = round((packet.duration or 0) * packet.time_base * RATE)
    return min(samples, declared) if declared > 0 else samples
