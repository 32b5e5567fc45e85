"""Names that people know codecs by, and other words of the steps."""

from __future__ import annotations

from typing import Final

#: FFmpeg's codec names; one that is missing is shown in capitals.
_CODECS: Final[dict[str, str]] = {
    "h264": "H.264",
    "hevc": "HEVC (H.265)",
    "vvc": "VVC (H.266)",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg4": "MPEG-4 Part 2",
    "msmpeg4v2": "MPEG-4 Part 2 (Microsoft)",
    "msmpeg4v3": "DivX 3",
    "mpeg1video": "MPEG-1",
    "mpeg2video": "MPEG-2",
    "h263": "H.263",
    "h263p": "H.263",
    "flv1": "Flash video (H.263)",
    "wmv1": "Windows Media Video 7",
    "wmv2": "Windows Media Video 8",
    "wmv3": "Windows Media Video 9",
    "vc1": "VC-1",
    "mjpeg": "Motion JPEG",
    "prores": "ProRes",
    "dvvideo": "DV",
    "theora": "Theora",
    "gif": "GIF",
    "aac": "AAC",
    "aac_latm": "AAC",
    "alac": "Apple Lossless (ALAC)",
    "amr_nb": "AMR",
    "amr_wb": "wide-band AMR",
    "ac3": "AC-3 (Dolby Digital)",
    "eac3": "E-AC-3 (Dolby Digital Plus)",
    "dts": "DTS",
    "flac": "FLAC",
    "mp2": "MP2",
    "mp3": "MP3",
    "opus": "Opus",
    "speex": "Speex",
    "vorbis": "Vorbis",
    "wmav1": "Windows Media Audio",
    "wmav2": "Windows Media Audio",
}


def codec_name(name: str) -> str:
    """What people call one of FFmpeg's codecs."""
    if name.startswith("pcm_"):
        return "PCM (uncompressed)"
    return _CODECS.get(name, name.upper().replace("_", " "))
