"""How long an Opus packet lasts, which its first two bytes tell (RFC 6716, sections 3.1 and 3.2)."""

from __future__ import annotations

from typing import Final

#: Samples a second that Opus always counts in, whatever was recorded (RFC 7845, section 4).
RATE: Final = 48_000
#: Samples of a frame in each mode: speech, speech and music at once, music.
_SPEECH: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
MUSIC: Final = (120, 240, 480, 960)
_FIRST_HYBRID, _FIRST_MUSIC = 12, 16
_COUNTED: Final = 3  # the code that says that a second byte has the number of frames


def samples_of(start: bytes) -> int:
    """Samples that a packet lasts.

    Args:
        start: its first two bytes; it may have only one.

    Raises:
        ValueError: it is no packet of Opus.
    """
    if not start:
        raise ValueError("an empty Opus packet")
    mode, code = start[0] >> 3, start[0] & 3
    if mode < _FIRST_HYBRID:
        frame = _SPEECH[mode & 3]
    else:
        frame = _HYBRID[mode & 1] if mode < _FIRST_MUSIC else MUSIC[mode & 3]
    if code < _COUNTED:
        return frame * (1 if code == 0 else 2)
    if len(start) < 2 or not start[1] & 63:  # noqa: PLR2004 - the byte that has the number
        raise ValueError("an Opus packet without frames")
    return frame * (start[1] & 63)
