"""AMR: the narrow-band kind of phones' voice recorders.

Source of the layout: RFC 4867, section 5. The provider's table has ``audio/amr``; wide-band AMR is another
type (``audio/amr-wb``) and is refused by name.
"""

from __future__ import annotations

from typing import Final

from greenroom.figures import human_time
from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.reasons import Reason

_NARROW: Final = b"#!AMR\n"
_OTHERS: Final[dict[bytes, str]] = {
    b"#!AMR-WB\n": "wide-band AMR (AMR-WB)",
    b"#!AMR_MC1.0\n": "multi-channel AMR",
    b"#!AMR-WB_MC1.0\n": "multi-channel wide-band AMR",
}
#: Bytes of a frame with its header, by the frame type of 3GPP TS 26.101; None where no such type exists.
_SIZES: Final = (13, 14, 16, 18, 20, 21, 27, 32, 6, None, None, None, None, None, None, 1)
_FRAMES_A_SECOND: Final = 50
_FRAMES_CHECKED: Final = 250
_PADDING: Final = 0x83
#: The header of a frame that stands for nothing at all, and is all there is of it.
_NOTHING: Final = 0x7C


def examine(content: Content) -> Finding:
    """Judge a file that starts with an AMR mark.

    Raises:
        Damaged: no valid frame follows the mark.
    """
    for mark, name in _OTHERS.items():
        if content.head.startswith(mark):
            return Finding(
                label=f"{name} audio",
                mime_type="audio/amr",
                reason=Reason.CODEC_NOT_SUPPORTED,
                detail=f"This is {name}; WhatsApp takes narrow-band AMR, AAC, MP3, M4A or Ogg Opus.",
                extensions=(".amr", ".awb"),
            )
    if not content.head.startswith(_NARROW):
        raise Damaged("This AMR audio is damaged: its header is incomplete.")
    frames, size = _walk(content.read(len(_NARROW), _FRAMES_CHECKED * 32))
    total = (content.size - len(_NARROW)) * frames / size
    return Finding(label=f"AMR audio, {human_time(total / _FRAMES_A_SECOND)}", mime_type="audio/amr")


def _walk(data: bytes) -> tuple[int, int]:
    """Whole frames at the start of the audio, and their bytes."""
    position = frames = 0
    while position < len(data) and frames < _FRAMES_CHECKED:
        header = data[position]
        size = _SIZES[header >> 3 & 15]
        if header & _PADDING or size is None:
            raise Damaged("This AMR audio is damaged: its audio data makes no sense.")
        position += size
        frames += 1
    if data.count(_NOTHING) == len(data) or (frames == 1 and position > len(data)):
        raise Damaged("This AMR audio is cut short: there is no audio in it.")
    return frames, position
