"""The fragments of an ISO media file: an index in pieces (``moof``), each before the data that it is about.

Source: ISO/IEC 14496-12, section 8.8. The index itself (``moov``) of such a file may list no frame and no
audio, so what there is to play, the fragments have to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.mp4_boxes import Box, boxes, find
from greenroom.inspection.sample_table import Track

#: Fragments that are looked at from the first one on, besides the last one.
LOOKED_AT: Final = 16
_LARGEST: Final = 1024 * 1024
_FRAMES_ASKED: Final = 64
_HEADER: Final = 8
#: Flags of a track's fragment (tfhd): where data is counted from, and fields before the usual sample's size.
_BASE: Final = 0x000001
_BEFORE_SIZE: Final = 0x00000A
_SIZE: Final = 0x000010
_FROM_FRAGMENT: Final = 0x020000
#: Flags of a run of samples (trun): where its data starts, fields before its list, fields of each sample, and
#: that the last of those is the offset between decoding and showing.
_RUN_PLACE: Final = 0x001
_RUN_FIXED: Final = 0x005
_RUN_DURATION: Final = 0x100
_RUN_SIZE: Final = 0x200
_RUN_FIELDS: Final = 0xF00
_RUN_OFFSETS: Final = 0x800


@dataclass(frozen=True, slots=True)
class _Run:
    """Samples of one track that follow one another.

    Attributes:
        track: its number.
        samples: how many.
        place: where the first one starts, or None where it takes counting to tell.
        size: of the first one, or 0 where the index says it.
        reordered: whether images are stored in another order than shown.
    """

    track: int
    samples: int
    place: int | None
    size: int
    reordered: bool


def add_fragments(content: Content, found: list[Box], tracks: list[Track]) -> None:
    """Tell each track what fragments hold of it.

    Args:
        content: the file.
        found: the first :data:`LOOKED_AT` fragments and the last one.
        tracks: of its index.
    """
    by_number = {track.number: track for track in tracks}
    for box in found:
        for run in _runs(content.read(box.start, min(box.end - box.start, _LARGEST)), box.at):
            track = by_number.get(run.track)
            if track is not None and run.samples:
                _add(track, run)


def _add(track: Track, run: _Run) -> None:
    if not track.samples:
        track.reordered = track.reordered or (track.media == "video" and run.reordered)
        if run.place is not None and run.size:
            track.first_sample = run.place, run.size
    track.samples += run.samples
    track.placed = True
    if run.place is not None:
        track.places.append(run.place)


def _runs(data: bytes, at: int) -> Iterator[_Run]:
    """The runs of a fragment whose box starts at an offset."""
    first = True
    for part in boxes(data, 0, len(data)):
        if part.kind != b"traf":
            continue
        header = find(data, part.start, part.end, b"tfhd")
        if header is None or header[1] - header[0] < _HEADER:
            continue
        flags, number = struct.unpack_from(">II", data, header[0])
        base = _base(data, header[0], flags, at if first or flags & _FROM_FRAGMENT else None)
        usual = _usual_size(data, header[0], flags)
        for run in boxes(data, part.start, part.end):
            if run.kind == b"trun" and run.end - run.start >= _HEADER:
                yield _run(data, run, number, base, usual)
        first = False


def _base(data: bytes, at: int, flags: int, fragment: int | None) -> int | None:
    if flags & _BASE:
        (base,) = struct.unpack_from(">Q", data, at + _HEADER)
        return int(base)
    return fragment


def _usual_size(data: bytes, at: int, flags: int) -> int:
    """The size of samples of which the run gives none, or 0."""
    if not flags & _SIZE:
        return 0
    before = (8 if flags & _BASE else 0) + 4 * (flags & _BEFORE_SIZE).bit_count()
    (size,) = struct.unpack_from(">I", data, at + _HEADER + before)
    return int(size)


def _run(data: bytes, box: Box, number: int, base: int | None, usual: int) -> _Run:
    flags, count = struct.unpack_from(">II", data, box.start)
    at = box.start + _HEADER
    place = None
    if flags & _RUN_PLACE and base is not None:
        place = base + struct.unpack_from(">i", data, at)[0]
    at += 4 * (flags & _RUN_FIXED).bit_count()
    size = usual
    if flags & _RUN_SIZE:
        (size,) = struct.unpack_from(">I", data, at + (4 if flags & _RUN_DURATION else 0))
    step = 4 * (flags & _RUN_FIELDS).bit_count()
    if step:
        count = min(count, (box.end - at) // step)
    reordered = bool(flags & _RUN_OFFSETS) and _differ(data, at, step, min(count, _FRAMES_ASKED))
    return _Run(number, count, place, size, reordered)


def _differ(data: bytes, at: int, step: int, count: int) -> bool:
    """Whether the offsets between decoding and showing, each the last field of a sample, differ."""
    return len({data[end - 4 : end] for end in range(at + step, at + step * count + 1, step)}) > 1
