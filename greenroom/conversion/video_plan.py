"""How large, how fast and in how many bits a video may be, so that it fits and is still worth watching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from greenroom.conversion import limits
from greenroom.errors import CannotFix
from greenroom.figures import human_size, human_time
from greenroom.rules import SIZE_LIMITS, Category

MAX_VIDEO: Final = SIZE_LIMITS[Category.VIDEO]
#: Ticks a second that frames are timed in; videos at 24, 25, 29.97 and 30 a second all fit.
TICKS: Final = 90_000
#: What MP4 spends on listing its frames and packets of audio, in bits a second.
_INDEX: Final = 10_000
#: The stream may run ahead of its rate by so many seconds (H.264's buffer).
_BUFFER: Final = 1.0
#: Bits a second that a video has in all: of audio, and in how many channels.
_AUDIO: Final = ((1_000_000, 128_000, 2), (400_000, 96_000, 2), (0, 56_000, 1))
#: More than this nobody sees on a phone; it only makes short videos large.
_MOST_BITS: Final = 8_000_000


@dataclass(frozen=True, kw_only=True)
class VideoPlan:
    """What to encode a video to.

    Attributes:
        size: width and height, both even.
        rate: frames a second at most.
        bits: of the frames, a second at most.
        audio_bits: of the audio, a second; 0 without audio.
        channels: of the audio.
        ticks: a second that frames are timed in.
    """

    size: tuple[int, int]
    rate: float
    bits: int
    audio_bits: int
    channels: int
    ticks: int = TICKS

    @property
    def buffer(self) -> int:
        """Bits that the frames may run ahead."""
        return int(self.bits * _BUFFER)


def plan_video(
    *, size: tuple[int, int], rate: float, seconds: float, audio: bool, kept: int = 0, share: float = 1.0
) -> VideoPlan:
    """The largest frame that the bits are enough for.

    Args:
        size: width and height as they are to be seen.
        rate: frames a second of the original.
        seconds: play time.
        audio: whether audio is encoded.
        kept: bits a second of audio that is kept as it is.
        share: of the limit to aim at; less after a try that came out too large.

    Raises:
        CannotFix: at the smallest size there would not be bits enough; says how long it may be.
    """
    rate = min(rate, limits.MOST_RATE)
    whole = MAX_VIDEO * 8 * limits.FILL * share / (seconds + _BUFFER) - _INDEX
    audio_bits, channels = _audio(whole) if audio else (0, 0)
    bits = min(_MOST_BITS, int(whole - audio_bits - kept))
    for side in limits.SIDES:
        fitted = fit(size, side)
        if bits >= _least(fitted, rate):
            return VideoPlan(size=fitted, rate=rate, bits=bits, audio_bits=audio_bits, channels=channels)
    smallest = fit(size, limits.SIDES[-1])
    needed = _least(smallest, rate) + _INDEX + (_AUDIO[-1][1] if audio else kept)
    longest = MAX_VIDEO * 8 * limits.FILL / needed - _BUFFER
    raise CannotFix(
        f"This video is {human_time(seconds)} long; {human_size(MAX_VIDEO)} hold about {human_time(longest)} "
        f"of it at {smallest[0]} x {smallest[1]} pixels, below which it is not worth watching. "
        "Shorten it, or send a link."
    )


def fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Even dimensions with a long side of at most ``side``, never larger than they were."""
    scale = min(1.0, side / max(size))
    return _even(size[0] * scale), _even(size[1] * scale)


def _even(length: float) -> int:
    return max(2, int(length / 2 + 0.5) * 2) if length % 2 != 1 else max(2, int(length) - 1)


def _least(size: tuple[int, int], rate: float) -> float:
    return size[0] * size[1] * rate * limits.LEAST_BITS


def _audio(whole: float) -> tuple[int, int]:
    return next(((bits, channels) for least, bits, channels in _AUDIO if whole >= least), _AUDIO[-1][1:])
