"""The orientation that EXIF gives an image; Meta's image processor turns the image by it."""

from __future__ import annotations

import struct
from typing import Final

from greenroom.verdict import Notice

_ORIENTATION: Final = 0x0112
_ENTRY: Final = 12
_MOST_ENTRIES: Final = 512
_ORDERS: Final = {b"II*\x00": "<", b"MM\x00*": ">"}

#: EXIF 2.3, tag 274: what has to be done to the stored pixels to see the image upright.
_TURNS: Final[dict[int, str]] = {
    2: "mirrored",
    3: "upside down",
    4: "upside down and mirrored",
    5: "turned left and mirrored",
    6: "turned a quarter to the left",
    7: "turned right and mirrored",
    8: "turned a quarter to the right",
}


def orientation(tiff: bytes) -> int:
    """The orientation, 1 to 8, in an EXIF block that starts with its TIFF header; 1 where it says none."""
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for index in range(min(count, _MOST_ENTRIES)):
            tag, _kind, _count, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + index * _ENTRY)
            if tag == _ORIENTATION:
                return int(value) if value in _TURNS else 1
    except struct.error:
        return 1  # a damaged EXIF block is ignored by every viewer
    return 1


def orientation_notices(tiff: bytes) -> tuple[Notice, ...]:
    """A notice when the stored pixels are not upright, otherwise none."""
    turn = _TURNS.get(value := orientation(tiff))
    if turn is None:
        return ()
    detail = (
        f"The pixels are stored {turn} and EXIF orientation {value} puts them right; "
        "WhatsApp follows it, so check that it is correct."
    )
    return (Notice(code="exif_orientation", detail=detail),)
