"""Codecs inside ISO media files, by the names that people know them by."""

from __future__ import annotations

import struct
from typing import Final

from greenroom.inspection.content import Content
from greenroom.inspection.sample_table import Track

H264: Final = "H.264"
AAC: Final = "AAC"
JPEG: Final = "Motion JPEG video"
PNG: Final = "PNG video"
VIDEO: Final = frozenset({H264})
AUDIO: Final = frozenset({AAC})

#: Sample entries (MP4 registration authority, and QuickTime's older ones). ``mp4v`` and ``mp4a`` say more in
#: their esds box, see :data:`_OBJECT_TYPES`.
_ENTRIES: Final[dict[bytes, str]] = {
    **dict.fromkeys((b"avc1", b"avc2", b"avc3", b"avc4"), H264),
    **dict.fromkeys((b"hvc1", b"hev1", b"hvc2", b"hev2"), "HEVC (H.265) video"),
    **dict.fromkeys((b"dvh1", b"dvhe", b"dva1", b"dvav", b"dav1"), "Dolby Vision video"),
    **dict.fromkeys((b"vvc1", b"vvi1"), "VVC (H.266) video"),
    b"av01": "AV1 video",
    b"vp08": "VP8 video",
    b"vp09": "VP9 video",
    **dict.fromkeys((b"s263", b"h263", b"H263"), "H.263 video"),
    **dict.fromkeys((b"apch", b"apcn", b"apcs", b"apco", b"ap4h", b"ap4x"), "ProRes video"),
    **dict.fromkeys((b"mjpg", b"jpeg", b"mjpa", b"mjpb"), JPEG),
    **dict.fromkeys((b"XVID", b"DIVX", b"xvid", b"divx", b"FMP4"), "MPEG-4 Part 2 video"),
    b"png ": PNG,
    b"rle ": "Animation video",
    b"SVQ3": "Sorenson video",
    b"vc-1": "VC-1 video",
    **dict.fromkeys((b".mp3", b"ms\x00\x55"), "MP3 audio"),
    b"ac-3": "AC-3 (Dolby Digital) audio",
    b"ec-3": "E-AC-3 (Dolby Digital Plus) audio",
    b"ac-4": "AC-4 audio",
    b"mlpa": "Dolby TrueHD audio",
    **dict.fromkeys((b"dtsc", b"dtsh", b"dtsl", b"dtse", b"dtsx"), "DTS audio"),
    b"alac": "Apple Lossless (ALAC) audio",
    b"Opus": "Opus audio",
    b"fLaC": "FLAC audio",
    b"samr": "AMR audio",
    b"sawb": "wide-band AMR audio",
    b"sawp": "AMR-WB+ audio",
    **dict.fromkeys((b"mha1", b"mhm1"), "MPEG-H audio"),
    **dict.fromkeys(
        (b"twos", b"sowt", b"lpcm", b"ipcm", b"fpcm", b"raw ", b"in24", b"in32", b"fl32"),
        "uncompressed audio (PCM)",
    ),
    **dict.fromkeys((b"ulaw", b"alaw"), "telephone audio (G.711)"),
    **dict.fromkeys((b"drms", b"enca"), "copy-protected audio"),
    **dict.fromkeys((b"drmi", b"encv"), "copy-protected video"),
    **dict.fromkeys((b"sqcp", b"Qclp", b"sevc"), "QCELP audio"),
}

#: MPEG-4 object type indications (ISO/IEC 14496-1, table 5; MP4 registration authority).
_OBJECT_TYPES: Final[dict[int, str]] = {
    0x20: "MPEG-4 Part 2 video",
    0x21: H264,
    0x23: "HEVC (H.265) video",
    **dict.fromkeys(range(0x60, 0x66), "MPEG-2 video"),
    0x6A: "MPEG-1 video",
    0x6C: JPEG,
    0x6D: PNG,
    0x40: AAC,
    0x66: AAC,
    0x67: AAC,
    0x68: AAC,
    0x69: "MP3 audio",
    0x6B: "MP3 audio",
    0xA5: "AC-3 (Dolby Digital) audio",
    0xA6: "E-AC-3 (Dolby Digital Plus) audio",
    0xA9: "DTS audio",
    0xAD: "Opus audio",
    0xDD: "Vorbis audio",
    0xE1: "QCELP audio",
}
#: Audio object types under 0x40 that are not AAC (ISO/IEC 14496-3, table 1.17).
_NOT_AAC: Final[dict[int, str]] = {
    8: "CELP audio",
    9: "HVXC audio",
    32: "MP1 audio",
    33: "MP2 audio",
    34: "MP3 audio",
    36: "MPEG-4 ALS audio",
    37: "MPEG-4 SLS audio",
}
_ESCAPE: Final = 31
#: Descriptors inside one another on the way to the decoder's, and bytes of a descriptor's length.
_DEEPEST: Final = 4
_LONGEST_LENGTH: Final = 4
_DESCRIBED: Final = frozenset({b"mp4v", b"mp4a"})

#: H.264 profile_idc (ITU-T H.264, annex A) of the High family, and those of it that phones cannot play.
HIGH_PROFILES: Final = frozenset({100, 110, 122, 244, 44})
EXOTIC_PROFILES: Final[dict[int | None, str]] = {
    110: "High 10 (10-bit)",
    122: "High 4:2:2",
    244: "High 4:4:4",
    44: "CAVLC 4:4:4",
}
_FRAME_SIZE: Final = struct.Struct(">HH")
_FRAME_SIZE_AT: Final = 24  # in a video sample entry (ISO/IEC 14496-12, section 12.1.3)
_NAL_TYPES: Final = range(1, 24)
_LOOK_AT: Final = 64 * 1024


def name_of(track: Track) -> str:
    """What a track is coded with, as people name it."""
    if track.entry in _DESCRIBED:
        return _described(track)
    known = _ENTRIES.get(track.entry)
    if known is not None:
        return known
    four = "".join(char if char.isprintable() else "?" for char in track.entry.decode("latin-1")).strip()
    return f"an unknown {'video' if track.media == 'video' else 'audio'} codec" + (
        f" ({four})" if four else ""
    )


def _described(track: Track) -> str:
    """The codec by the esds box, which QuickTime-style writers nest in a ``wave`` box."""
    unknown = f"an unknown MPEG-4 {'video' if track.media == 'video' else 'audio'} codec"
    at = track.body.find(b"esds")
    decoder = _descriptor(track.body, at + 8, 0x04) if at >= 0 else None
    if decoder is None or decoder >= len(track.body):
        return AAC if track.entry == b"mp4a" and at < 0 else unknown
    name = _OBJECT_TYPES.get(track.body[decoder], unknown)
    specific = _descriptor(track.body, decoder + 13, 0x05)
    if track.body[decoder] == 0x40 and specific is not None and specific + 1 < len(track.body):  # noqa: PLR2004 - MPEG-4 audio
        return _NOT_AAC.get(_audio_object_type(track.body, specific), name)
    return name


def _audio_object_type(body: bytes, at: int) -> int:
    kind = body[at] >> 3
    return kind if kind != _ESCAPE else 32 + ((body[at] & 7) << 3 | body[at + 1] >> 5)


def _descriptor(body: bytes, at: int, wanted: int) -> int | None:
    """Where the payload of a descriptor starts (ISO/IEC 14496-1, section 7.2.2); enters an ES descriptor."""
    for _ in range(_DEEPEST):
        if at + 2 > len(body):
            return None
        tag, length = body[at], body[at + 1 : at + 1 + _LONGEST_LENGTH]
        # Seven bits of the length a byte, the last one of which has its first bit off.
        at += 2 + next((count for count, byte in enumerate(length) if not byte & 0x80), len(length))
        if tag == wanted:
            return at
        if tag != 0x03 or at + 3 > len(body):  # noqa: PLR2004 - the ES descriptor's tag
            return None
        flags = body[at + 2]
        at += 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
        if flags & 0x40:
            return None  # a URL in place of the description
    return None


def frame_size(track: Track) -> tuple[int, int] | None:
    """Width and height of a video track in pixels, or None where its entry is too short to say."""
    if len(track.body) < _FRAME_SIZE.size + _FRAME_SIZE_AT:
        return None
    width, height = _FRAME_SIZE.unpack_from(track.body, _FRAME_SIZE_AT)
    return width, height


def h264_profile(track: Track) -> int | None:
    """profile_idc of an H.264 track, or None where it does not say."""
    at = track.body.find(b"avcC")
    return track.body[at + 5] if 0 <= at < len(track.body) - 8 else None


def starts_as_h264(content: Content, track: Track) -> bool:
    """Whether a track's first sample divides into valid H.264 units (ITU-T H.264, section 7.4.1)."""
    at = track.body.find(b"avcC")
    if track.first_sample is None or at < 0 or at + 9 > len(track.body):
        return at >= 0 or track.first_sample is None
    offset, size = track.first_sample
    width = (track.body[at + 8] & 3) + 1
    data = content.read(offset, min(size, _LOOK_AT))
    position = 0
    while position + width < len(data):
        length = int.from_bytes(data[position : position + width], "big")
        header = data[position + width]
        if (
            length == 0
            or position + width + length > size
            or header & 0x80
            or header & 0x1F not in _NAL_TYPES
        ):
            return False
        position += width + length
    return position > 0
