"""Whether all bytes of a file are there, where its container says how many there should be."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from greenroom.errors import CannotFix
from greenroom.figures import human_size

#: Share of the declared bytes that has to be there, and a length that stands for "not known" in RIFF.
_ENOUGH: Final = 0.9
_UNKNOWN_LENGTH: Final = 0x7FFFF000
_RIFF_HEADER: Final = 8
#: Matroska: an EBML header, and then one segment that has everything (RFC 9559, section 5.1).
_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"
_HEAD: Final = 512
_LONGEST_NUMBER: Final = 8


def is_whole(path: Path) -> bool:
    """Whether a file has every byte that it says it has; False where it says nothing.

    Raises:
        CannotFix: much of it is missing.
    """
    there = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
    declared = _riff(head) or _matroska(head)
    if declared is None:
        return False
    if there < declared * _ENOUGH:
        raise CannotFix(
            f"This file is cut short: {human_size(there)} of {human_size(declared)} are there. "
            "Export it again."
        )
    return there >= declared


def _riff(head: bytes) -> int | None:
    """WAV and AVI. Writers that do not know their length beforehand leave 0 or the largest number."""
    if not head.startswith(b"RIFF") or len(head) < _RIFF_HEADER:
        return None
    declared = int.from_bytes(head[4:8], "little")
    return declared if 0 < declared < _UNKNOWN_LENGTH else None


def _matroska(head: bytes) -> int | None:
    """Matroska and WebM; what is recorded live has no length."""
    if not head.startswith(_EBML):
        return None
    after, size = _number(head, len(_EBML))
    if size is None or head[after + size : after + size + len(_SEGMENT)] != _SEGMENT:
        return None
    after, length = _number(head, after + size + len(_SEGMENT))
    return None if length is None else after + length


def _number(head: bytes, at: int) -> tuple[int, int | None]:
    """Where an EBML length ends, and what it is: None where all its bits are set, which is "not known"."""
    if at >= len(head) or not head[at]:
        return at, None
    width = _LONGEST_NUMBER + 1 - head[at].bit_length()
    bits = 7 * width
    value = int.from_bytes(head[at : at + width], "big") & ((1 << bits) - 1)
    return at + width, None if value == (1 << bits) - 1 else value
