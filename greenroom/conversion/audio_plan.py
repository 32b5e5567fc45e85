"""Opus or AAC, in how many channels and bits, so that audio fits and is still worth hearing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from greenroom.conversion import limits
from greenroom.errors import CannotFix
from greenroom.figures import human_size, human_time
from greenroom.rules import SIZE_LIMITS, Category

MAX_AUDIO: Final = SIZE_LIMITS[Category.AUDIO]


@dataclass(frozen=True, kw_only=True)
class AudioPlan:
    """What to encode audio to.

    Attributes:
        codec: FFmpeg's name of the encoder.
        bits: a second.
        channels: 1 or 2.
    """

    codec: str
    bits: int
    channels: int


def plan_audio(channels: int, seconds: float, *, voice: bool, share: float = 1.0) -> AudioPlan:
    """One channel is a voice and becomes Opus, two are music and become AAC while there are bits for it.

    Args:
        channels: of the original.
        seconds: play time.
        voice: whether it is meant to be a voice note whatever its channels.
        share: of the limit to aim at; less after a try that came out too large.

    Raises:
        CannotFix: there would not be bits enough; says how long it may be.
    """
    most = _rate(MAX_AUDIO, seconds) * share
    if channels > 1 and not voice and most >= limits.WORST_MUSIC_RATE:
        return AudioPlan(codec="aac", bits=int(min(limits.MUSIC_RATE, most)), channels=2)
    if most < limits.WORST_VOICE_RATE:
        longest = MAX_AUDIO * limits.FILL * 8 / limits.WORST_VOICE_RATE
        raise CannotFix(
            f"This audio is {human_time(seconds)} long; {human_size(MAX_AUDIO)} hold about "
            f"{human_time(longest)} that is still worth hearing. Shorten it, or send a link."
        )
    note = _rate(limits.VOICE_NOTE, seconds) * share
    bits = min(limits.VOICE_RATE, most)
    if limits.WORST_VOICE_RATE <= note < bits:
        bits = note  # a little lower, it still is a voice note and no file to download
    return AudioPlan(codec="libopus", bits=int(bits), channels=1)


def _rate(size: int, seconds: float) -> float:
    """Bits a second that a size allows; what the container needs is taken off."""
    return size * limits.FILL * 8 / seconds * 0.97
