"""ISO media files (MP4, M4A, 3GP) read box by box: brands, tracks, codecs and where the index lies.

Sources: ISO/IEC 14496-12 (boxes), 14496-14 (esds), 14496-15 (avcC), 3GPP TS 26.244, and Apple's QuickTime
File Format for what older writers do. PyAV would say less (no brands, no place of ``moov``) and costs 8 ms a
video, because FFmpeg decodes frames on opening; the tests use it as the second eye on every file instead.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged
from greenroom.rules import SIZE_LIMITS, Category

_MOST_TOP_BOXES: Final = 20_000
_MOST_BOXES: Final = 2_000
_MOST_TRACKS: Final = 64
#: An index larger than the largest video can't belong to one.
_LARGEST_INDEX: Final = SIZE_LIMITS[Category.VIDEO]
_LARGEST_FRAGMENT: Final = 1024 * 1024
#: Bytes of a track's description that are looked at; those of H.264 and AAC take some hundred.
_LARGEST_ENTRY: Final = 64 * 1024
#: Of the flags of a run of samples: fields before its list, fields of each sample, and that the last of those
#: is the offset between decoding and showing.
_RUN_FIXED: Final = 0x005
_RUN_FIELDS: Final = 0xF00
_RUN_OFFSETS: Final = 0x800
_PICTURES_ASKED: Final = 64
_HEADER: Final = 8
_LONG_HEADER: Final = 16

_MEDIA: Final[dict[bytes, str]] = {b"vide": "video", b"soun": "audio"}


@dataclass(slots=True, kw_only=True)
class Track:
    """One track of an ISO media file.

    Attributes:
        media: ``"video"``, ``"audio"``, or the handler's four characters for anything else.
        entry: the sample entry's four characters, which name the codec.
        body: the sample entry's bytes, for what the codec says about itself.
        reordered: whether frames are stored in another order than shown, as B-frames need.
        samples: pictures or sound packets that the index lists.
        first_sample: where the first one starts and how long it is, or None.
        last_chunk: where the last run of samples starts, or None.
        seconds: play time.
    """

    media: str
    entry: bytes = b""
    body: bytes = b""
    reordered: bool = False
    samples: int = 0
    first_sample: tuple[int, int] | None = None
    last_chunk: int | None = None
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class IsoMedia:
    """What the boxes of a file say.

    Attributes:
        brand: the major brand, or None of a file without ``ftyp``.
        brands: all brands.
        tracks: in file order.
        index_at_end: whether the media data comes before the index.
        fragmented: whether the index is spread over the file.
        seconds: play time of the whole.
    """

    brand: bytes | None = None
    brands: frozenset[bytes] = frozenset()
    tracks: list[Track] = field(default_factory=list)
    index_at_end: bool = False
    fragmented: bool = False
    seconds: float = 0.0


def read_brands(head: bytes) -> tuple[bytes | None, frozenset[bytes]]:
    """The major brand and all brands in a file's first box; None where it has no ``ftyp``."""
    if head[4:8] not in (b"ftyp", b"styp") or len(head) < _LONG_HEADER:
        return None, frozenset()
    (size,) = struct.unpack_from(">I", head)
    brands = head[_LONG_HEADER : min(size, len(head))]
    others = {brands[index : index + 4] for index in range(0, len(brands) - 3, 4)}
    return head[8:12], frozenset({head[8:12], *others})


def read(content: Content) -> IsoMedia:
    """Read the boxes of a file.

    Raises:
        Damaged: the index is missing, or media data is cut short.
    """
    brand, brands = read_brands(content.head)
    found = IsoMedia(brand=brand, brands=brands)
    index = b""
    data_seen = reordered = False
    for kind, start, end in _top_boxes(content):
        if kind == b"mdat" and end > content.size:
            raise Damaged("This video or sound is cut short: it has less data than its header says.")
        if kind == b"moov":
            if end > content.size:
                raise Damaged("This video or sound is cut short: it stops within its index.")
            if end - start > _LARGEST_INDEX:
                raise Damaged(
                    "This video or sound is damaged: its index is larger than any that can be sent."
                )
            index = content.read(start, end - start)
            found.index_at_end = data_seen
        data_seen = data_seen or kind == b"mdat"
        if kind == b"moof":
            reordered = reordered or (not found.fragmented and _reorders(content, start, end))
            found.fragmented = True
    if not index:
        raise Damaged(
            "This video or sound is cut short: its index (moov) is missing, so it cannot be played."
        )
    _read_index(index, found)
    if reordered:
        for track in found.tracks:
            track.reordered = track.reordered or track.media == "video"
    return found


def _top_boxes(content: Content) -> Iterator[tuple[bytes, int, int]]:
    """Type, and start and end of the payload, of each box; ends at bytes that are no box."""
    position = 0
    for _ in range(_MOST_TOP_BOXES):
        header = content.read(position, _LONG_HEADER)
        if len(header) < _HEADER:
            return
        size, kind = struct.unpack_from(">I4s", header)
        start = position + _HEADER
        if size == 1 and len(header) == _LONG_HEADER:
            (size,) = struct.unpack_from(">Q", header, _HEADER)
            start = position + _LONG_HEADER
        elif size == 0:
            size = content.size - position  # runs to the end of the file
        if position + size < start or not kind.replace(b"\xa9", b"").isalnum():
            return
        yield kind, start, position + size
        position += size


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes inside another one."""
    for _ in range(_MOST_BOXES):
        if start + _HEADER > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        payload = start + _HEADER
        if size == 1 and start + _LONG_HEADER <= end:
            (size,) = struct.unpack_from(">Q", data, payload)
            payload = start + _LONG_HEADER
        elif size == 0:
            size = end - start
        if size < payload - start or start + size > end:
            return
        yield kind, payload, start + size
        start += size


def _reorders(content: Content, start: int, end: int) -> bool:
    """Whether the first fragment (moof) stores pictures in another order than shown; sound never is."""
    data = content.read(start, min(end - start, _LARGEST_FRAGMENT))
    runs = (
        (at, stop)
        for kind, inside, behind in _boxes(data, 0, len(data))
        if kind == b"traf"
        for kind, at, stop in _boxes(data, inside, behind)
        if kind == b"trun" and stop - at >= _HEADER
    )
    return any(_run_reorders(data, at, stop) for at, stop in runs)


def _run_reorders(data: bytes, at: int, stop: int) -> bool:
    """Whether the pictures of one run (ISO/IEC 14496-12, section 8.8.8) differ in their offsets."""
    flags, count = struct.unpack_from(">II", data, at)
    if not flags & _RUN_OFFSETS:
        return False
    at += _HEADER + 4 * (flags & _RUN_FIXED).bit_count()
    step = 4 * (flags & _RUN_FIELDS).bit_count()
    last = min(at + step * min(count, _PICTURES_ASKED), stop)
    return len({data[end - 4 : end] for end in range(at + step, last + 1, step)}) > 1


def _find(data: bytes, start: int, end: int, *path: bytes) -> tuple[int, int] | None:
    """Payload of the first box at a path of types."""
    for wanted in path:
        inside = next(((at, stop) for kind, at, stop in _boxes(data, start, end) if kind == wanted), None)
        if inside is None:
            return None
        start, end = inside
    return start, end


def _read_index(data: bytes, found: IsoMedia) -> None:
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"mvhd":
            found.seconds = _duration(data, start)
        elif kind == b"mvex":
            found.fragmented = True
            if header := _find(data, start, end, b"mehd"):
                found.seconds = found.seconds or _fragments_duration(data, header[0])
        elif kind == b"trak" and len(found.tracks) < _MOST_TRACKS:
            found.tracks.append(_track(data, start, end))
    if not found.seconds:
        found.seconds = max((track.seconds for track in found.tracks), default=0.0)


def _fragments_duration(data: bytes, start: int) -> float:
    wide = data[start] == 1
    (length,) = struct.unpack_from(">Q" if wide else ">I", data, start + 4)
    return float(length) / 1000  # the usual movie time scale


def _duration(data: bytes, start: int) -> float:
    """Seconds in an mvhd or mdhd box."""
    wide = data[start] == 1
    scale, length = struct.unpack_from(">IQ" if wide else ">II", data, start + (20 if wide else 12))
    unknown = 0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF
    return length / scale if scale and length != unknown else 0.0


def _track(data: bytes, start: int, end: int) -> Track:
    handler = _find(data, start, end, b"mdia", b"hdlr")
    kind = data[handler[0] + 8 : handler[0] + 12] if handler else b"????"
    track = Track(media=_MEDIA.get(kind, kind.decode("latin-1")))
    if header := _find(data, start, end, b"mdia", b"mdhd"):
        track.seconds = _duration(data, header[0])
    table = _find(data, start, end, b"mdia", b"minf", b"stbl")
    if table is not None:
        _read_table(data, *table, track)
    return track


def _read_table(data: bytes, start: int, end: int, track: Track) -> None:
    """The sample table: what the codec is, where samples lie."""
    sample_size = offset = None
    for kind, at, stop in _boxes(data, start, end):
        if kind == b"stsd":
            _, size, entry = (
                struct.unpack_from(">QI4s", data, at) if stop - at >= _LONG_HEADER else (0, 0, b"")
            )
            end = min(at + _HEADER + size, stop, at + _LARGEST_ENTRY)
            track.entry, track.body = entry, data[at + _LONG_HEADER : end]
        elif kind == b"ctts":
            track.reordered = _has_offsets(data, at, stop)
        elif kind == b"stsz" and stop - at >= 12:  # noqa: PLR2004 - the box's fixed part
            fixed, track.samples = struct.unpack_from(">II", data, at + 4)
            listed = (
                struct.unpack_from(">I", data, at + 12)[0] if not fixed and stop - at >= _LONG_HEADER else 0
            )
            sample_size = fixed or listed
        elif kind in _OFFSETS:
            offset, track.last_chunk = _chunk_offsets(data, at, stop, _OFFSETS[kind])
    if sample_size and offset is not None:
        track.first_sample = offset, sample_size


_OFFSETS: Final = {b"stco": ">I", b"co64": ">Q"}


def _chunk_offsets(data: bytes, at: int, stop: int, form: str) -> tuple[int | None, int | None]:
    """Where the first and the last chunk start."""
    size = struct.calcsize(form)
    (count,) = struct.unpack_from(">I", data, at + 4)
    count = min(count, (stop - at - 8) // size)
    if count <= 0:
        return None, None
    (first,) = struct.unpack_from(form, data, at + 8)
    (last,) = struct.unpack_from(form, data, at + 8 + (count - 1) * size)
    return int(first), int(last)


def _has_offsets(data: bytes, at: int, stop: int) -> bool:
    """Whether composition offsets differ: frames without B-frames all have the same one, or none."""
    count = min(struct.unpack_from(">I", data, at + 4)[0], (stop - at - 8) // 8)
    offsets = {
        data[at + 12 + index * 8 : at + 16 + index * 8] for index in range(min(count, _PICTURES_ASKED))
    }
    return len(offsets) > 1
