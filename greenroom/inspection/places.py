"""What a file that opens with nothing telling shows elsewhere: far from its start, or nowhere."""

from __future__ import annotations

from typing import Final

from greenroom.inspection.content import Content

_CHUNK: Final = 256 * 1024
#: Marks that stand beyond the first bytes: place (from the end where negative), bytes, MIME type.
#: Sources: ECMA-119, 8.1 (volumes from sector 16 on); ECMA-167 (UDF); Apple, UDIF (the last 512 bytes).
_FAR: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0x8001, b"CD001", "application/x-iso9660-image"),
    (0x8001, b"BEA01", "application/x-iso9660-image"),
    (-512, b"koly", "application/x-apple-diskimage"),
)


def far_mark(content: Content) -> str | None:
    """The MIME type of a file that is known by a mark far from its start."""
    for place, mark, mime in _FAR:
        at = place if place >= 0 else content.size + place
        if content.read(at, len(mark)) == mark:
            return mime
    return None


def only_zeros(content: Content) -> bool:
    """Whether every byte is zero; of an oversize file, whether the first ones are."""
    if content.head.strip(b"\0"):
        return False
    end = len(content.head) if content.oversize else content.size
    return not any(content.read(at, _CHUNK).strip(b"\0") for at in range(0, end, _CHUNK))
