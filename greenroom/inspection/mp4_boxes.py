"""The boxes that ISO media files (MP4, M4A, 3GP) are made of, and the brands in the first of them.

Source: ISO/IEC 14496-12, section 4.2 (boxes) and 4.3 (ftyp). A reader walks boxes by their sizes and passes
over those that it does not know, whatever they are called.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from greenroom.inspection.content import Content

_MOST_TOP_BOXES: Final = 20_000
_MOST_BOXES: Final = 2_000
_SHORT: Final = struct.Struct(">I4s")
_LONG: Final = struct.Struct(">Q")
_HEADER: Final = 8
_LONG_HEADER: Final = 16
#: Boxes among which the brands are looked for: before them there is room that a writer left, or nothing.
_LOOKED_THROUGH: Final = 64
_LARGEST_BRANDS: Final = 4096
_BRANDS: Final = (b"ftyp", b"styp")

Brands = tuple[bytes | None, frozenset[bytes]]


class Box(NamedTuple):
    """One box.

    Attributes:
        kind: its four characters.
        at: where its header starts.
        start: where its payload starts.
        end: where its payload ends; at the top of a file this may be beyond the file's own end.
    """

    kind: bytes
    at: int
    start: int
    end: int


def top_boxes(content: Content) -> Iterator[Box]:
    """The boxes of a file; ends at bytes that are no box."""
    position = 0
    for _ in range(_MOST_TOP_BOXES):
        header = content.read(position, _LONG_HEADER)
        if len(header) < _HEADER:
            return
        box = _box(header, 0, position, content.size)
        if box is None:
            return
        yield box
        position = box.end


def _box(data: bytes, offset: int, at: int, end: int) -> Box | None:
    """The box whose header stands at an offset in some data, and at a place in the file or its parent."""
    size, kind = _SHORT.unpack_from(data, offset)
    start = at + _HEADER
    if size == 1 and len(data) >= offset + _LONG_HEADER:
        (size,) = _LONG.unpack_from(data, offset + _HEADER)
        start = at + _LONG_HEADER
    elif size == 0:
        size = end - at  # runs to the end
    return Box(kind, at, start, at + size) if at + size >= start else None


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes inside another one; ends at one that does not fit into it."""
    for _ in range(_MOST_BOXES):
        if start + _HEADER > end:
            return
        size, kind = _SHORT.unpack_from(data, start)
        payload = start + _HEADER
        if size < _HEADER:
            box = _box(data, start, start, end)
            if box is None:
                return
            kind, _, payload, stop = box
        else:
            stop = start + size
        if stop > end:
            return
        yield Box(kind, start, payload, stop)
        start = stop


def find(data: bytes, start: int, end: int, *path: bytes) -> tuple[int, int] | None:
    """Payload of the first box at a path of types."""
    for wanted in path:
        inside = next((box for box in boxes(data, start, end) if box.kind == wanted), None)
        if inside is None:
            return None
        start, end = inside.start, inside.end
    return start, end


def read_brands(head: bytes) -> Brands:
    """The major brand and all brands of a file by its first bytes; None where they have no ``ftyp``."""
    for box in islice(boxes(head, 0, len(head)), _LOOKED_THROUGH):
        if box.kind in _BRANDS:
            return _brands(head[box.start : box.end])
    return None, frozenset()


def brands_of(content: Content) -> Brands:
    """The same of a whole file, in which more may come first than a head holds."""
    found = read_brands(content.head)
    if found[0] is not None:
        return found
    for box in islice(top_boxes(content), _LOOKED_THROUGH):
        if box.kind in _BRANDS:
            return _brands(content.read(box.start, min(box.end - box.start, _LARGEST_BRANDS)))
    return None, frozenset()


def _brands(payload: bytes) -> Brands:
    if len(payload) < _HEADER:
        return None, frozenset()
    others = {payload[at : at + 4] for at in range(_HEADER, len(payload) - 3, 4)}
    return payload[:4], frozenset({payload[:4], *others})
