"""PNG: size, colours, and whether every critical chunk is whole.

Chunks carry CRCs (PNG specification, section 5), so that damage is found without unpacking the image: a
decompression bomb costs no more than its file size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.exif import orientation_notices
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.image import judge_image
from greenroom.reasons import Reason
from greenroom.verdict import Notice

_NAME: Final = "PNG image"
_SIGNATURE: Final = 8
_HEADER: Final = struct.Struct(">IIBBBBB")
_COLOURS: Final[dict[int, str | None]] = {
    0: "greyscale",
    2: None,  # RGB
    3: "a palette image (indexed colours)",
    4: "greyscale with transparency",
    6: None,  # RGBA
}
_EIGHT_BIT: Final = 8
_ALLOWED_DEPTHS: Final[dict[int, frozenset[int]]] = {
    0: frozenset({1, 2, 4, 8, 16}),
    2: frozenset({8, 16}),
    3: frozenset({1, 2, 4, 8}),
    4: frozenset({8, 16}),
    6: frozenset({8, 16}),
}
_FIRST_UNPACKED: Final = 64
#: Small images are unpacked to their last row, at less than a millisecond; of others the check sums tell.
_SMALL_PACKED: Final = 32 * 1024
_SMALL_UNPACKED: Final = 1024 * 1024
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_LAST_FILTER: Final = 4
#: Programs write pieces of 8 KB or more; the largest PNG that can be sent has 640 of those.
_MOST_CHUNKS: Final = 50_000

Chunk = tuple[bytes, int, int]  # its type, where its data starts and ends


def examine(content: Content) -> Finding:
    """Judge a file that starts with a PNG signature.

    Raises:
        Damaged: it stops before its end, or a chunk that matters is damaged.
    """
    if content.read(_SIGNATURE + 4, 4) == b"CgBI":
        return Finding(
            label="PNG image in Apple's own variant",
            reason=Reason.TYPE_NOT_SUPPORTED,
            detail="This PNG is in Apple's variant for apps; WhatsApp takes common JPEG or PNG images.",
            extensions=(".png",),
        )
    width, height, depth, colour_type = _header(content.head)
    least = height * (1 + (width * depth * _SAMPLES[colour_type] + 7) // 8)
    animated, exif = (False, b"") if content.data is None else _check(content.data, least)
    notices = orientation_notices(exif)
    if animated:
        detail = "This PNG is animated; WhatsApp shows its first picture only."
        notices = (*notices, Notice(code="animated_png", detail=detail))
    colour = _COLOURS[colour_type]
    if depth != _EIGHT_BIT:
        colour = f"{depth}-bit" + (f" {colour}" if colour else "")
    return judge_image(
        name=_NAME, mime_type="image/png", width=width, height=height, colour=colour, notices=notices
    )


def _header(head: bytes) -> tuple[int, int, int, int]:
    start = _SIGNATURE + 8
    if head[_SIGNATURE + 4 : start] != b"IHDR" or len(head) < start + _HEADER.size + 4:
        raise Damaged("This PNG image is damaged: its header is missing.")
    (crc,) = struct.unpack_from(">I", head, start + _HEADER.size)
    if zlib.crc32(head[start - 4 : start + _HEADER.size]) != crc:
        raise Damaged("This PNG image is damaged: its header does not match its own check sum.")
    width, height, depth, colour_type, *_rest = _HEADER.unpack_from(head, start)
    if depth not in _ALLOWED_DEPTHS.get(colour_type, ()):
        raise Damaged(f"This PNG image is damaged: it has no valid colours ({colour_type}, {depth}-bit).")
    return width, height, depth, colour_type


def _chunks(data: bytes) -> Iterator[Chunk]:
    """Every chunk up to IEND.

    Raises:
        Damaged: the file stops before IEND.
    """
    view = memoryview(data)
    position = _SIGNATURE
    for _ in range(_MOST_CHUNKS):
        end = position + 12
        if end > len(data):
            raise Damaged("This PNG image is cut short: its data stops before its end mark.")
        length, kind = struct.unpack_from(">I4s", data, position)
        end += length
        if end > len(data):
            raise Damaged("This PNG image is cut short: its data stops before its end mark.")
        critical = not kind[0] & 0x20
        # Viewers skip a damaged chunk that does not matter, so its CRC does not matter either.
        if (
            critical
            and zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]
        ):
            raise Damaged("This PNG image is damaged: part of it does not match its own check sum.")
        yield kind, position + 8, end - 4
        if kind == b"IEND":
            return
        position = end
    raise Damaged("This PNG image is damaged: it is in more pieces than any program writes.")


def _check(data: bytes, rows: int) -> tuple[bool, bytes]:
    """Walk all chunks; whether it is animated, and its EXIF block.

    Args:
        data: the file.
        rows: bytes that its picture has at least when unpacked.
    """
    animated, exif, image, packed = False, b"", b"", []
    for kind, start, end in _chunks(data):
        if kind == b"acTL":
            animated = animated or not image  # counts only before the image, by the APNG specification
        elif kind == b"eXIf":
            exif = data[start:end]
        elif kind == b"IDAT":
            image = image or data[start:end]
            if len(data) <= _SMALL_PACKED and rows <= _SMALL_UNPACKED:
                packed.append(data[start:end])
    if not _starts_with_a_row(image):
        raise Damaged("This PNG image is damaged: it has no picture in it.")
    if packed and not _has_all_rows(b"".join(packed), rows):
        raise Damaged("This PNG image is cut short: its picture stops before its last row.")
    return animated, exif


def _starts_with_a_row(image: bytes) -> bool:
    """Whether the compressed data opens as such and its first row has a filter that exists."""
    try:
        first = zlib.decompressobj().decompress(image, _FIRST_UNPACKED)
    except zlib.error:
        return False
    return bool(image) and (not first or first[0] <= _LAST_FILTER)


def _has_all_rows(packed: bytes, rows: int) -> bool:
    """Whether a small picture unpacks to as many bytes as its header promises."""
    try:
        return len(zlib.decompressobj().decompress(packed, rows)) >= rows
    except zlib.error:
        return False
