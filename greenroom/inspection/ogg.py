"""Ogg: the provider takes Opus in it and nothing else.

Source of the layout: RFC 3533 (Ogg) and RFC 7845 (Opus in Ogg). Every stream announces its codec in the
first bytes of its first page, and all first pages come before any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from greenroom.figures import human_time, listed
from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.opus import RATE, samples_of
from greenroom.reasons import Reason
from greenroom.rules import KIB
from greenroom.verdict import Notice

#: "plays as a voice note up to 512 KB": see reference/beyond-the-page.md.
VOICE_NOTE_LIMIT: Final = 512 * KIB
_OPUS: Final = "Opus"
_PAGE_HEADER: Final = 27
_CONTINUED_FLAG: Final = 0x01
_LARGEST_PAGE: Final = 65_307
_NO_AUDIO: Final = "This Ogg Opus audio is cut short: there is no audio in it."
_FIRST_PAGE_FLAG: Final = 0x02
_LAST_PAGE_FLAG: Final = 0x04
_MOST_STREAMS: Final = 16
_MOST_PAGES: Final = 20_000
_FULL: Final = 255  # a segment of a packet that goes on
#: Samples that a clock may start at without a remark.
_AT_ONCE: Final = RATE

#: How a stream's first packet opens, and what it is then. The skeleton describes others and plays nothing.
_CODECS: Final[dict[bytes, str]] = {
    b"OpusHead": _OPUS,
    b"\x01vorbis": "Vorbis",
    b"Speex   ": "Speex",
    b"\x7fFLAC": "FLAC",
    b"fLaC": "FLAC",
    b"\x80theora": "Theora video",
    b"OVP80": "VP8 video",
    b"BBCD\x00": "Dirac video",
    b"PCM     ": "uncompressed audio (PCM)",
    b"CELT    ": "CELT",
    b"\x80kate": "Kate subtitles",
    b"\x80daala": "Daala video",
    b"\x01video": "OGM video",
}
_OPUS_HEAD: Final = 19  # bytes of its identification header (RFC 7845, section 5.1)
_SKELETON: Final = b"fishead\x00"


@dataclass(frozen=True, slots=True)
class _Page:
    flags: int
    serial: int  # of its stream
    granule: int
    start: int  # of its data
    end: int
    whole: bool
    segments: bytes


@dataclass(slots=True)
class _Clock:
    """One of the recordings that follow one another in a file.

    Attributes:
        skipped: samples at the start that are not heard.
        began: what its clock was before the first sample, or None as long as no page has said.
        counted: samples of all packets so far, as long as that is so.
        now: what its clock is.
    """

    serial: int
    skipped: int
    began: int | None = None
    counted: int = 0
    now: int = 0

    @property
    def samples(self) -> int:
        return max(0, self.now - (self.began or 0) - self.skipped)


def examine(content: Content) -> Finding:
    """Judge a file that starts with an Ogg page.

    Raises:
        Damaged: no stream can be told, or the last page is cut short.
    """
    heads = [head for head in _first_packets(content) if not head.startswith(_SKELETON)]
    codecs = [_codec(head) for head in heads]
    if not codecs:
        raise Damaged("This Ogg file is damaged: it holds no audio that can be told.")
    foreign = [codec for codec in codecs if codec != _OPUS]
    chained = not foreign and _is_chained(content)
    if chained:
        codecs = [_codec(head) for head in _first_packets(content, most=_MOST_PAGES, through=True)]
        foreign = [codec for codec in codecs if codec != _OPUS]
    if foreign:
        found = listed(foreign)
        return Finding(
            label=f"Ogg file, {listed(codecs)}",
            mime_type="audio/ogg",
            reason=Reason.CODEC_NOT_SUPPORTED,
            detail=f"This Ogg file holds {found}; WhatsApp takes Ogg with Opus audio only.",
            extensions=(".ogg", ".oga", ".ogv", ".ogx", ".spx"),
        )
    return _judge_opus(content, heads[codecs.index(_OPUS)], chained=chained)


def _judge_opus(content: Content, head: bytes, *, chained: bool) -> Finding:
    if len(head) < _OPUS_HEAD:
        raise Damaged("This Ogg Opus audio is damaged: its header is incomplete.")
    channels = head[9]
    if channels == 0:
        raise Damaged("This Ogg Opus audio is damaged: its header names no audio channel.")
    last = _last_page(content)
    if not last.whole or content.size <= last.start:
        raise Damaged("This Ogg Opus audio is cut short: its last part is incomplete.")
    if last.flags & _FIRST_PAGE_FLAG or last.granule == 0:
        # Header pages have no play position (RFC 7845, section 4); audio pages have, or -1.
        raise Damaged(_NO_AUDIO)
    clocks = list(_clocks(content, through=chained))
    if not chained and clocks:
        clocks[0].now = last.granule
    seconds = sum(clock.samples for clock in clocks) / RATE
    if last.granule > 0 and clocks and seconds <= 0:
        raise Damaged(_NO_AUDIO)  # players throw away what comes first, up to pre-skip, and that is all
    notices = list(_clock_notices(clocks))
    if channels > 1:
        detail = (
            f"This voice note has {channels} audio channels; Meta asks for one (mono), or it may not play."
        )
        notices.append(Notice(code="opus_not_mono", detail=detail))
    if content.size > VOICE_NOTE_LIMIT:
        detail = (
            f"This is {content.size / KIB:,.0f} KB; above 512 KB it is no voice note, but a file to download."
        )
        notices.append(Notice(code="not_a_voice_note", detail=detail))
    if not last.flags & _LAST_PAGE_FLAG:
        notices.append(
            Notice(code="no_end_mark", detail="The audio has no end mark; it may have been cut short.")
        )
    kind = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    return Finding(
        label=f"Ogg Opus audio, {human_time(seconds)}, {kind}", mime_type="audio/ogg", notices=tuple(notices)
    )


def _codec(head: bytes) -> str:
    return next((name for start, name in _CODECS.items() if head.startswith(start)), "an unknown codec")


def _page(content: Content, offset: int) -> _Page | None:
    """The page at an offset, or None where there is none."""
    header = content.read(offset, _PAGE_HEADER + 255)
    if len(header) < _PAGE_HEADER or not header.startswith(b"OggS\x00"):
        return None
    flags, segments = header[5], header[26]
    granule, serial = struct.unpack_from("<qI", header, 6)
    start = offset + _PAGE_HEADER + segments
    end = start + sum(header[_PAGE_HEADER : _PAGE_HEADER + segments])
    return _Page(
        flags=flags,
        serial=serial,
        granule=granule,
        start=start,
        end=end,
        whole=end <= content.size,
        segments=header[_PAGE_HEADER : _PAGE_HEADER + segments],
    )


def _first_packets(content: Content, *, most: int = _MOST_STREAMS, through: bool = False) -> Iterator[bytes]:
    """How the first packet of every stream opens.

    Args:
        content: the file.
        most: pages to look at.
        through: whether to go on behind the first pages, to the streams that start later.
    """
    offset = 0
    for _ in range(most):
        page = _page(content, offset)
        if page is None or not (through or page.flags & _FIRST_PAGE_FLAG):
            return
        if page.flags & _FIRST_PAGE_FLAG:
            yield content.read(page.start, min(page.end - page.start, 64))
        offset = page.end


def _clocks(content: Content, *, through: bool) -> Iterator[_Clock]:
    """The clock of each recording of Opus.

    Args:
        content: the file.
        through: whether to go on to the file's end; else only until it is known what the first one began at.
    """
    offset, clock, first = 0, None, True
    for _ in range(_MOST_PAGES):
        page = _page(content, offset)
        if page is None:
            break
        offset = page.end
        if page.flags & _FIRST_PAGE_FLAG:
            start = content.read(page.start, _OPUS_HEAD)
            if start.startswith(b"OpusHead") and (clock is None or not first):
                if clock is not None:
                    yield clock
                clock = _Clock(serial=page.serial, skipped=int.from_bytes(start[10:12], "little"))
        elif clock is not None and page.serial == clock.serial:
            _continue(content, page, clock)
            if clock.began is not None and not through:
                break
        first = bool(page.flags & _FIRST_PAGE_FLAG)
    if clock is not None:
        yield clock


def _continue(content: Content, page: _Page, clock: _Clock) -> None:
    """Move a clock by one page."""
    if clock.began is None and page.granule:  # pages of headers have none
        clock.counted += _samples(content, page)
        if page.granule > 0:
            clock.began = max(0, page.granule - clock.counted)
    if page.granule > 0:
        clock.now = page.granule


def _samples(content: Content, page: _Page) -> int:
    """Samples of the packets that start on a page; of the one that goes on on the next page, too."""
    data, position, samples = content.read(page.start, page.end - page.start), 0, 0
    fresh = not page.flags & _CONTINUED_FLAG
    for length in page.segments:
        if fresh and length:
            with suppress(ValueError):  # what is no packet of Opus lasts nothing
                samples += samples_of(data[position : position + 2])
        fresh = length < _FULL
        position += length
    return samples


def _clock_notices(clocks: list[_Clock]) -> Iterator[Notice]:
    """What players may show wrongly."""
    if len(clocks) > 1:
        detail = (
            f"This file is {len(clocks)} recordings that follow one another; phones may play the first alone."
        )
        yield Notice(code="chained", detail=detail)
    if clocks and (clocks[0].began or 0) > _AT_ONCE:
        at = human_time((clocks[0].began or 0) / RATE)
        yield Notice(
            code="starts_late", detail=f"Its clock starts at {at}, not at 0; phones may show a wrong length."
        )


def _is_chained(content: Content) -> bool:
    """Whether streams follow one another (RFC 3533, section 4): the last page is of none of the first."""
    offset = 0
    first: set[int] = set()
    for _ in range(_MOST_STREAMS):
        page = _page(content, offset)
        if page is None or not page.flags & _FIRST_PAGE_FLAG:
            break
        first.add(page.serial)
        offset = page.end
    return _last_page(content).serial not in first


def _last_page(content: Content) -> _Page:
    """The last page that starts in the file."""
    tail = content.tail(2 * _LARGEST_PAGE)
    base = content.size - len(tail)
    position = tail.rfind(b"OggS\x00")
    while position >= 0:
        page = _page(content, base + position)
        if page is not None:
            return page
        if content.size - (base + position) < _PAGE_HEADER:
            break  # a page that ends within its own header
        position = tail.rfind(b"OggS\x00", 0, position)
    raise Damaged("This Ogg Opus audio is cut short: its last part is incomplete.")
