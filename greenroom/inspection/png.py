"""PNG: size, colours, and whether every critical chunk is whole.

Chunks carry CRCs (PNG specification, section 5), so that damage is found without unpacking the image: a
decompression bomb costs no more than its file size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.exif import orientation_notices
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.raster import judge_image
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
_END: Final = b"\0\0\0\0IEND\xae\x42\x60\x82"
_CUT_SHORT: Final = "This PNG image has no end mark; it seems to be cut short."
#: Bytes of pixels up to which an image without an end mark is unpacked, and bytes that are unpacked at once.
_MOST_UNPACKED: Final = 64 * 1024 * 1024
_AT_ONCE: Final = 1024
_FIRST_UNPACKED: Final = 64
#: Small images are unpacked to their last row, at less than a millisecond; of others the check sums tell.
_SMALL_PACKED: Final = 32 * 1024
_SMALL_UNPACKED: Final = 1024 * 1024
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_LAST_FILTER: Final = 4
#: Programs write pieces of 8 KB or more; the largest PNG that can be sent has 640 of those.
_MOST_CHUNKS: Final = 50_000

Chunk = tuple[bytes, int, int]  # its type, where its data starts and ends


@dataclass(slots=True)
class _Facts:
    """What the chunks say: whether there are more images, where the first one's data is, and so on."""

    animated: bool = False
    exif: bytes = b""
    packed: list[tuple[int, int]] = field(default_factory=list)
    ended: bool = False


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
    facts = _Facts(ended=True) if content.data is None else _check(content.data, least)
    colour = _COLOURS[colour_type]
    if depth != _EIGHT_BIT:
        colour = f"{depth}-bit" + (f" {colour}" if colour else "")
    return judge_image(
        name=_NAME,
        mime_type="image/png",
        width=width,
        height=height,
        colour=colour,
        notices=tuple(_notices(facts)),
    )


def _notices(facts: _Facts) -> Iterator[Notice]:
    yield from orientation_notices(facts.exif)
    if facts.animated:
        yield Notice(code="animated_png", detail="This PNG is animated; WhatsApp shows its first frame only.")
    if not facts.ended:
        detail = "This PNG image has no end mark. Its image is whole, and viewers show it."
        yield Notice(code="no_end_mark", detail=detail)


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
    """Every chunk up to IEND, or up to where the file stops within IEND or right before it.

    Raises:
        Damaged: the file stops elsewhere, or a chunk that matters is damaged.
    """
    view = memoryview(data)
    position = _SIGNATURE
    for _ in range(_MOST_CHUNKS):
        end = position + len(_END)
        if end > len(data):
            if _END.startswith(data[position:]):
                return
            raise Damaged(_CUT_SHORT)
        length, kind = struct.unpack_from(">I4s", data, position)
        end += length
        if end > len(data):
            raise Damaged(_CUT_SHORT)
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


def _check(data: bytes, rows: int) -> _Facts:
    """Walk all chunks.

    Args:
        data: the file.
        rows: bytes that its image has at least when unpacked.
    """
    facts = _Facts()
    announced = False
    for kind, start, end in _chunks(data):
        if kind == b"acTL":
            # Counts only before the image, by the APNG specification.
            announced = announced or not facts.packed
        elif kind == b"fdAT":
            facts.animated = announced
        elif kind == b"eXIf":
            facts.exif = data[start:end]
        elif kind == b"IDAT":
            facts.packed.append((start, end))
        facts.ended = kind == b"IEND"
    first = next((data[start:end] for start, end in facts.packed if end > start), b"")
    if not _starts_with_a_row(first):
        raise Damaged("This PNG image is damaged: there is no image data in it.")
    small = len(data) <= _SMALL_PACKED and rows <= _SMALL_UNPACKED
    if not facts.ended and (rows > _MOST_UNPACKED or not _has_all_rows(data, facts.packed, rows)):
        raise Damaged(_CUT_SHORT)
    if facts.ended and small and not _has_all_rows(data, facts.packed, rows):
        raise Damaged("This PNG image is cut short: its image stops before its last row.")
    return facts


def _starts_with_a_row(image: bytes) -> bool:
    """Whether the compressed data opens as such and its first row has a filter that exists."""
    try:
        first = zlib.decompressobj().decompress(image, _FIRST_UNPACKED)
    except zlib.error:
        return False
    return bool(image) and (not first or first[0] <= _LAST_FILTER)


def _has_all_rows(data: bytes, packed: list[tuple[int, int]], rows: int) -> bool:
    """Whether an image unpacks to as many bytes as its header promises, a little at a time."""
    unpacker = zlib.decompressobj()
    found = 0
    try:
        for start, end in packed:
            for at in range(start, end, _AT_ONCE):
                found += len(unpacker.decompress(data[at : min(end, at + _AT_ONCE)]))
                if found >= rows:
                    return True
    except zlib.error:
        return False
    return found >= rows
