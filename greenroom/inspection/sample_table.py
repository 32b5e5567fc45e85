"""One track of an ISO media file: what it is coded with, and where its video or audio packets lie.

Sources: ISO/IEC 14496-12 (section 8.5 to 8.7: sample tables) and Apple's QuickTime File Format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from greenroom.inspection.mp4_boxes import Box, boxes, find

#: Bytes of a track's description that are looked at; those of H.264 and AAC take some hundred.
_LARGEST_ENTRY: Final = 64 * 1024
_FRAMES_ASKED: Final = 64
_HEADER: Final = 8
_ENTRY_HEADER: Final = 16
_MEDIA: Final[dict[bytes, str]] = {b"vide": "video", b"soun": "audio"}
_OFFSETS: Final = {b"stco": ">I", b"co64": ">Q"}
#: Tables without which no sample can be found or timed, where the track has any.
_NEEDED: Final = frozenset({b"stts", b"stsc"})
_SIZES: Final = 12  # where the list of sizes starts in stsz and stz2
_FIELD_BITS: Final = frozenset({4, 8, 16, 32})


@dataclass(slots=True, kw_only=True)
class Track:
    """One track of an ISO media file.

    Attributes:
        number: its track_ID, by which fragments name it.
        media: ``"video"``, ``"audio"``, or the handler's four characters for anything else.
        entry: the sample entry's four characters, which name the codec.
        body: the sample entry's bytes, for what the codec says about itself.
        reordered: whether frames are stored in another order than shown, as B-frames need.
        samples: video or audio packets that are listed; of a fragmented file those of the fragments that
            were looked at.
        placed: whether the tables say of samples where they lie, how long they are and when they are shown.
        first_sample: where the first one starts and how long it is, or None.
        places: where runs of samples start: the first and the last one, or the first of each fragment.
        seconds: play time.
    """

    number: int = 0
    media: str
    entry: bytes = b""
    body: bytes = b""
    reordered: bool = False
    samples: int = 0
    placed: bool = False
    first_sample: tuple[int, int] | None = None
    places: list[int] = field(default_factory=list)
    seconds: float = 0.0


def read_track(data: bytes, start: int, end: int) -> Track:
    """A track by its ``trak`` box."""
    track = Track(media="????")
    for box in boxes(data, start, end):
        if box.kind == b"tkhd":
            at = box.start + (20 if data[box.start] == 1 else 12)
            track.number = int.from_bytes(data[at : at + 4], "big")
        elif box.kind == b"mdia":
            _read_media(data, box, track)
    return track


def _read_media(data: bytes, media: Box, track: Track) -> None:
    for box in boxes(data, media.start, media.end):
        if box.kind == b"hdlr":
            kind = data[box.start + 8 : box.start + 12]
            track.media = _MEDIA.get(kind, kind.decode("latin-1"))
        elif box.kind == b"mdhd":
            _, track.seconds = read_duration(data, box.start)
        elif box.kind == b"minf" and (table := find(data, box.start, box.end, b"stbl")):
            _read_table(data, *table, track)


def read_duration(data: bytes, start: int) -> tuple[int, float]:
    """Ticks a second, and seconds, in an mvhd or mdhd box."""
    wide = data[start] == 1
    scale, length = struct.unpack_from(">IQ" if wide else ">II", data, start + (20 if wide else 12))
    unknown = 0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF
    return scale, length / scale if scale and length != unknown else 0.0


def _read_table(data: bytes, start: int, end: int, track: Track) -> None:
    size, sized, needed = 0, False, set()
    for box in boxes(data, start, end):
        if box.kind == b"stsd":
            track.entry, track.body = _entry(data, box)
        elif box.kind == b"ctts":
            track.reordered = _has_offsets(data, box)
        elif box.kind in (b"stsz", b"stz2") and box.end - box.start >= _SIZES:
            track.samples, size, sized = _sizes(data, box)
        elif box.kind in _NEEDED and _entries(data, box):
            needed.add(box.kind)
        elif box.kind in _OFFSETS:
            track.places = _chunk_offsets(data, box, _OFFSETS[box.kind])
    track.placed = sized and needed == _NEEDED and bool(track.places)
    if size and track.places:
        track.first_sample = track.places[0], size


def _entry(data: bytes, box: Box) -> tuple[bytes, bytes]:
    if box.end - box.start < _ENTRY_HEADER:
        return b"", b""
    size, entry = struct.unpack_from(">I4s", data, box.start + _HEADER)
    end = min(box.start + _HEADER + size, box.end, box.start + _LARGEST_ENTRY)
    return entry, data[box.start + _ENTRY_HEADER : end]


def _entries(data: bytes, box: Box) -> int:
    """How many entries a table says that it has; the count follows version and flags in all of them."""
    return int.from_bytes(data[box.start + 4 : min(box.start + _HEADER, box.end)], "big")


def _sizes(data: bytes, box: Box) -> tuple[int, int, bool]:
    """How many samples there are, how long the first one is, and whether each has a size and any has bytes.

    Sizes are listed in 32 bits each, or one is given for all (``stsz``), or they take 4, 8 or 16 bits each
    (``stz2``).
    """
    fixed, count = struct.unpack_from(">II", data, box.start + 4)
    bits = 32
    if box.kind == b"stz2":
        fixed, bits = 0, data[box.start + 7]
    if fixed or bits not in _FIELD_BITS:
        return count, fixed, bool(fixed)
    start = box.start + _SIZES
    end = start + (count * bits + 7) // 8
    first = data[start : min(start + 4, box.end)].ljust(4, b"\0")
    sized = end <= box.end and data.count(0, start, end) < end - start
    return count, int.from_bytes(first, "big") >> 32 - bits, sized


def _chunk_offsets(data: bytes, box: Box, form: str) -> list[int]:
    """Where the first and the last chunk start."""
    size = struct.calcsize(form)
    count = min(_entries(data, box), (box.end - box.start - _HEADER) // size)
    ends = {0, count - 1} if count > 0 else set()
    return [struct.unpack_from(form, data, box.start + _HEADER + at * size)[0] for at in sorted(ends)]


def _has_offsets(data: bytes, box: Box) -> bool:
    """Whether composition offsets differ: frames without B-frames all have the same one, or none."""
    count = min(_entries(data, box), (box.end - box.start - _HEADER) // 8, _FRAMES_ASKED)
    starts = range(box.start + 12, box.start + 12 + count * 8, 8)
    return len({data[at : at + 4] for at in starts}) > 1
