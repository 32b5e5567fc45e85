"""MP3 and AAC as bare frames, with or without an ID3 tag before them.

Sources: ISO/IEC 11172-3 and 13818-3 (MPEG audio frame headers), ISO/IEC 13818-7 annex (ADTS), id3.org
(ID3v2.4 structure, section 3.1), and LAME's description of the Xing/Info header for play time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from greenroom.figures import human_size, human_time
from greenroom.inspection.content import Content
from greenroom.inspection.finding import Damaged, Finding
from greenroom.inspection.sniff import has_id3
from greenroom.reasons import Reason
from greenroom.verdict import Notice

#: Bytes behind the tags in which frames are looked for.
SEARCH_WINDOW: Final = 64 * 1024
_FRAMES_WANTED: Final = 3
_MOST_TAGS: Final = 8
_MOST_ZEROS: Final = 16  # windows
_LONGEST_FREE: Final = 8 * 1024
#: Where a tag is longer than it says: bytes behind its said end in which frames are looked for, how many at
#: once, how far a row of frames may reach beyond those, and how many frames prove that it is no chance.
_SEARCHED: Final = 8 * 1024 * 1024
_STEP: Final = 512 * 1024
_REACH: Final = 64 * 1024
_PROOF: Final = 20
#: Places in a file where a frame may seem to start, and which are tried.
_MOST_TRIES: Final = 16 * 1024
_START: Final = re.compile(rb"\xff(?=[\xe0-\xff])")
_LONGEST_FRAME: Final = 1441  # of MP3
_MARKS: Final = (b"Xing", b"Info")

_MPEG1, _MPEG2, _MPEG25 = 3, 2, 0
_LAYER3, _LAYER2, _LAYER1 = 1, 2, 3
_RATES: Final = {_MPEG1: (44100, 48000, 32000), _MPEG2: (22050, 24000, 16000), _MPEG25: (11025, 12000, 8000)}
_V1_LAYER1: Final = (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
_V1_LAYER2: Final = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_V1_LAYER3: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V2_LAYER1: Final = (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_V2_LAYERS: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_V1_RATES: Final = {_LAYER1: _V1_LAYER1, _LAYER2: _V1_LAYER2, _LAYER3: _V1_LAYER3}
_V2_RATES: Final = {_LAYER1: _V2_LAYER1, _LAYER2: _V2_LAYERS, _LAYER3: _V2_LAYERS}
_LAYER_NAMES: Final = {_LAYER1: "MPEG audio layer I", _LAYER2: "MPEG audio layer II (MP2)"}
_ADTS_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_ADTS_HEADER: Final = 7
_ADTS_SAMPLES: Final = 1024
_ADTS_MASK: Final = 0xF6
_ADTS_SYNC: Final = 0xF0
#: Of header bytes 1 to 3: all but the private bit, the two copyright bits and the length.
_ADTS_FIXED: Final = 0xFFFDF0
_SYNC: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame's header: what it is, how long in bytes and how long it plays."""

    kind: str
    size: int
    samples: int
    rate: int
    stereo: bool
    fixed: int = 0  # the bits of an ADTS header that every frame of a stream repeats

    def continues(self, other: Frame) -> bool:
        """Whether two frames can belong to one stream."""
        return self.kind == other.kind and self.rate == other.rate and self.fixed == other.fixed


def adts_frame(data: bytes, offset: int) -> Frame | None:
    """The ADTS frame at an offset, or None."""
    header = data[offset : offset + _ADTS_HEADER]
    if len(header) < _ADTS_HEADER or header[0] != _SYNC or header[1] & _ADTS_MASK != _ADTS_SYNC:
        return None
    rate = header[2] >> 2 & 15
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    if rate >= len(_ADTS_RATES) or size < _ADTS_HEADER:
        return None
    channels = (header[2] & 1) << 2 | header[3] >> 6
    blocks = (header[6] & 3) + 1
    fixed = int.from_bytes(header[1:4], "big") & _ADTS_FIXED
    return Frame("AAC", size, _ADTS_SAMPLES * blocks, _ADTS_RATES[rate], channels > 1, fixed)


def mpeg_frame(data: bytes, offset: int) -> Frame | None:
    """The MPEG audio frame at an offset, or None; for a free-format one see :func:`free_format`."""
    header = data[offset : offset + 4]
    if len(header) < 4 or header[0] != _SYNC or header[1] & 0xE0 != 0xE0:  # noqa: PLR2004 - a header's length
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    rates = _RATES.get(version)
    tables = _V1_RATES if version == _MPEG1 else _V2_RATES
    rate_index, bit_index, padding = header[2] >> 2 & 3, header[2] >> 4, header[2] >> 1 & 1
    if rates is None or layer not in tables or rate_index == 3 or bit_index in (0, 15):  # noqa: PLR2004 - reserved
        return None
    rate, bits = rates[rate_index], tables[layer][bit_index] * 1000
    if layer == _LAYER1:
        samples, size = 384, (12 * bits // rate + padding) * 4
    else:
        samples = 576 if layer == _LAYER3 and version != _MPEG1 else 1152
        size = samples // 8 * bits // rate + padding
    return Frame(_LAYER_NAMES.get(layer, "MP3"), size, samples, rate, header[3] >> 6 != 3)  # noqa: PLR2004 - mono


def examine(content: Content) -> Finding:
    """Judge a file that starts with an ID3 tag or what looks like a frame.

    Raises:
        Damaged: no frames follow.
    """
    start = after_tags(content)
    window = content.read(start, SEARCH_WINDOW)
    if window.startswith(b"fLaC"):
        return Finding(
            label="FLAC audio",
            reason=Reason.TYPE_NOT_SUPPORTED,
            detail="This is FLAC audio; WhatsApp takes AAC, AMR, MP3, M4A or Ogg Opus audio.",
            extensions=(".flac",),
        )
    found = find_frames(window, at_end=start + len(window) >= content.size) or free_format(window)
    if has_id3(content.head) and (found is None or found[0] > 0):
        # Chance makes three frames of an image's bytes, if those of a tag that is longer than it says.
        found = _behind_tag(content, start) or found
    if found is None:
        raise Damaged("This MP3 or AAC audio is damaged: there is no audio in it that can be played.")
    offset, frame = found
    audio = content.read(start + offset, SEARCH_WINDOW)
    if _is_contents_alone(audio, frame):
        raise Damaged("This MP3 audio is cut short: it has a table of contents and no audio.")
    if frame.kind in _LAYER_NAMES.values():
        return Finding(
            label=frame.kind,
            mime_type="audio/mpeg",
            reason=Reason.CODEC_NOT_SUPPORTED,
            detail=f"This is {frame.kind}; of this family WhatsApp takes MP3 (layer III) only.",
            extensions=(".mp2", ".mp3", ".mpa", ".mp1"),
        )
    seconds = _play_time(audio, frame, content.size - start - offset)
    kind, mime_type = ("AAC audio", "audio/aac") if frame.kind == "AAC" else ("MP3 audio", "audio/mpeg")
    channels = "stereo" if frame.stereo else "mono"
    return Finding(
        label=f"{kind}, {human_time(seconds)}, {channels}",
        mime_type=mime_type,
        notices=_notices(offset) if has_id3(content.head) else (),
    )


def _notices(stray: int) -> tuple[Notice, ...]:
    """A notice where there is more than a cut frame between a tag's end, by its own word, and the audio."""
    if stray <= _LONGEST_FRAME:
        return ()
    detail = f"Between title tag and audio are {human_size(stray)} of other data; most players skip it."
    return (Notice(code="stray_bytes", detail=detail),)


def _behind_tag(content: Content, start: int) -> tuple[int, Frame] | None:
    """The first of many frames behind a tag, counted from its end by its own word."""
    tries = iter(range(_MOST_TRIES))
    for base in range(start, min(content.size, start + _SEARCHED), _STEP):
        window = content.read(base, _STEP + _REACH)
        at_end = base + len(window) >= content.size
        if found := find_frames(window, at_end=at_end, wanted=_PROOF, tries=tries):
            return base - start + found[0], found[1]
    return None


def _is_contents_alone(audio: bytes, first: Frame) -> bool:
    """Whether the only frame is the one in which an encoder wrote down how much there is."""
    return any(mark in audio[: first.size] for mark in _MARKS) and mpeg_frame(audio, first.size) is None


def after_tags(content: Content) -> int:
    """Where the audio starts: behind any ID3v2 tags and the zeros that some writers pad with."""
    offset = 0
    for _ in range(_MOST_TAGS):
        header = content.read(offset, 10)
        if len(header) < 10 or not has_id3(header) or max(header[6:10]) > 127:  # noqa: PLR2004 - 7-bit bytes
            break
        length = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
        offset += 10 + length + (10 if header[5] & 0x10 else 0)
    if offset > content.size:
        raise Damaged(
            "This audio is damaged or cut short: its title tag says that it is longer than the file."
        )
    return after_zeros(content, offset)


def after_zeros(content: Content, offset: int = 0) -> int:
    """Where the zeros end that some writers and recorders put first."""
    for _ in range(_MOST_ZEROS):
        window = content.read(offset, SEARCH_WINDOW)
        audio = window.lstrip(b"\0")
        offset += len(window) - len(audio)
        if audio or not window:
            break
    return offset


def find_frames(
    window: bytes, *, at_end: bool, wanted: int = _FRAMES_WANTED, tries: Iterator[int] | None = None
) -> tuple[int, Frame] | None:
    """The first place where frames follow one another, and the first of them.

    Args:
        window: the bytes to look in.
        at_end: whether the file ends where the window does, so that a last frame need not be followed.
        wanted: frames in a row that are proof enough.
        tries: one is taken for each place that is tried, and none after the last.
    """
    for start, _ in zip(_START.finditer(window), tries or iter(range(_MOST_TRIES)), strict=False):
        for read in (adts_frame, mpeg_frame):
            frame = read(window, start.start())
            if frame is not None and _followed(window, start.start(), frame, at_end=at_end, wanted=wanted):
                return start.start(), frame
    return None


def _followed(window: bytes, offset: int, first: Frame, *, at_end: bool, wanted: int) -> bool:
    read = adts_frame if first.kind == "AAC" else mpeg_frame
    frame: Frame | None = first
    start = offset
    for seen in range(wanted):
        if frame is None or not first.continues(frame):
            return False
        offset += frame.size
        if offset >= len(window):
            return at_end and _proves(seen + 1, wanted, first=start == 0, whole=offset == len(window))
        if at_end and window.startswith((b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN"), offset):
            return _proves(seen + 1, wanted, first=start == 0, whole=True)
        frame = read(window, offset)
    return True


def _proves(frames: int, wanted: int, *, first: bool, whole: bool) -> bool:
    """Whether frames up to the file's end are proof, though they are fewer than wanted.

    The last frame of a file may be cut; a single one proves something only if it is all there is.
    """
    if wanted <= _FRAMES_WANTED:
        return frames > 1 or (first and whole)
    return whole and frames > _FRAMES_WANTED


def free_format(window: bytes) -> tuple[int, Frame] | None:
    """The first frame where the audio starts in free format: a bit rate that no table lists.

    Such a header does not say how long its frame is (ISO/IEC 11172-3, section 2.4.2.3); the next one that is
    alike tells, and two more at the same distance prove it.
    """
    header = window[:4]
    listed = header[:2] + bytes([header[2] | 0x10]) + header[3:] if len(header) == 4 else b""  # noqa: PLR2004 - a header
    shape = mpeg_frame(listed, 0)
    if shape is None or header[2] >> 4:
        return None
    at = window.find(header[:2], 4, _LONGEST_FREE)
    while at >= 0:
        if all(_alike(window, index * at, header) for index in (1, 2, 3)):
            return 0, replace(shape, size=at)
        at = window.find(header[:2], at + 1, _LONGEST_FREE)
    return None


def _alike(window: bytes, near: int, header: bytes) -> bool:
    """Whether a frame of the same stream starts at a place, or a few bytes on, where padding was added."""
    return any(
        window.startswith(header[:2], at) and window[at + 2] & 0xFC == header[2] & 0xFC
        for at in range(near, min(near + 4, len(window) - 2))
    )


def _play_time(audio: bytes, first: Frame, size: int) -> float:
    """Seconds of audio: counted where the encoder wrote it down, otherwise estimated from a first stretch."""
    for mark in _MARKS:
        at = audio.find(mark, 0, first.size)
        if at >= 0 and len(audio) >= at + 12 and audio[at + 7] & 1:
            return float(struct.unpack_from(">I", audio, at + 8)[0] * first.samples / first.rate)
    read = adts_frame if first.kind == "AAC" else mpeg_frame
    offset = frames = 0
    while frames < 200 and (frame := read(audio, offset)):  # noqa: PLR2004 - five seconds are a fair sample
        offset += frame.size
        frames += 1
    return size / max(offset, 1) * frames * first.samples / first.rate
