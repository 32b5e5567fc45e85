"""JPEG: size, colours, orientation and whether the data runs to its end marker.

The markers are walked (ITU T.81, annex B) instead of decoding: libjpeg takes 4 ms for 400 KB and reports
no more, since it only warns of damaged data. The end marker is looked for after the image data, so that the
thumbnail's own end inside EXIF does not count.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from greenroom.figures import human_size
from greenroom.inspection.content import KEEP, Content
from greenroom.inspection.exif import orientation_notices
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.jpeg_scan import Segment, last_scan_is_whole
from greenroom.inspection.raster import judge_image
from greenroom.reasons import Reason
from greenroom.verdict import Notice

_NAME: Final = "JPEG image"
_CUT_SHORT: Final = "This JPEG image has no end mark; it seems to be cut short."
_NO_IMAGE: Final = "This JPEG image is damaged: there is no image data in it."
_SOS: Final = 0xDA
_EOI: Final = 0xD9
_APP1: Final = 0xE1
_SOI: Final = 0xD8
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
#: Markers that readers know: tables (DHT, DAC, DQT, DNL, DRI), scans, applications' own and comments.
_KNOWN: Final = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE})
_BASELINE: Final = frozenset({0xC0, 0xC1, 0xC2})
#: Start-of-frame markers that browsers and phones do not decode, by the name of their process.
_EXOTIC: Final[dict[int, str]] = {
    0xC3: "lossless",
    **dict.fromkeys((0xC5, 0xC6, 0xC7), "hierarchical"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB), "arithmetic-coded"),
    **dict.fromkeys((0xCD, 0xCE, 0xCF), "arithmetic-coded hierarchical"),
    0xF7: "JPEG-LS",
}
_COLOURS: Final[dict[int, str]] = {1: "greyscale", 4: "CMYK (for print)"}
_RGB: Final = 3
_EIGHT_BIT: Final = 8
_MARK: Final = 0xFF
_MOST_MARKERS: Final = 10_000
#: In image data, 0xFF is followed by 0x00, a restart mark or a fill byte; by anything else it is a marker.
#: Before a marker there may be any number of fill bytes; the last one belongs to it.
_NO_FILL: Final = re.compile(rb"[^\xff]")
_RESYNC: Final = re.compile(rb"\xff[^\x00]")
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(slots=True)
class _Facts:
    process: int = 0
    precision: int = 0
    width: int = 0
    height: int = 0
    components: int = 0
    exif: bytes = field(default=b"")
    ended: bool = False
    scanned: bool = False
    stray: int = 0  # bytes between segments
    segments: list[Segment] = field(default_factory=list)


def examine(content: Content) -> Finding:
    """Judge a file that starts with a JPEG signature.

    Raises:
        Damaged: there is no image data in it, or stops before its end.
    """
    facts = _walk(content.data if content.data is not None else content.read(0, KEEP))
    if not facts.process:
        raise Damaged(_NO_IMAGE)
    if facts.process in _EXOTIC:
        return _exotic(_EXOTIC[facts.process])
    finding = judge_image(
        name=_NAME,
        mime_type="image/jpeg",
        width=facts.width,
        height=facts.height,
        colour=_colour(facts),
        notices=orientation_notices(facts.exif),
    )
    if content.data is None:
        return finding
    if not facts.scanned:
        raise Damaged(_CUT_SHORT if not facts.ended else _NO_IMAGE)
    if not facts.ended and not last_scan_is_whole(content.data, facts.segments):
        raise Damaged(_CUT_SHORT)
    return replace(finding, notices=finding.notices + tuple(_notices(facts)))


def _notices(facts: _Facts) -> Iterator[Notice]:
    if facts.stray:
        detail = f"Between the parts of this JPEG are {human_size(facts.stray)} that do not belong to it."
        yield Notice(code="stray_bytes", detail=f"{detail} Viewers pass over them.")
    if not facts.ended:
        detail = "This JPEG image has no end mark. Its image is whole, and viewers show it."
        yield Notice(code="no_end_mark", detail=detail)


def _exotic(process: str) -> Finding:
    return Finding(
        label=f"{process} JPEG image",
        reason=Reason.TYPE_NOT_SUPPORTED,
        detail=f"This JPEG is {process}, which phones cannot show; WhatsApp takes common JPEG or PNG images.",
        extensions=(".jpg", ".jpeg", ".jls"),
    )


def _colour(facts: _Facts) -> str | None:
    if facts.precision != _EIGHT_BIT:
        return f"{facts.precision}-bit"
    if facts.components == _RGB:
        return None
    return _COLOURS.get(facts.components, f"of {facts.components} colour channels")


def _walk(data: bytes) -> _Facts:
    """Follow the markers from the first to the end mark, or as far as they go."""
    facts = _Facts()
    position = 2
    for _ in range(_MOST_MARKERS):
        position = _next_marker(data, position, facts)
        if position + 2 > len(data):
            return facts
        marker = data[position + 1]
        position += 2
        if marker == _EOI:
            facts.ended = True
            return facts
        if marker in _STANDALONE:
            continue
        _require_known(marker)
        (length,) = struct.unpack_from(">H", data.ljust(position + 2, b"\0"), position)
        if length < 2 or position + length > len(data):  # noqa: PLR2004 - a length counts its own two bytes
            return facts
        _note(facts, marker, data, position + 2, position + length)
        position += length
        if marker == _SOS:
            following = _NEXT_MARKER.search(data, position)
            if following is None:
                return facts
            position = following.start()
    return facts


def _next_marker(data: bytes, position: int, facts: _Facts) -> int:
    """Where the next marker starts: behind bytes that belong to no segment, and behind fill bytes."""
    if position < len(data) and (data[position] != _MARK or data.startswith(b"\xff\0", position)):
        found = _RESYNC.search(data, position)
        if found is None:
            return len(data)
        facts.stray += found.start() - position
        position = found.start()
    if data.startswith(b"\xff\xff", position):
        found = _NO_FILL.search(data, position)
        position = found.start() - 1 if found else len(data)
    return position


def _require_known(marker: int) -> None:
    """Raise Damaged at a marker at which every decoder gives up."""
    if marker == _SOI:
        raise Damaged("This JPEG image is damaged: another image starts within it.")
    if marker not in _KNOWN and marker not in _BASELINE and marker not in _EXOTIC:
        raise Damaged("This JPEG image is damaged: there is a mark in it that no program knows.")


def _note(facts: _Facts, marker: int, data: bytes, start: int, end: int) -> None:
    """Keep what a segment says about the image."""
    facts.segments.append((marker, start, end))
    if marker in _BASELINE or marker in _EXOTIC:
        if not facts.process and end - start >= struct.calcsize(">BHHB"):
            facts.process = marker
            facts.precision, facts.height, facts.width, facts.components = struct.unpack_from(
                ">BHHB", data, start
            )
    elif marker == _SOS:
        facts.scanned = True
    elif marker == _APP1 and not facts.exif and data.startswith(b"Exif\0\0", start):
        facts.exif = data[start + 6 : end]
