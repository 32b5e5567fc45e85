"""Opus or AAC, in how many channels and bits, so that sound fits and is still worth hearing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from greenroom.errors import CannotMend
from greenroom.inspection.words import human_size, human_time
from greenroom.mending import limits
from greenroom.rules import SIZE_LIMITS, Category

LIMIT: Final = SIZE_LIMITS[Category.AUDIO]


@dataclass(frozen=True, kw_only=True)
class SoundPlan:
    """What to encode sound to.

    Attributes:
        codec: FFmpeg's name of the encoder.
        bits: a second.
        channels: 1 or 2.
    """

    codec: str
    bits: int
    channels: int


def planned(channels: int, seconds: float, *, voice: bool, share: float = 1.0) -> SoundPlan:
    """One channel is a voice and becomes Opus, two are music and become AAC while there are bits for it.

    Args:
        channels: of the original.
        seconds: play time.
        voice: whether it is meant to be a voice note whatever its channels.
        share: of the limit to aim at; less after a try that came out too large.

    Raises:
        CannotMend: there would not be bits enough; says how long it may be.
    """
    most = _rate(LIMIT, seconds) * share
    if channels > 1 and not voice and most >= limits.WORST_MUSIC_RATE:
        return SoundPlan(codec="aac", bits=int(min(limits.MUSIC_RATE, most)), channels=2)
    if most < limits.WORST_VOICE_RATE:
        longest = LIMIT * limits.FILL * 8 / limits.WORST_VOICE_RATE
        raise CannotMend(
            f"This sound is {human_time(seconds)} long; {human_size(LIMIT)} hold about "
            f"{human_time(longest)} that is still worth hearing. Shorten it, or send a link."
        )
    note = _rate(limits.VOICE_NOTE, seconds) * share
    bits = min(limits.VOICE_RATE, most)
    if limits.WORST_VOICE_RATE <= note < bits:
        bits = note  # a little lower, it still is a voice note and no file to download
    return SoundPlan(codec="libopus", bits=int(bits), channels=1)


def _rate(size: int, seconds: float) -> float:
    """Bits a second that a size allows; what the container needs is taken off."""
    return size * limits.FILL * 8 / seconds * 0.97
