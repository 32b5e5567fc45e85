"""ISO media files (MP4, M4A, 3GP) as a whole: brands, tracks, and where index and data lie.

Sources: ISO/IEC 14496-12, 3GPP TS 26.244, and Apple's QuickTime File Format for what older writers do. PyAV
would say less (no brands, no place of ``moov``) and costs 8 ms a video, because FFmpeg decodes frames on
opening; the tests use it as the second eye on every file instead.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged
from greenroom.inspection.fragments import LOOKED_AT, add_fragments
from greenroom.inspection.mp4_boxes import Box, Brands, boxes, find, top_boxes
from greenroom.inspection.sample_table import Track, read_duration, read_track
from greenroom.rules import SIZE_LIMITS, Category

_MOST_TRACKS: Final = 64
#: An index larger than the largest video can't belong to one.
_LARGEST_INDEX: Final = SIZE_LIMITS[Category.VIDEO]
_DATA: Final = frozenset({b"mdat", b"imda"})
#: Boxes in which no frame and no audio can lie.
_NO_DATA: Final = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"mfra"})


@dataclass(slots=True, kw_only=True)
class IsoMedia:
    """What the boxes of a file say.

    Attributes:
        brand: the major brand, or None of a file without ``ftyp``.
        brands: all brands.
        first: what the first box is called.
        tracks: in file order.
        taken: where boxes that hold no media data start and end, in file order.
        index_at_end: whether the media data comes before the index.
        data: bytes of media data.
        fragmented: whether the index is spread over the file.
        seconds: play time of the whole.
    """

    brand: bytes | None = None
    brands: frozenset[bytes] = frozenset()
    first: bytes = b""
    tracks: list[Track] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)
    index_at_end: bool = False
    data: int = 0
    fragmented: bool = False
    seconds: float = 0.0

    def may_hold_data(self, place: int) -> bool:
        """Whether a frame or an audio packet can start at a place in the file."""
        before = bisect_right(self.taken, place, key=itemgetter(0)) - 1
        return before < 0 or place >= self.taken[before][1]


def read_iso_media(content: Content, brands: Brands) -> IsoMedia:
    """Read the boxes of a file whose brands were read.

    Raises:
        Damaged: the index is missing, or media data is cut short.
    """
    found = IsoMedia(brand=brands[0], brands=brands[1])
    index = b""
    fragments: list[Box] = []
    last = 0
    for box in top_boxes(content):
        last = box.end
        found.first = found.first or box.kind
        if box.kind in _NO_DATA:
            found.taken.append((box.at, box.end))
        if box.kind in _DATA:
            if box.end > content.size:
                raise Damaged("This video or audio is cut short: it has less data than its header says.")
            found.data += box.end - box.start
        elif box.kind == b"moov" and not index:
            index = _index(content, box)
            found.index_at_end = found.data > 0
        elif box.kind == b"moof":
            found.fragmented = True
            del fragments[LOOKED_AT:]
            fragments.append(box)
    if not index:
        raise _without_index(cut=last >= content.size)
    _read_index(index, found)
    add_fragments(content, fragments, found.tracks)
    return found


def _without_index(*, cut: bool) -> Damaged:
    """What to say of a file whose boxes end, with the file or before, and none of them is an index."""
    if cut:
        return Damaged(
            "This video or audio is cut short: its index (moov) is missing, so it cannot be played."
        )
    return Damaged("This video or audio is damaged: its index (moov) is not found, so it cannot be played.")


def _index(content: Content, box: Box) -> bytes:
    if box.end > content.size:
        raise Damaged("This video or audio is cut short: it stops within its index.")
    if box.end - box.start > _LARGEST_INDEX:
        raise Damaged("This video or audio is damaged: its index is larger than any that can be sent.")
    return content.read(box.start, box.end - box.start)


def _read_index(data: bytes, found: IsoMedia) -> None:
    scale = 0
    for box in boxes(data, 0, len(data)):
        if box.kind == b"mvhd":
            scale, found.seconds = read_duration(data, box.start)
        elif box.kind == b"mvex":
            found.fragmented = True
            if (header := find(data, box.start, box.end, b"mehd")) and scale:
                found.seconds = found.seconds or _fragments_length(data, header[0]) / scale
        elif box.kind == b"trak" and len(found.tracks) < _MOST_TRACKS:
            found.tracks.append(read_track(data, box.start, box.end))
    if not found.seconds:
        found.seconds = max((track.seconds for track in found.tracks), default=0.0)


def _fragments_length(data: bytes, start: int) -> int:
    """Ticks that the fragments play."""
    (length,) = struct.unpack_from(">Q" if data[start] == 1 else ">I", data, start + 4)
    return int(length)
