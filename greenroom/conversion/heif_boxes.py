"""HEIF read box by box: which coded images make up the one to show, and how they are put together.

Source: ISO/IEC 23008-12 (HEIF) and 14496-12 (items). Phones store a photo as a grid of HEVC tiles; FFmpeg
decodes the tiles and leaves putting them together to others, Pillow does not read HEIC at all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from greenroom.errors import CannotFix

_MOST_BOXES: Final = 20_000
_MOST_TILES: Final = 1024
_UNREADABLE: Final = "This HEIC image is damaged or cut short. Export it again, or save it as JPEG."


@dataclass(frozen=True, kw_only=True)
class Photo:
    """The image to show.

    Attributes:
        width: pixels, before any turning.
        height: pixels, before any turning.
        columns: of the grid; 1 of an image in one piece.
        tiles: the coded data of each tile, row by row.
        setup: the HEVC decoder's configuration record.
        profile: ICC profile, or None.
        turns: quarter turns to the left.
        mirror: None, or ``"vertical"`` (top to bottom) or ``"horizontal"`` (left to right).
        exif: the camera's notes, or empty.
    """

    width: int
    height: int
    columns: int
    tiles: tuple[bytes, ...]
    setup: bytes
    profile: bytes | None
    turns: int
    mirror: str | None
    exif: bytes


@dataclass(slots=True)
class _Meta:
    """What the ``meta`` box says of the items."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    places: dict[int, tuple[int, list[tuple[int, int]]]] = field(default_factory=dict)
    parts: dict[int, list[int]] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    owned: dict[int, list[int]] = field(default_factory=dict)
    inside: bytes = b""


def read_photo(data: bytes) -> Photo:
    """The primary image of a HEIF file.

    Raises:
        CannotFix: it is damaged, or not coded in HEVC.
    """
    try:
        return _read(data)
    except (struct.error, LookupError, ValueError) as error:
        raise CannotFix(_UNREADABLE) from error


def _read(data: bytes) -> Photo:
    start, end = next((at, stop) for kind, at, stop in _boxes(data, 0, len(data)) if kind == b"meta")
    meta = _read_meta(data[start + 4 : end])
    properties = _properties(meta, meta.primary)
    kind = meta.kinds[meta.primary]
    if kind == b"grid":
        columns, width, height = _grid(_content(data, meta, meta.primary))
        items = meta.parts[meta.primary][:_MOST_TILES]
    else:
        columns, items = 1, [meta.primary]
        width, height = struct.unpack_from(">II", properties[b"ispe"], 4)
    if any(meta.kinds[item] not in (b"hvc1", b"hev1") for item in items):
        raise CannotFix("This HEIF image is not coded as HEIC (HEVC). Save it as JPEG or PNG.")
    first = _properties(meta, items[0])
    profile = properties.get(b"colr", first.get(b"colr", b""))
    turn = properties.get(b"irot", b"\0")[0] & 3
    mirror = properties.get(b"imir")
    return Photo(
        width=width,
        height=height,
        columns=columns,
        tiles=tuple(_content(data, meta, item) for item in items),
        setup=first[b"hvcC"],
        profile=profile[4:] if profile[:4] in (b"prof", b"rICC") else None,
        turns=turn,
        mirror=None if mirror is None else ("horizontal" if mirror[0] & 1 else "vertical"),
        exif=next(
            (_content(data, meta, item)[4:] for item, kind in meta.kinds.items() if kind == b"Exif"), b""
        ),
    )


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        at = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at)
            at += 8
        elif size == 0:
            size = end - start
        if start + size > end or size < at - start:
            raise ValueError("a box that ends outside its parent")
        yield kind, at, start + size
        start += size


def _read_meta(data: bytes) -> _Meta:
    meta = _Meta()
    for kind, at, end in _boxes(data, 0, len(data)):
        body = data[at:end]
        if kind == b"pitm":
            meta.primary = int.from_bytes(body[4 : 8 if body[0] else 6], "big")
        elif kind == b"iinf":
            _read_kinds(body, meta)
        elif kind == b"iloc":
            _read_places(body, meta)
        elif kind == b"iref":
            _read_parts(body, meta)
        elif kind == b"iprp":
            _read_properties(body, meta)
        elif kind == b"idat":
            meta.inside = body
    return meta


def _read_kinds(body: bytes, meta: _Meta) -> None:
    """What each item is: a coded image, a grid, EXIF."""
    for kind, at, _ in _boxes(body, 8 if body[0] else 6, len(body)):
        version = body[at]
        if kind == b"infe" and version in (2, 3):
            wide = 2 if version == 2 else 4  # noqa: PLR2004 - versions differ in the width of the identifier
            item = int.from_bytes(body[at + 4 : at + 4 + wide], "big")
            meta.kinds[item] = body[at + 6 + wide : at + 10 + wide]


def _read_places(body: bytes, meta: _Meta) -> None:
    """Where each item's bytes lie: in the file, or in the ``idat`` box."""
    version, sizes = body[0], struct.unpack_from(">H", body, 4)[0]
    offset, length, base, index = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15
    reader = _Reader(body, 6)
    wide = 4 if version == 2 else 2  # noqa: PLR2004 - as above
    for _ in range(reader.number(wide)):
        item = reader.number(wide)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)
        start = reader.number(base)
        extents = []
        for _ in range(reader.number(2)):
            reader.number(index if version else 0)
            extents.append((start + reader.number(offset), reader.number(length)))
        meta.places[item] = method, extents


def _read_parts(body: bytes, meta: _Meta) -> None:
    """Which items a grid is made of, in order."""
    wide = 4 if body[0] else 2
    for kind, at, _ in _boxes(body, 4, len(body)):
        if kind == b"dimg":
            reader = _Reader(body, at)
            whole, count = reader.number(wide), reader.number(2)
            meta.parts[whole] = [reader.number(wide) for _ in range(count)]


def _read_properties(body: bytes, meta: _Meta) -> None:
    """All properties, and which item has which of them."""
    for kind, at, end in _boxes(body, 0, len(body)):
        if kind == b"ipco":
            meta.properties = [(name, body[start:stop]) for name, start, stop in _boxes(body, at, end)]
        elif kind == b"ipma":
            version, flags = body[at], body[at + 3]
            reader = _Reader(body, at + 4)
            for _ in range(reader.number(4)):
                item = reader.number(4 if version else 2)
                mask, wide = (0x7FFF, 2) if flags & 1 else (0x7F, 1)
                meta.owned[item] = [reader.number(wide) & mask for _ in range(reader.number(1))]


def _properties(meta: _Meta, item: int) -> dict[bytes, bytes]:
    """An item's properties; of two colour descriptions the ICC profile."""
    found: dict[bytes, bytes] = {}
    for index in meta.owned.get(item, []):
        name, body = meta.properties[index - 1] if index else (b"", b"")
        if name != b"colr" or body[:4] in (b"prof", b"rICC"):
            found[name] = body
    return found


def _content(data: bytes, meta: _Meta, item: int) -> bytes:
    method, extents = meta.places[item]
    source = meta.inside if method == 1 else data
    parts = [source[at : at + length] if length else source[at:] for at, length in extents]
    if method > 1 or any(len(part) < length for part, (_, length) in zip(parts, extents, strict=True)):
        raise ValueError("an item that ends outside its file")
    return b"".join(parts)


def _grid(body: bytes) -> tuple[int, int, int]:
    """Columns, width and height."""
    width, height = struct.unpack_from(">II" if body[1] & 1 else ">HH", body, 4)
    return body[3] + 1, width, height


class _Reader:
    """Numbers one after another."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def number(self, size: int) -> int:
        """A number of so many bytes; 0 of none.

        Raises:
            ValueError: the data ends before.
        """
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise ValueError("a box that ends within a number")
        self._at += size
        return int.from_bytes(found, "big")
