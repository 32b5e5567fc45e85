"""Whether a container that mostly holds videos holds audio alone, by the types of its tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from greenroom.inspection.content import Content

#: Elements, objects or chunks that are looked at, and bytes of a track list.
_MOST_PARTS: Final = 256
_MOST_BYTES: Final = 256 * 1024

_SEGMENT: Final = 0x18538067
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_TRACK_TYPE: Final = 0x83
_CLUSTER: Final = 0x1F43B675
#: Track types of RFC 9559, 5.1.4.1.3.
_MKV_VIDEO: Final = 1
_MKV_AUDIO: Final = 2
_LONGEST_ID: Final = 4
_LONGEST_SIZE: Final = 8

_ASF_HEADER: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_STREAM: Final = bytes.fromhex("9107dcb7b7a9cf118ee600c00c205365")
_ASF_AUDIO: Final = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
_ASF_VIDEO: Final = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")


def _number(data: bytes, at: int, longest: int, *, marked: bool) -> tuple[int, int] | None:
    """A number of variable length (RFC 8794, 4), and where it ends; its marker is part of an ID."""
    if at >= len(data) or data[at] == 0:
        return None
    length = 9 - data[at].bit_length()
    if length > longest or at + length > len(data):
        return None
    value = int.from_bytes(data[at : at + length], "big")
    return value if marked else value & ~(1 << 7 * length), at + length


def _elements(read: Callable[[int, int], bytes], at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """ID, start and end of the elements between two places; of unknown length, to the parent's end."""
    for _ in range(_MOST_PARTS):
        if at >= end:
            return
        head = read(at, _LONGEST_ID + _LONGEST_SIZE)
        name = _number(head, 0, _LONGEST_ID, marked=True)
        size = _number(head, name[1], _LONGEST_SIZE, marked=False) if name else None
        if name is None or size is None:
            return
        start = at + size[1]
        unknown = size[0] == (1 << 7 * (size[1] - name[1])) - 1
        at = end if unknown else min(end, start + size[0])
        yield name[0], start, at


def _matroska(content: Content) -> set[int]:
    """The types of the tracks. Source: RFC 9559."""
    for name, start, end in _elements(content.read, 0, content.size):
        if name != _SEGMENT:
            continue
        for part, first, last in _elements(content.read, start, end):
            if part == _TRACKS:
                listed = content.read(first, min(last - first, _MOST_BYTES))
                return set(_track_types(listed))
            if part == _CLUSTER:
                return set()
    return set()


def _track_types(listed: bytes) -> Iterator[int]:
    def read(at: int, length: int) -> bytes:
        return listed[at : at + length]

    for name, start, end in _elements(read, 0, len(listed)):
        if name == _TRACK:
            for part, first, last in _elements(read, start, end):
                if part == _TRACK_TYPE:
                    yield int.from_bytes(listed[first:last], "big")


def _is_matroska_audio(content: Content) -> bool:
    kinds = _matroska(content)
    return _MKV_AUDIO in kinds and _MKV_VIDEO not in kinds


def _is_asf_audio(content: Content) -> bool:
    """Source: Microsoft, Advanced Systems Format 01.20.05, sections 3.1 to 3.3 and 10.4."""
    header = content.read(0, _MOST_BYTES)
    if not header.startswith(_ASF_HEADER):
        return False
    kinds: set[bytes] = set()
    at = 30
    for _ in range(_MOST_PARTS):
        size = int.from_bytes(header[at + 16 : at + 24], "little")
        if header.startswith(_ASF_STREAM, at):
            kinds.add(header[at + 24 : at + 40])
        if size < 24:  # noqa: PLR2004 - an object's GUID and size
            break
        at += size
    return _ASF_AUDIO in kinds and _ASF_VIDEO not in kinds


def _is_avi_audio(content: Content) -> bool:
    """Source: Microsoft, AVI RIFF File Reference: the stream headers' fccType."""
    head = content.read(0, _MOST_BYTES)
    end = head.find(b"movi")
    kinds: set[bytes] = set()
    at = head.find(b"strh", 0, end if end > 0 else None)
    while at >= 0 and len(kinds) < _MOST_PARTS:
        kinds.add(head[at + 8 : at + 12])
        at = head.find(b"strh", at + 4, end if end > 0 else None)
    return b"auds" in kinds and not kinds & {b"vids", b"iavs"}


def _is_real_audio(content: Content) -> bool:
    """Source: Helix, RealMedia File Format: each stream's properties name its MIME type."""
    head = content.read(0, _MOST_BYTES)
    end = head.find(b"DATA\0")
    listed = head[: end if end > 0 else None]
    return b"audio/x-pn-realaudio" in listed and b"video/x-pn-realvideo" not in listed


def _is_flash_audio(content: Content) -> bool:
    """Source: Adobe, Flash Video File Format 10.1, annex E.2: the flags of its header."""
    return content.head[4:5] == b"\x04"


#: A video's MIME type, how to tell that there is no video in it, and what it is then.
_AUDIO: Final[dict[str, tuple[Callable[[Content], bool], str]]] = {
    "video/x-matroska": (_is_matroska_audio, "audio/x-matroska"),
    "application/x-matroska": (_is_matroska_audio, "audio/x-matroska"),
    "video/webm": (_is_matroska_audio, "audio/webm"),
    "video/x-ms-asf": (_is_asf_audio, "audio/x-ms-wma"),
    "video/x-msvideo": (_is_avi_audio, "audio/x-msvideo"),
    "application/vnd.rn-realmedia": (_is_real_audio, "audio/x-pn-realaudio"),
    "video/x-flv": (_is_flash_audio, "audio/x-flv"),
}


def audio_if_alone(content: Content, mime: str) -> str:
    """The MIME type of audio where a video's container holds nothing else; otherwise the type given."""
    holds_audio_alone, audio = _AUDIO.get(mime, (lambda _: False, mime))
    return audio if holds_audio_alone(content) else mime
