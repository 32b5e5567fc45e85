"""The corpus: every line of the provider's table, and every refusal, as a table of files and verdicts.

Nothing is a binary in the repository: each file is made when the tests run, by Pillow, by PyAV's encoders, by
zipfile, or by the hand-made layouts of ``raw`` and ``ole2_writer`` where no encoder at hand writes the type.
"""

# ruff: noqa: E501 - a table: one case a line is easier to read and to sort than four

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from PIL import Image

from examples import makers
from greenroom.reasons import Reason
from greenroom.rules import Category
from tests.support import ole2_writer, raw

Make = Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One file and what inspection must say of it.

    Attributes:
        name: the file's name.
        make: its content.
        category: what it is to WhatsApp, or None.
        mime_type: the row of the provider's table, or None.
        reason: None of a file that is accepted.
        notices: codes of exactly the notices wanted.
        label: words that the label must hold.
        detail: words that the detail must hold.
    """

    name: str
    make: Make
    category: Category | None = None
    mime_type: str | None = None
    reason: Reason | None = None
    notices: frozenset[str] = frozenset()
    label: str = ""
    detail: str = ""


_CATEGORIES = {
    "audio": Category.AUDIO,
    "application": Category.DOCUMENT,
    "text": Category.DOCUMENT,
    "image": Category.IMAGE,
    "video": Category.VIDEO,
}


def _category(mime_type: str | None) -> Category | None:
    if mime_type is None:
        return None
    return Category.STICKER if mime_type == "image/webp" else _CATEGORIES[mime_type.partition("/")[0]]


def good(name: str, mime_type: str, make: Make, *notices: str, label: str = "") -> Case:
    """A file that WhatsApp takes."""
    return Case(
        name=name,
        make=make,
        category=_category(mime_type),
        mime_type=mime_type,
        notices=frozenset(notices),
        label=label,
    )


def bad(
    name: str, reason: Reason, make: Make, *notices: str, mime_type: str | None = None, detail: str = ""
) -> Case:
    """A file that it does not take."""
    return Case(
        name=name,
        make=make,
        category=_category(mime_type),
        mime_type=mime_type,
        reason=reason,
        notices=frozenset(notices),
        detail=detail,
    )


OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = f"{OFFICE}wordprocessingml.document"
XLSX = f"{OFFICE}spreadsheetml.sheet"
PPTX = f"{OFFICE}presentationml.presentation"
MS = "application/vnd.ms-"


@cache
def image(width: int = 320, height: int = 200) -> Image.Image:
    """An image of a banner."""
    return makers.drawn_image(width, height, title="Sale", look=1)


def saved(form: str, mode: str = "RGB", **options: Any) -> Make:
    """The banner in a mode, as Pillow saves it."""
    return lambda: makers.saved(image().convert(mode), form, **options)


@cache
def _media(form: str, video: str | None, audio: tuple[str, ...], extra: tuple[tuple[str, Any], ...]) -> bytes:
    return makers.media(form, video=video, audio=audio, **{"seconds": 1.0, "size": (160, 120), **dict(extra)})


class _Options(dict[str, str]):
    """Encoder options that can be a key of a cache."""

    def __hash__(self) -> int:  # type: ignore[override] # a dict has none
        return hash(tuple(sorted(self.items())))


def media(form: str, video: str | None, *audio: str, **extra: Any) -> Make:
    """What PyAV's encoders write."""
    frozen = {key: _Options(value) if isinstance(value, dict) else value for key, value in extra.items()}
    return lambda: _media(form, video, audio, tuple(frozen.items()))


MAIN = {"profile": "main", "preset": "veryfast"}
BASELINE = {"profile": "baseline", "preset": "veryfast"}
HIGH = {"profile": "high", "preset": "medium"}
FRONT = makers.FAST_START

mp4 = media("mp4", "libx264", "aac", video_options=MAIN, options=FRONT)
mp3 = media("mp3", None, "libmp3lame")
adts = media("adts", None, "aac")
m4a = media("ipod", None, "aac")
opus = media("ogg", None, "libopus", rate=48_000, bit_rate=24_000)
jpeg = saved("JPEG", quality=85)
png = saved("PNG")


def noise(size: int) -> bytes:
    """Random bytes that no signature fits."""
    return b"\x80\x02" + random.Random(size).randbytes(size)


def noise_of(seed: int) -> Make:
    """Random bytes that hold what looks like a frame of audio, by chance, as most of this length do."""
    return lambda: random.Random(seed).randbytes(100_000)


def line(words: str) -> Make:
    """A text of one line."""
    return f"{words}\n".encode


def grainy(width: int, height: int) -> Image.Image:
    """An image that packs badly."""
    return Image.frombytes("RGB", (width, height), random.Random(1).randbytes(width * height * 3))


def padded_mp3(size: int) -> bytes:
    """An MP3 brought to a size by playing it again and again."""
    audio_bytes = mp3()[45:]
    return (mp3() + audio_bytes * (size // len(audio_bytes) + 1))[:size]


def docx(**options: Any) -> Make:
    """A Word document."""
    return lambda: makers.docx(["Spring Sale", "Everything must go."], **options)


def xlsx(**options: Any) -> Make:
    """An Excel workbook."""
    return lambda: makers.xlsx([["Hat", 25.0], ["Bag", 39.0]], **options)


def pptx(**options: Any) -> Make:
    """A PowerPoint presentation."""
    return lambda: makers.pptx(["Spring Sale", "Thank you"], **options)


def pdf(**options: Any) -> bytes:
    """A PDF."""
    return makers.pdf(["Terms of the sale", "1. While stocks last."], **options)


def pdf_with_stream_index(trailer: str = "") -> bytes:
    """A PDF whose index is a stream, as writers since PDF 1.5 make it."""
    body = pdf()
    start = body.index(b"xref\n0")
    index = f"7 0 obj\n<< /Type /XRef /Size 8 /Root 1 0 R {trailer}/W [1 2 1] /Length 4 >>\nstream\nabcd\nendstream"
    return body[:start] + index.encode() + f"\nendobj\nstartxref\n{start}\n%%EOF".encode()


def spliced(data: bytes, share: float, change: bytes) -> bytes:
    """Bytes overwritten somewhere inside."""
    at = int(len(data) * share)
    return data[:at] + change + data[at + len(change) :]


def vorbis() -> bytes:
    """An Ogg file with Vorbis audio, of PyAV's encoder."""
    return makers.vorbis(1.0)


def video_codec(encoder: str, form: str = "mp4", **extra: Any) -> Make:
    """A video of another codec, with AAC audio."""
    return media(form, encoder, "aac", seconds=0.5, **extra)


AUDIO = (
    good("adts.aac", "audio/aac", adts, label="AAC audio, 0:01, mono"),
    good("adts-stereo.aac", "audio/aac", media("adts", None, "aac", channels=2), label="stereo"),
    good("adts-16k.aac", "audio/aac", media("adts", None, "aac", rate=16_000)),
    good("adts-behind-id3.aac", "audio/aac", lambda: raw.id3() + adts()),
    good("voice.amr", "audio/amr", media("amr", None, "libopencore_amrnb", rate=8_000), label="AMR audio, 0:01"),
    good("silence.amr", "audio/amr", lambda: b"#!AMR\n" + (b"\x04" + bytes(12)) * 50, label="0:01"),
    good("lame.mp3", "audio/mpeg", mp3, label="MP3 audio, 0:01"),
    good("stereo.mp3", "audio/mpeg", media("mp3", None, "libmp3lame", channels=2), label="stereo"),
    good("no-tag.mp3", "audio/mpeg", lambda: mp3()[mp3().index(b"\xff\xfb") :]),
    good("no-tag-no-xing.mp3", "audio/mpeg", media("mp3", None, "libmp3lame", options={"write_xing": "0", "id3v2_version": "0"})),
    good("16k-mpeg2.mp3", "audio/mpeg", media("mp3", None, "libmp3lame", rate=16_000)),
    good("8k-mpeg25.mp3", "audio/mpeg", media("mp3", None, "libmp3lame", rate=8_000)),
    good("vbr.mp3", "audio/mpeg", media("mp3", None, "libmp3lame", audio_options={"q": "4"})),
    good("large-image-in-tag.mp3", "audio/mpeg", lambda: raw.id3(image=jpeg() * 20) + mp3()[45:]),
    good("padded-tag.mp3", "audio/mpeg", lambda: raw.id3(9_000) + bytes(700) + mp3()[45:]),
    good("two-tags.mp3", "audio/mpeg", lambda: raw.id3() + mp3()),
    good("id3v1-at-the-end.mp3", "audio/mpeg", lambda: mp3() + b"TAG" + bytes(125)),
    good("zeros-first.mp3", "audio/mpeg", lambda: bytes(500) + mp3()[45:]),
    good("cut.mp3", "audio/mpeg", lambda: mp3()[:-100]),
    good("free-format.mp3", "audio/mpeg", raw.free_format_mp3, label="MP3 audio"),
    good("many-zeros-first.mp3", "audio/mpeg", lambda: bytes(200_000) + mp3()[45:]),
    good("starts-mid-frame.mp3", "audio/mpeg", lambda: mp3()[1234:]),
    good("one-frame.aac", "audio/aac", lambda: makers.adts_frames(adts())[0]),
    good("ipod.m4a", "audio/mp4", m4a, label="M4A audio, 0:01, AAC"),
    good("audio-only.mp4", "audio/mp4", media("mp4", None, "aac"), label="M4A audio"),
    good("audio-only-fragmented.m4a", "audio/mp4", media("mp4", None, "aac", options={"movflags": "frag_keyframe+empty_moov"})),
    good("audio-only.3gp", "audio/mp4", media("3gp", None, "aac"), "audio_only_3gp", "name_disagrees", label="3GP audio"),
    good("voice.ogg", "audio/ogg", opus, label="Ogg Opus audio, 0:01, mono"),
    good("voice.opus", "audio/ogg", media("opus", None, "libopus", rate=48_000)),
    good("native-encoder.oga", "audio/ogg", media("ogg", None, "opus", rate=48_000, audio_options={"strict": "experimental"})),
    good("stereo.ogg", "audio/ogg", media("ogg", None, "libopus", rate=48_000, channels=2), "opus_not_mono", label="stereo"),
    good("by-hand.ogg", "audio/ogg", lambda: raw.ogg(b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0")),
    good("with-skeleton.ogg", "audio/ogg", lambda: raw.ogg(b"fishead\0\x03\0", b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0")),
    good(
        "long-note.ogg", "audio/ogg",
        media("ogg", None, "libopus", rate=48_000, seconds=40.0, bit_rate=256_000), "not_a_voice_note",
    ),
    good("at-the-limit.mp3", "audio/mpeg", lambda: padded_mp3(16 * 2**20)),
    bad("over-the-limit.mp3", Reason.TOO_LARGE, lambda: padded_mp3(16 * 2**20 + 1), mime_type="audio/mpeg", detail="16,777,217 bytes"),
    bad("wide-band.amr", Reason.CODEC_NOT_SUPPORTED, raw.amr_wb, mime_type="audio/amr", detail="AMR-WB"),
    bad("several-channels.amr", Reason.CODEC_NOT_SUPPORTED, lambda: b"#!AMR_MC1.0\n" + bytes(200), mime_type="audio/amr"),
    bad("header-alone.amr", Reason.BROKEN, lambda: b"#!AMR\n", mime_type="audio/amr"),
    bad("noise.amr", Reason.BROKEN, lambda: b"#!AMR\n" + noise(500), mime_type="audio/amr"),
    bad("vorbis.ogg", Reason.CODEC_NOT_SUPPORTED, vorbis, mime_type="audio/ogg", detail="Vorbis"),
    bad("vorbis-by-hand.ogg", Reason.CODEC_NOT_SUPPORTED, lambda: raw.ogg(b"\x01vorbis"), mime_type="audio/ogg", detail="Vorbis"),
    bad("speex.ogg", Reason.CODEC_NOT_SUPPORTED, lambda: raw.ogg(b"Speex   1.2"), mime_type="audio/ogg", detail="Speex"),
    bad("flac.ogg", Reason.CODEC_NOT_SUPPORTED, media("ogg", None, "flac"), mime_type="audio/ogg", detail="FLAC"),
    bad("flac.oga", Reason.CODEC_NOT_SUPPORTED, lambda: raw.ogg(b"\x7fFLAC\x01"), mime_type="audio/ogg", detail="FLAC"),
    bad("theora.ogv", Reason.CODEC_NOT_SUPPORTED, lambda: raw.ogg(b"\x80theora\x03"), mime_type="audio/ogg", detail="Theora"),
    bad("theora-and-vorbis.ogg", Reason.CODEC_NOT_SUPPORTED, lambda: raw.ogg(b"\x80theora", b"\x01vorbis"), mime_type="audio/ogg", detail="Theora video and Vorbis"),
    bad("opus-and-vorbis.ogg", Reason.CODEC_NOT_SUPPORTED, lambda: raw.ogg(b"OpusHead\x01\x01", b"\x01vorbis"), mime_type="audio/ogg", detail="Vorbis"),
    bad("opus-then-vorbis.ogg", Reason.CODEC_NOT_SUPPORTED, lambda: opus() + raw.with_serial(vorbis(), 77), mime_type="audio/ogg", detail="Vorbis"),
    good("opus-twice.ogg", "audio/ogg", lambda: opus() + raw.with_serial(opus(), 77), "chained", label="0:02"),
    good("radio.ogg", "audio/ogg", lambda: raw.later(opus(), 5 * 3600 * 48_000), "starts_late", label="Ogg Opus audio, 0:01, mono"),
    good("half-a-second-late.ogg", "audio/ogg", lambda: raw.later(opus(), 24_000), label="Ogg Opus audio, 0:01, mono"),
    bad("unknown.ogg", Reason.CODEC_NOT_SUPPORTED, lambda: raw.ogg(b"whatever"), mime_type="audio/ogg", detail="unknown"),
    bad("cut.ogg", Reason.BROKEN, lambda: opus()[:-300], mime_type="audio/ogg", detail="cut short"),
    bad("headers-alone.opus", Reason.BROKEN, lambda: raw.ogg_page(b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"), mime_type="audio/ogg", detail="no audio"),
    bad("cut-before-its-index.m4a", Reason.BROKEN, lambda: m4a()[:-600], mime_type="audio/mp4", detail="index"),
    *(bad(f"noise-{seed}.bin", Reason.TYPE_NOT_SUPPORTED, noise_of(seed)) for seed in (10_000_001, 10_000_003, 10_000_005, 10_000_007)),
    bad("audio.caf", Reason.TYPE_NOT_SUPPORTED, media("caf", None, "pcm_s16be"), detail="CAF"),
    bad("audio.tta", Reason.TYPE_NOT_SUPPORTED, media("tta", None, "tta"), detail="True Audio"),
    bad("audio.wv", Reason.TYPE_NOT_SUPPORTED, lambda: b"wvpk" + noise(90_000), detail="WavPack"),
    bad("video.dts", Reason.TYPE_NOT_SUPPORTED, lambda: b"\x7f\xfe\x80\x01" + noise(90_000), detail="DTS"),
    bad("alac.m4a", Reason.CODEC_NOT_SUPPORTED, media("ipod", None, "alac"), mime_type="audio/mp4", detail="ALAC"),
    bad("ac3.m4a", Reason.CODEC_NOT_SUPPORTED, media("mp4", None, "ac3"), mime_type="audio/mp4", detail="AC-3"),
    bad("mp3-inside.m4a", Reason.CODEC_NOT_SUPPORTED, media("mp4", None, "libmp3lame"), mime_type="audio/mp4", detail="MP3"),
    bad("opus-inside.mp4", Reason.CODEC_NOT_SUPPORTED, media("mp4", None, "libopus", rate=48_000), mime_type="audio/mp4", detail="Opus"),
    bad("amr.3gp", Reason.CODEC_NOT_SUPPORTED, media("3gp", None, "libopencore_amrnb", rate=8_000), "name_disagrees", mime_type="audio/mp4", detail="AMR"),
    bad("bought.m4a", Reason.ENCRYPTED, lambda: raw.renamed_entry(m4a(), b"mp4a", b"drms"), mime_type="audio/mp4"),
    bad("layer2.mp3", Reason.CODEC_NOT_SUPPORTED, media("mp2", None, "mp2"), mime_type="audio/mpeg", detail="MP2"),
    bad("tag-alone.mp3", Reason.BROKEN, raw.id3, mime_type="audio/mpeg"),
    bad("cut-in-its-tag.mp3", Reason.BROKEN, lambda: raw.id3(5_000)[:900], mime_type="audio/mpeg", detail="title tag"),
    bad("noise-over-the-limit.mp3", Reason.TOO_LARGE, lambda: raw.id3() + bytes(17 * 2**20), mime_type="audio/mpeg", detail="Also, this MP3 or AAC audio is damaged"),
    bad("padded-over-the-limit.ogg", Reason.TOO_LARGE, lambda: opus() + bytes(17 * 2**20), mime_type="audio/ogg"),
    good("with-a-cover-track.m4b", "audio/mp4", lambda: raw.with_cover_track(with_video=False), label="M4A audio"),
    bad("wave.wav", Reason.TYPE_NOT_SUPPORTED, media("wav", None, "pcm_s16le"), detail="WAV"),
    bad("wave.mp3", Reason.TYPE_NOT_SUPPORTED, media("wav", None, "pcm_s16le"), "name_disagrees", detail="WAV"),
    bad("lossless.flac", Reason.TYPE_NOT_SUPPORTED, media("flac", None, "flac"), detail="FLAC"),
    bad("tagged.flac", Reason.TYPE_NOT_SUPPORTED, lambda: raw.id3() + media("flac", None, "flac")(), detail="FLAC"),
    bad("audio.aiff", Reason.TYPE_NOT_SUPPORTED, media("aiff", None, "pcm_s16be"), detail="AIFF"),
    bad("audio.mka", Reason.TYPE_NOT_SUPPORTED, media("matroska", None, "aac"), detail="Matroska"),
)  # fmt: skip

VIDEO = (
    good("main.mp4", "video/mp4", mp4, label="MP4 video, 0:01, 160 x 120, H.264 + AAC"),
    good("baseline.mp4", "video/mp4", media("mp4", "libx264", "aac", video_options=BASELINE, options=FRONT)),
    good("silent.mp4", "video/mp4", media("mp4", "libx264", video_options=MAIN, options=FRONT), label="160 x 120, H.264"),
    good("index-at-end.mp4", "video/mp4", media("mp4", "libx264", "aac", video_options=MAIN), "index_at_end"),
    good("high.mp4", "video/mp4", media("mp4", "libx264", "aac", video_options=HIGH, options=FRONT), "high_profile_b_frames"),
    good("high-without-b.mp4", "video/mp4", media("mp4", "libx264", "aac", video_options={"profile": "high", "bf": "0"}, options=FRONT)),
    good("ten-bit.mp4", "video/mp4", media("mp4", "libx264", pixels="yuv420p10le", video_options={"bf": "0"}, options=FRONT), "exotic_h264"),
    good("fragmented.mp4", "video/mp4", media("mp4", "libx264", "aac", video_options=MAIN, options={"movflags": "frag_keyframe+empty_moov"})),
    good("fragmented-high.mp4", "video/mp4", media("mp4", "libx264", "aac", seconds=2.0, video_options=HIGH, options={"movflags": "frag_keyframe+empty_moov"}), "high_profile_b_frames"),
    good("fragmented-high-without-b.mp4", "video/mp4", media("mp4", "libx264", "aac", video_options={"profile": "high", "bf": "0"}, options={"movflags": "frag_keyframe+empty_moov"})),
    good("for-ipod.m4v", "video/mp4", media("ipod", "libx264", "aac", video_options=MAIN), "index_at_end"),
    good("with-a-box-behind.mp4", "video/mp4", lambda: makers.with_comment(mp4(), b"made by hand")),
    good("junk-behind.mp4", "video/mp4", lambda: mp4() + b"\0\0\0"),
    good("named.mov", "video/mp4", mp4, "name_disagrees"),
    good("stereo.mp4", "video/mp4", media("mp4", "libx264", "aac", channels=2, video_options=MAIN, options=FRONT)),
    good("phone.3gp", "video/3gpp", media("3gp", "libx264", "aac", video_options=BASELINE), "index_at_end", label="3GP video"),
    good("silent.3gp", "video/3gpp", media("3gp", "libx264", video_options=BASELINE), "index_at_end"),
    good("named-mp4.mp4", "video/3gpp", media("3gp", "libx264", "aac", video_options=BASELINE), "index_at_end", "name_disagrees"),
    good("at-the-limit.mp4", "video/mp4", lambda: makers.with_comment(mp4(), bytes(16 * 2**20 - 8 - len(mp4())))),
    bad("over-the-limit.mp4", Reason.TOO_LARGE, lambda: makers.with_comment(mp4(), bytes(17 * 2**20)), mime_type="video/mp4", detail="17 MB"),
    bad("hevc.mp4", Reason.CODEC_NOT_SUPPORTED, video_codec("libx265"), mime_type="video/mp4", detail="HEVC"),
    bad("hvc1.mp4", Reason.CODEC_NOT_SUPPORTED, video_codec("libx265", tag="hvc1"), mime_type="video/mp4", detail="HEVC"),
    bad("av1.mp4", Reason.CODEC_NOT_SUPPORTED, video_codec("libsvtav1", video_options={"preset": "12"}), mime_type="video/mp4", detail="AV1"),
    bad("vp9.mp4", Reason.CODEC_NOT_SUPPORTED, video_codec("libvpx-vp9", video_options={"deadline": "realtime"}), mime_type="video/mp4", detail="VP9"),
    bad("part2.mp4", Reason.CODEC_NOT_SUPPORTED, video_codec("mpeg4"), mime_type="video/mp4", detail="MPEG-4 Part 2"),
    bad("mpeg2.mp4", Reason.CODEC_NOT_SUPPORTED, video_codec("mpeg2video", fps=25), mime_type="video/mp4", detail="MPEG-2"),
    bad("mjpeg.mp4", Reason.CODEC_NOT_SUPPORTED, video_codec("mjpeg", pixels="yuvj420p"), mime_type="video/mp4", detail="JPEG"),
    bad("h263.3gp", Reason.CODEC_NOT_SUPPORTED, video_codec("h263", "3gp", size=(176, 144)), mime_type="video/3gpp", detail="H.263"),
    bad("part2.3gp", Reason.CODEC_NOT_SUPPORTED, video_codec("mpeg4", "3gp"), mime_type="video/3gpp", detail="MPEG-4 Part 2"),
    bad("amr.3gp", Reason.CODEC_NOT_SUPPORTED, media("3gp", "libx264", "libopencore_amrnb", rate=8_000, video_options=BASELINE), mime_type="video/3gpp", detail="AMR"),
    bad("dolby-vision.mp4", Reason.CODEC_NOT_SUPPORTED, lambda: raw.renamed_entry(mp4(), b"avc1", b"dva1"), mime_type="video/mp4", detail="Dolby Vision"),
    bad("unknown.mp4", Reason.CODEC_NOT_SUPPORTED, lambda: raw.renamed_entry(mp4(), b"avc1", b"zzzz"), mime_type="video/mp4", detail="zzzz"),
    bad("ac3.mp4", Reason.CODEC_NOT_SUPPORTED, media("mp4", "libx264", "ac3", video_options=MAIN), mime_type="video/mp4", detail="AC-3"),
    bad("eac3.mp4", Reason.CODEC_NOT_SUPPORTED, media("mp4", "libx264", "eac3", video_options=MAIN), mime_type="video/mp4", detail="E-AC-3"),
    bad("mp3.mp4", Reason.CODEC_NOT_SUPPORTED, media("mp4", "libx264", "libmp3lame", video_options=MAIN), mime_type="video/mp4", detail="MP3"),
    bad("opus.mp4", Reason.CODEC_NOT_SUPPORTED, media("mp4", "libx264", "libopus", rate=48_000, video_options=MAIN), mime_type="video/mp4", detail="Opus"),
    bad("als.mp4", Reason.CODEC_NOT_SUPPORTED, lambda: raw.with_object_type(mp4(), 0xDD), mime_type="video/mp4", detail="Vorbis"),
    good("with-a-cover-track.m4v", "video/mp4", lambda: raw.with_cover_track(with_video=True), "index_at_end", label="H.264"),
    bad("two-languages.mp4", Reason.TOO_MANY_AUDIO_STREAMS, media("mp4", "libx264", "aac", "aac", video_options=MAIN), mime_type="video/mp4", detail="2 audio tracks"),
    bad("protected.mp4", Reason.ENCRYPTED, lambda: raw.renamed_entry(mp4(), b"avc1", b"encv"), mime_type="video/mp4"),
    bad("cut-before-its-index.mp4", Reason.BROKEN, lambda: media("mp4", "libx264", "aac", video_options=MAIN)()[:-900], mime_type="video/mp4", detail="cut short"),
    bad("cut-in-its-data.mp4", Reason.BROKEN, lambda: mp4()[: len(mp4()) * 3 // 4], mime_type="video/mp4", detail="cut short"),
    bad("zeroed.mp4", Reason.BROKEN, lambda: mp4()[: mp4().index(b"mdat") + 4] + bytes(len(mp4()) - mp4().index(b"mdat") - 4), mime_type="video/mp4"),
    bad("brand-alone.mp4", Reason.BROKEN, lambda: mp4()[:32], mime_type="video/mp4"),
    bad("iphone.mov", Reason.TYPE_NOT_SUPPORTED, media("mov", "libx264", "aac", video_options=MAIN), detail="QuickTime"),
    bad("renamed.mp4", Reason.TYPE_NOT_SUPPORTED, media("mov", "libx264", "aac", video_options=MAIN), "name_disagrees", detail="QuickTime"),
    bad("old.mov", Reason.TYPE_NOT_SUPPORTED, lambda: raw.box(b"wide") + raw.box(b"mdat", bytes(99)) + raw.box(b"moov"), detail="QuickTime"),
    bad("phone.3g2", Reason.TYPE_NOT_SUPPORTED, media("3g2", "libx264", "aac", video_options=BASELINE), detail="3GPP2"),
    bad("video.mkv", Reason.TYPE_NOT_SUPPORTED, media("matroska", "libx264", "aac", video_options=MAIN), detail="Matroska"),
    bad("video.webm", Reason.TYPE_NOT_SUPPORTED, media("webm", "libvpx-vp9", video_options={"deadline": "realtime"}), detail="WebM"),
    bad("video.avi", Reason.TYPE_NOT_SUPPORTED, media("avi", "mpeg4"), detail="AVI"),
    bad("video.flv", Reason.TYPE_NOT_SUPPORTED, media("flv", "libx264", "aac", video_options=MAIN), detail="Flash"),
    bad("video.wmv", Reason.TYPE_NOT_SUPPORTED, media("asf", "wmv2"), detail="Windows Media"),
    bad("video.ts", Reason.TYPE_NOT_SUPPORTED, media("mpegts", "libx264", "aac", video_options=MAIN), detail="transport stream"),
    bad("video.mpg", Reason.TYPE_NOT_SUPPORTED, media("mpeg", "mpeg2video", fps=25), detail="MPEG"),
)  # fmt: skip

IMAGE = (
    good("banner.jpg", "image/jpeg", jpeg, label="JPEG image, 320 x 200"),
    good("progressive.jpeg", "image/jpeg", saved("JPEG", progressive=True)),
    good("optimised.jpg", "image/jpeg", saved("JPEG", quality=40, optimize=True, subsampling=0)),
    good("restarts.jpg", "image/jpeg", saved("JPEG", restart_marker_blocks=4)),
    good("by-ffmpeg.jpg", "image/jpeg", media("image2pipe", "mjpeg", pixels="yuvj420p", seconds=0.07)),
    good("junk-behind.jpg", "image/jpeg", lambda: jpeg() + b"\0\0camera data\xff\xd8\xff"),
    good("turned.jpg", "image/jpeg", lambda: raw.turned(6), "exif_orientation"),
    good("mirrored.jpg", "image/jpeg", lambda: raw.turned(2), "exif_orientation"),
    good("upright.jpg", "image/jpeg", lambda: raw.turned(1)),
    good("with-profile.jpg", "image/jpeg", saved("JPEG", icc_profile=bytes(3000), comment=b"hello")),
    good("really-jpeg.png", "image/jpeg", jpeg, "name_disagrees"),
    good("banner.png", "image/png", png, label="PNG image, 320 x 200"),
    good("transparent.png", "image/png", saved("PNG", "RGBA")),
    good("by-hand.png", "image/png", lambda: raw.png(8, 8)),
    good("by-hand-rgba.png", "image/png", lambda: raw.png(8, 8, colour=6)),
    good("by-ffmpeg.png", "image/png", media("image2pipe", "png", pixels="rgb24", seconds=0.07)),
    good("animated.png", "image/png", raw.animated_png, "animated_png"),
    good("junk-behind.png", "image/png", lambda: png() + b"junk"),
    good("really-png.jpg", "image/png", png, "name_disagrees"),
    good("stored.png", "image/png", lambda: makers.saved(grainy(1320, 1300), "PNG", compress_level=0)),
    bad("over-the-limit.png", Reason.TOO_LARGE, lambda: makers.saved(grainy(1400, 1300), "PNG", compress_level=0), mime_type="image/png", detail="5.2 MB"),
    bad("over-the-limit.jpg", Reason.TOO_LARGE, lambda: makers.saved(grainy(2600, 1800), "JPEG", quality=98), mime_type="image/jpeg", detail="WhatsApp takes images up to 5 MB"),
    bad("bomb.png", Reason.TOO_LARGE, raw.png_bomb, mime_type="image/png", detail="megapixels"),
    bad("grey.jpg", Reason.COLOUR_NOT_SUPPORTED, saved("JPEG", "L"), mime_type="image/jpeg", detail="greyscale"),
    bad("cmyk.jpg", Reason.COLOUR_NOT_SUPPORTED, saved("JPEG", "CMYK"), mime_type="image/jpeg", detail="CMYK"),
    bad("twelve-bit.jpg", Reason.COLOUR_NOT_SUPPORTED, lambda: raw.with_precision(jpeg(), 12), mime_type="image/jpeg", detail="12-bit"),
    bad("grey.png", Reason.COLOUR_NOT_SUPPORTED, saved("PNG", "L"), mime_type="image/png", detail="greyscale"),
    bad("grey-alpha.png", Reason.COLOUR_NOT_SUPPORTED, saved("PNG", "LA"), mime_type="image/png", detail="greyscale"),
    bad("palette.png", Reason.COLOUR_NOT_SUPPORTED, saved("PNG", "P"), mime_type="image/png", detail="palette"),
    bad("one-bit.png", Reason.COLOUR_NOT_SUPPORTED, saved("PNG", "1"), mime_type="image/png", detail="1-bit"),
    bad("sixteen-bit.png", Reason.COLOUR_NOT_SUPPORTED, lambda: raw.png(8, 8, depth=16), mime_type="image/png", detail="16-bit"),
    bad("sixteen-bit-rgba.png", Reason.COLOUR_NOT_SUPPORTED, lambda: raw.png(8, 8, depth=16, colour=6), mime_type="image/png", detail="16-bit"),
    bad("sixteen-bit-grey.png", Reason.COLOUR_NOT_SUPPORTED, lambda: raw.png(8, 8, depth=16, colour=0), mime_type="image/png", detail="16-bit"),
    bad("lossless.jpg", Reason.TYPE_NOT_SUPPORTED, lambda: raw.with_process(jpeg(), 0xC3), detail="lossless"),
    bad("arithmetic.jpg", Reason.TYPE_NOT_SUPPORTED, lambda: raw.with_process(jpeg(), 0xC9), detail="arithmetic"),
    good("no-end-mark.jpg", "image/jpeg", lambda: jpeg()[:-2] + bytes(100), "no_end_mark"),
    bad("cut.jpg", Reason.BROKEN, lambda: jpeg()[:-3], mime_type="image/jpeg", detail="cut short"),
    bad("half.jpg", Reason.BROKEN, lambda: jpeg()[: len(jpeg()) // 2], mime_type="image/jpeg", detail="cut short"),
    bad("filled-up.jpg", Reason.BROKEN, lambda: jpeg()[:-4000] + bytes(4000), mime_type="image/jpeg", detail="cut short"),
    bad("header-alone.jpg", Reason.BROKEN, lambda: jpeg()[:20], mime_type="image/jpeg"),
    bad("thumbnail-whole-image-cut.jpg", Reason.BROKEN, lambda: raw.with_thumbnail(jpeg())[:-500], mime_type="image/jpeg"),
    good("no-end-mark.png", "image/png", lambda: png()[:-12], "no_end_mark"),
    good("half-an-end-mark.png", "image/png", lambda: png()[:-5], "no_end_mark"),
    bad("cut.png", Reason.BROKEN, lambda: png()[:-13], mime_type="image/png", detail="cut short"),
    bad("half.png", Reason.BROKEN, lambda: png()[: len(png()) // 2], mime_type="image/png", detail="cut short"),
    bad("flipped.png", Reason.BROKEN, lambda: spliced(png(), 0.6, b"XX"), mime_type="image/png", detail="check sum"),
    bad("no-image.png", Reason.BROKEN, lambda: png()[:33] + raw.chunk(b"IEND", b""), mime_type="image/png", detail="no image"),
    bad("rows-missing.png", Reason.BROKEN, lambda: raw.png(20, 20, rows=(b"\0" + b"\x55" * 60) * 7), mime_type="image/png", detail="last row"),
    bad("signature-alone.png", Reason.BROKEN, lambda: png()[:8], mime_type="image/png"),
    bad("apple.png", Reason.TYPE_NOT_SUPPORTED, lambda: png()[:8] + raw.chunk(b"CgBI", bytes(4)) + png()[8:], detail="Apple"),
    bad("drawing.qoi", Reason.TYPE_NOT_SUPPORTED, saved("QOI"), detail="QOI"),
    bad("texture.dds", Reason.TYPE_NOT_SUPPORTED, saved("DDS"), detail="DDS"),
    bad("drawn-in-letters.pgm", Reason.TYPE_NOT_SUPPORTED, lambda: b"P2\n# by hand\n2 2\n255\n0 9\n9 0\n", detail="PGM"),
    bad("moving.gif", Reason.TYPE_NOT_SUPPORTED, lambda: makers.saved(image(), "GIF", save_all=True, append_images=[image()]), detail="GIF"),
    bad("gif.jpg", Reason.TYPE_NOT_SUPPORTED, saved("GIF"), "name_disagrees", detail="GIF"),
    bad("photo.heic", Reason.TYPE_NOT_SUPPORTED, lambda: raw.heif(b"heic"), detail="HEIC"),
    bad("heic.jpg", Reason.TYPE_NOT_SUPPORTED, lambda: raw.heif(b"heic"), "name_disagrees", detail="HEIC"),
    bad("photo.avif", Reason.TYPE_NOT_SUPPORTED, saved("AVIF"), detail="AVIF"),
    bad("scan.bmp", Reason.TYPE_NOT_SUPPORTED, saved("BMP"), detail="BMP"),
    bad("scan.tif", Reason.TYPE_NOT_SUPPORTED, saved("TIFF"), detail="TIFF"),
    bad("page.ico", Reason.TYPE_NOT_SUPPORTED, saved("ICO"), detail="icon"),
    bad("photo.jp2", Reason.TYPE_NOT_SUPPORTED, saved("JPEG2000"), detail="JPEG 2000"),
    bad("logo.svg", Reason.TYPE_NOT_SUPPORTED, lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9"><rect/></svg>', detail="SVG"),
    bad("logo-with-head.svg", Reason.TYPE_NOT_SUPPORTED, lambda: b'<?xml version="1.0"?>\n<!-- by hand -->\n<svg><g/>\n</svg>', detail="SVG"),
)  # fmt: skip

STICKER = (
    good("lossy.webp", "image/webp", lambda: makers.saved(image(512, 512), "WEBP", quality=50), label="WebP sticker, 512 x 512"),
    good("lossless.webp", "image/webp", lambda: makers.saved(image(512, 512), "WEBP", lossless=True)),
    good("transparent.webp", "image/webp", lambda: makers.saved(image(512, 512).convert("RGBA"), "WEBP")),
    good("by-ffmpeg.webp", "image/webp", media("webp", "libwebp", pixels="yuv420p", size=(512, 512), seconds=0.07)),
    good("small.webp", "image/webp", saved("WEBP"), "sticker_dimensions"),
    good(
        "moving.webp", "image/webp",
        lambda: makers.saved(image(512, 512), "WEBP", save_all=True, append_images=[image(512, 512).rotate(9)]),
        label="animated",
    ),
    good(
        "moving-over-100-kb.webp", "image/webp",
        lambda: makers.saved(grainy(512, 512), "WEBP", quality=50, save_all=True, append_images=[image(512, 512)]),
        label="animated",
    ),
    good("really-webp.png", "image/webp", lambda: makers.saved(image(512, 512), "WEBP"), "name_disagrees"),
    bad("static-over-100-kb.webp", Reason.TOO_LARGE, lambda: makers.saved(grainy(512, 512), "WEBP", quality=50), mime_type="image/webp", detail="static stickers up to 100 KB"),
    bad(
        "moving-over-500-kb.webp", Reason.TOO_LARGE,
        lambda: makers.saved(grainy(512, 512), "WEBP", lossless=True, save_all=True, append_images=[image(512, 512)]),
        mime_type="image/webp", detail="animated stickers up to 500 KB",
    ),
    bad("cut.webp", Reason.BROKEN, lambda: makers.saved(image(512, 512), "WEBP")[:-100], mime_type="image/webp", detail="cut short"),
    bad("header-alone.webp", Reason.BROKEN, lambda: b"RIFF\x04\0\0\0WEBP", mime_type="image/webp"),
    bad("noise.webp", Reason.BROKEN, lambda: b"RIFF\x64\0\0\0WEBPVP8 \x58\0\0\0" + noise(86), mime_type="image/webp"),
)  # fmt: skip

DOCUMENT = (
    good("note.txt", "text/plain", lambda: b"Hello,\r\n\r\nsee you on Saturday.\r\n", label="plain text"),
    good("accents.txt", "text/plain", "Grüße aus Köln, où êtes-vous? 你好".encode),
    good("one-letter.txt", "text/plain", lambda: b"x"),
    good("marked.txt", "text/plain", lambda: "Grüße".encode("utf-8-sig")),
    good("windows.txt", "text/plain", lambda: "Grüße aus Köln".encode("utf-16"), "not_utf8"),
    good("big-endian.txt", "text/plain", lambda: b"\xfe\xff" + "Grüße aus Köln".encode("utf-16-be"), "not_utf8"),
    good("latin.txt", "text/plain", lambda: "Schöne Grüße aus dem Süden. ".encode("latin-1") * 9, "not_utf8"),
    good("long.txt", "text/plain", lambda: "Schöne Grüße. ".encode() * 500_000),
    good("prices.csv", "text/plain", lambda: b"item,price,old\nhat,17.50,25\nbag,27.30,39\nshirt,34.30,49\n", "sent_as_plain_text", label="CSV"),
    good("data.json", "text/plain", lambda: json.dumps({"sale": [1, 2, {"x": None}]}).encode(), "sent_as_plain_text", label="JSON"),
    good("read.md", "text/plain", lambda: b"# Sale\n\nSome words.\n\n## Terms\n\n- one\n- two\n", "sent_as_plain_text", label="Markdown"),
    good("with-a-logo.md", "text/plain", lambda: b'<p align="center"><img src="logo.png"></p>\n\n# Sale\n\n## Terms\n\n- one\n', "sent_as_plain_text", label="Markdown"),
    good("semicolons.csv", "text/plain", lambda: b"item;price\nhat;17,50\n", "sent_as_plain_text"),
    good("one-heading.md", "text/plain", lambda: b"# Sale\n\nEverything must go.\n", "sent_as_plain_text"),
    good("card.vcf", "text/plain", lambda: b"BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nEND:VCARD\n", "sent_as_plain_text"),
    good("run.sh", "text/plain", lambda: b"#!/bin/sh\necho hello\n", "sent_as_plain_text", label="script"),
    good("tags-in-prose.txt", "text/plain", lambda: b"Write <html> at the start and </html> at the end.\n"),
    *(
        good(f"opens-like-{kind}.txt", "text/plain", line(words), label="plain text")
        for kind, words in {
            "quicktime": "The wide world is open for you.",
            "mp4": "The ftyp box comes first.",
            "mp3": "ID3 tags explained for everybody who likes music.",
            "pdf": "How PDFs start: the bytes %PDF-1.4 come first, then objects.",
            "gif": "GIF8 is how a GIF starts.",
            "ogg": "OggS is how an Ogg page starts.",
            "amr": "#!AMR is how a voice memo starts.",
            "postscript": "%!TEX root = book",
            "program": "MZ is how a program starts.",
            "image": "P5 is my seat, and P6 is yours.",
        }.items()
    ),
    good("prices.slk", "text/plain", lambda: b"ID;PSCALC3\nC;Y1;X1;K25\nE\n"),
    good("chinese.txt", "text/plain", lambda: "春季大甩卖全场五折。\r\n".encode("gbk") * 9, "not_utf8"),
    good("japanese.txt", "text/plain", lambda: "春のセール、全品半額です。\r\n".encode("shift_jis") * 9, "not_utf8"),
    good("russian.txt", "text/plain", lambda: "Весенняя распродажа.\r\n".encode("cp1251") * 9, "not_utf8"),
    good("terms.pdf", "application/pdf", pdf, label="PDF document, version 1.4"),
    good("by-pillow.pdf", "application/pdf", saved("PDF")),
    good("stream-index.pdf", "application/pdf", pdf_with_stream_index),
    good("with-password.pdf", "application/pdf", lambda: pdf(extra_trailer="/Encrypt 9 0 R "), "password"),
    good("stream-index-password.pdf", "application/pdf", lambda: pdf_with_stream_index("/Encrypt 9 0 R "), "password"),
    good("stray-start.pdf", "application/pdf", lambda: b"\r\nmail header\r\n" + pdf(), "stray_bytes"),
    good("stray-end.pdf", "application/pdf", lambda: pdf() + b"\0" * 3000),
    good("filled-up-with-zeros.pdf", "application/pdf", lambda: pdf() + bytes(300_000)),
    good("wrong-index.pdf", "application/pdf", lambda: pdf().replace(b"startxref\n", b"startxref\n9"), "damaged_index"),
    good("letter.docx", DOCX, docx(), label="Word document"),
    good("types-last.docx", DOCX, docx(types_first=False)),
    good("stored.docx", DOCX, docx(method=0)),
    good("letter.zip", DOCX, docx(), "name_disagrees"),
    good("list-in-utf-16.docx", DOCX, lambda: raw.in_utf16(docx()(), "[Content_Types].xml")),
    good("stray-macros.docx", DOCX, docx(extra={"word/vbaProject.bin": b"x"}), "macros"),
    good("prices.xlsx", XLSX, xlsx(), label="Excel workbook"),
    good("types-last.xlsx", XLSX, xlsx(types_first=False)),
    good("deck.pptx", PPTX, pptx(), label="PowerPoint presentation"),
    good("types-last.pptx", PPTX, pptx(types_first=False)),
    good("large.pptx", PPTX, lambda: makers.pptx(["Photos"], extra={"ppt/media/a.bin": noise(7 * 2**20)})),
    good("letter.doc", "application/msword", ole2_writer.word, label="Word 97-2003"),
    good("locked.doc", "application/msword", lambda: ole2_writer.word(locked=True), "password"),
    good("macros.doc", "application/msword", lambda: ole2_writer.word(storages=("Macros",)), "macros"),
    good("prices.xls", f"{MS}excel", ole2_writer.excel, label="Excel 97-2003"),
    good("old-prices.xls", f"{MS}excel", lambda: ole2_writer.excel(name="Book")),
    good("locked.xls", f"{MS}excel", lambda: ole2_writer.excel(locked=True), "password"),
    good("deck.ppt", f"{MS}powerpoint", ole2_writer.powerpoint, label="PowerPoint 97-2003"),
    good("locked.ppt", f"{MS}powerpoint", lambda: ole2_writer.powerpoint(locked=True), "password"),
    bad("empty.pdf", Reason.EMPTY, bytes),
    bad("cut.pdf", Reason.BROKEN, lambda: pdf()[:-30], mime_type="application/pdf", detail="cut short"),
    bad("cut-in-an-update.pdf", Reason.BROKEN, lambda: pdf() + b"\n9 0 obj\n<< /Type /Annot >>\nendobj\nxref\n9 1\n", mime_type="application/pdf", detail="cut short"),
    bad("header-alone.pdf", Reason.BROKEN, lambda: b"%PDF-1.7\n", mime_type="application/pdf"),
    bad("hollow.pdf", Reason.BROKEN, lambda: b"%PDF-1.7\nnothing in here\n%%EOF\n", mime_type="application/pdf", detail="no pages"),
    bad("cut.docx", Reason.BROKEN, lambda: makers.docx(["Spring Sale"])[:-40], mime_type=DOCX, detail="cut short"),
    bad("half.xlsx", Reason.BROKEN, lambda: xlsx()()[: len(xlsx()()) // 2], mime_type=XLSX, detail="cut short"),
    bad("start.docx", Reason.BROKEN, lambda: docx()()[:200], detail="cut short"),
    bad("flipped.docx", Reason.BROKEN, lambda: raw.damaged_part(docx(method=0)(), b"Everything"), mime_type=DOCX),
    bad("zip-with-password.docx", Reason.ENCRYPTED, lambda: raw.locked_zip(docx()()), mime_type=DOCX, detail="password"),
    bad("no-main-part.docx", Reason.BROKEN, lambda: makers.zipped({"[Content_Types].xml": f'<Types><Override PartName="/word/document.xml" ContentType="{DOCX}.main+xml"/></Types>'}), mime_type=DOCX, detail="missing"),
    bad("macros.docm", Reason.TYPE_NOT_SUPPORTED, docx(kind=f"{MS}word.document.macroEnabled.main+xml"), detail="macros"),
    bad("macros.docx", Reason.TYPE_NOT_SUPPORTED, docx(kind=f"{MS}word.document.macroEnabled.main+xml"), "name_disagrees", detail="macros"),
    bad("macros.xlsm", Reason.TYPE_NOT_SUPPORTED, xlsx(kind=f"{MS}excel.sheet.macroEnabled.main+xml"), detail="macros"),
    bad("macros.pptm", Reason.TYPE_NOT_SUPPORTED, pptx(kind=f"{MS}powerpoint.presentation.macroEnabled.main+xml"), detail="macros"),
    bad("template.dotx", Reason.TYPE_NOT_SUPPORTED, docx(kind=f"{OFFICE}wordprocessingml.template.main+xml"), detail="template"),
    bad("show.ppsx", Reason.TYPE_NOT_SUPPORTED, pptx(kind=f"{OFFICE}presentationml.slideshow.main+xml"), detail="slide show"),
    bad("binary.xlsb", Reason.TYPE_NOT_SUPPORTED, xlsx(kind=f"{MS}excel.sheet.binary.macroEnabled.main"), detail="binary Excel"),
    bad("locked.docx", Reason.ENCRYPTED, lambda: ole2_writer.compound({"EncryptionInfo": bytes(4096), "EncryptedPackage": bytes(9000)}), detail="password"),
    bad("message.msg", Reason.TYPE_NOT_SUPPORTED, lambda: ole2_writer.compound({"__properties_version1.0": bytes(4096)}), detail="Outlook"),
    bad("drawing.vsd", Reason.TYPE_NOT_SUPPORTED, lambda: ole2_writer.compound({"VisioDocument": bytes(4096)}), detail="Visio"),
    bad("setup.msi", Reason.TYPE_NOT_SUPPORTED, lambda: ole2_writer.compound({"x": bytes(4096)}, clsid=bytes.fromhex("84100c0000000000c000000000000046")), detail="installer"),
    bad("cut.doc", Reason.BROKEN, lambda: ole2_writer.word()[:3000], mime_type="application/msword"),
    bad("header-alone.xls", Reason.BROKEN, lambda: ole2_writer.excel()[:300]),
    bad("text.odt", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x/>"}), detail="OpenDocument"),
    bad("book.epub", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"mimetype": "application/epub+zip", "a.xml": "<x/>"}), detail="EPUB"),
    bad("archive.zip", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"a.txt": "a"}), detail="ZIP"),
    bad("zip.docx", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"a.txt": "a"}), "name_disagrees", detail="ZIP"),
    bad("app.apk", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"AndroidManifest.xml": "a", "META-INF/MANIFEST.MF": ""}), detail="Android"),
    bad("letter.pages", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"Index/Document.iwa": "a"}), detail="Pages"),
    bad("cut.zip", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"a.txt": "a" * 99})[:-30], detail="ZIP"),
    bad("page.html", Reason.TYPE_NOT_SUPPORTED, lambda: b"<!DOCTYPE html>\n<html><body>Sale</body></html>", detail="HTML"),
    bad("page.txt", Reason.TYPE_NOT_SUPPORTED, lambda: b"\n <html>\n<body>Sale</body></html>", "name_disagrees", detail="HTML"),
    bad("piece-of-a-page.html", Reason.TYPE_NOT_SUPPORTED, lambda: b'<title>Sale</title>\n<link rel="x" href="y">\n<script>a()</script>', detail="HTML"),
    bad("feed.xml", Reason.TYPE_NOT_SUPPORTED, lambda: b'<?xml version="1.0"?>\n<feed><a/></feed>', detail="XML"),
    bad("letter.rtf", Reason.TYPE_NOT_SUPPORTED, lambda: rb"{\rtf1\ansi Hello}", detail="RTF"),
    bad("rtf.doc", Reason.TYPE_NOT_SUPPORTED, lambda: rb"{\rtf1\ansi Hello}", "name_disagrees", detail="RTF"),
    bad("flyer.eps", Reason.TYPE_NOT_SUPPORTED, lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%EOF\n", detail="PostScript"),
    bad("spoiled.txt", Reason.NOT_TEXT, lambda: b"Some words, then\0a nul, and a lot of other words behind it."),
    bad("utf-16-without-mark.txt", Reason.NOT_TEXT, lambda: "See you on Saturday.\r\n".encode("utf-16-le"), detail="UTF-16"),
    bad("utf-16-with-accents-without-mark.txt", Reason.NOT_TEXT, lambda: "Grüße aus Köln, bis Samstag.\r\n".encode("utf-16-be"), detail="UTF-16"),
    bad("noise.txt", Reason.TYPE_NOT_SUPPORTED, lambda: noise(2000), detail="unknown type"),
    bad("program.exe", Reason.TYPE_NOT_SUPPORTED, lambda: b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x4c\x01" + bytes(240), detail="Windows program"),
    bad("archive.rar", Reason.TYPE_NOT_SUPPORTED, lambda: b"Rar!\x1a\x07\x01\0" + bytes(64), detail="RAR"),
    bad("archive.7z", Reason.TYPE_NOT_SUPPORTED, lambda: b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(64), detail="7-Zip"),
    bad("archive.gz", Reason.TYPE_NOT_SUPPORTED, lambda: b"\x1f\x8b\x08\0" + bytes(64), detail="gzip"),
)  # fmt: skip

_NOTHING_OF = f"{MS}excel.sheet.binary.macroEnabled.main"
_MAIN_OF_DOCX = f'<Override PartName="/word/document.xml" ContentType="{DOCX}.main+xml"/>'


def types_of(package: bytes, old: str, new: str) -> bytes:
    """An Office document whose list of types has one word for another."""
    return raw.repacked(package, change={"[Content_Types].xml": (old, new)})


def default_bin(package: bytes) -> bytes:
    """An Office document with the type of a binary workbook by extension, as SheetJS lists it."""
    return types_of(package, "<Default", f'<Default Extension="bin" ContentType="{_NOTHING_OF}"/><Default')


def binary_workbook() -> bytes:
    """A binary workbook as Excel lists it: its main part has its type by its extension alone."""
    renamed = raw.repacked(xlsx()(), lambda name: name.replace("workbook.xml", "workbook.bin"))
    return default_bin(
        types_of(renamed, f'<Override PartName="/xl/workbook.xml" ContentType="{XLSX}.main+xml"/>', "")
    )


def with_own_types(package: bytes, kind: str) -> bytes:
    """A Word document whose list has a type by extension instead of one for its main part."""
    listed = types_of(package, _MAIN_OF_DOCX, "")
    return types_of(
        listed, 'Extension="xml" ContentType="application/xml"', f'Extension="xml" ContentType="{kind}"'
    )


def backslashed(name: str) -> str:
    """A part's name as some writers have it."""
    return name.replace("/", "\\")


ONE_IN_ANOTHER = {"ObjectPool": {"WordDocument": ole2_writer.word_header(), "1Table": bytes(4096)}}

#: What is told by a container's own directory, and not by what lies within it or by a word about it.
CONTAINERS = (
    good("sheetjs.xlsx", XLSX, lambda: default_bin(xlsx()())),
    good("sheetjs-with-a-printer.xlsx", XLSX, lambda: default_bin(xlsx(extra={"xl/printerSettings1.bin": b"x"})())),
    bad("by-excel.xlsb", Reason.TYPE_NOT_SUPPORTED, binary_workbook, detail="binary Excel"),
    good("type-by-extension.docx", DOCX, lambda: with_own_types(docx()(), f"{DOCX}.main+xml")),
    bad("type-by-extension.docm", Reason.TYPE_NOT_SUPPORTED, lambda: with_own_types(docx()(), f"{MS}word.document.macroEnabled.main+xml"), detail="macros"),
    good("types-by-extension.docx", DOCX, lambda: with_own_types(docx(extra={"customXml/a.xml": "<a/>"}, types_first=False)(), f"{DOCX}.main+xml")),
    bad("type-of-no-part.docx", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"[Content_Types].xml": f'<Types><Default Extension="bin" ContentType="{_NOTHING_OF}"/></Types>', "a.txt": "a"}), "name_disagrees", detail="ZIP"),
    good("another-main-part-listed.docx", DOCX, lambda: types_of(docx()(), "<Override", f'<Override PartName="/xl/workbook.xml" ContentType="{XLSX}.main+xml"/><Override')),
    good("two-main-parts.docx", DOCX, lambda: types_of(docx(extra={"xl/workbook.xml": "<a/>"})(), "<Override", f'<Override PartName="/xl/workbook.xml" ContentType="{XLSX}.main+xml"/><Override')),
    good("small-letters.xlsx", XLSX, lambda: raw.repacked(xlsx()(), str.lower)),
    good("capitals.docx", DOCX, lambda: raw.repacked(docx()(), str.upper)),
    good("backslashes.xlsx", XLSX, lambda: raw.repacked(xlsx()(), backslashed)),
    good("slash-first.pptx", PPTX, lambda: raw.repacked(pptx()(), lambda name: f"/{name}")),
    good("no-slash-first.docx", DOCX, lambda: types_of(docx()(), 'PartName="/', 'PartName="')),
    good("per-cent.docx", DOCX, lambda: types_of(docx()(), "/word/document.xml", "/word/d%6Fcument.xml")),
    good("entity.docx", DOCX, lambda: types_of(docx()(), "/word/document.xml", "/word/d&#111;cument.xml")),
    good("utf-16-be.docx", DOCX, lambda: raw.repacked(docx()(), change={"word/document.xml": ("<?xml", "\0<?xml")})),
    good("streamed.docx", DOCX, lambda: raw.streamed_zip(docx()())),
    good("macros-in-capitals.docx", DOCX, docx(extra={"word/VBAPROJECT.BIN": b"x"}), "macros"),
    bad("cut-backslashes.docx", Reason.BROKEN, lambda: raw.repacked(docx()(), backslashed)[:-40], mime_type=DOCX, detail="cut short"),
    bad("small-letters-with-password.xlsx", Reason.ENCRYPTED, lambda: raw.locked_zip(raw.repacked(xlsx()(), str.lower)), mime_type=XLSX, detail="password"),
    bad("add-in.ppam", Reason.TYPE_NOT_SUPPORTED, pptx(kind=f"{MS}powerpoint.addin.macroEnabled.main+xml"), detail="add-in"),
    bad("drawing.vsdm", Reason.TYPE_NOT_SUPPORTED, pptx(kind=f"{MS}visio.drawing.macroEnabled.main+xml"), detail="Visio"),
    bad("flyer.xps", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"[Content_Types].xml": "<Types/>", "FixedDocSeq.fdseq": "<a/>"}), detail="XPS"),
    bad("cut-zip-of-a-docx.zip", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"letter.docx": docx()()}, method=0)[:-30], detail="ZIP"),
    bad("no-mimetype.odt", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"META-INF/manifest.xml": '<m:file-entry m:full-path="/" m:media-type="application/vnd.oasis.opendocument.text"/>', "content.xml": "<x/>"}), detail="OpenDocument"),
    bad("no-mimetype.epub", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"META-INF/container.xml": "<a/>"}), detail="EPUB"),
    bad("claims-to-be-a-pdf.zip", Reason.TYPE_NOT_SUPPORTED, lambda: makers.zipped({"mimetype": "application/pdf"}), detail="ZIP"),
    bad("locked-mimetype.zip", Reason.TYPE_NOT_SUPPORTED, lambda: raw.locked_zip(makers.zipped({"mimetype": "application/epub+zip"})), detail="ZIP"),
    good("letter-inside.xls", f"{MS}excel", lambda: ole2_writer.excel(inside=ONE_IN_ANOTHER), label="Excel 97-2003"),
    bad("letter-inside-nothing.xls", Reason.TYPE_NOT_SUPPORTED, lambda: ole2_writer.excel(name="Wrkbook", inside=ONE_IN_ANOTHER), detail="compound file"),
    bad("letter-attached.msg", Reason.TYPE_NOT_SUPPORTED, lambda: ole2_writer.compound({"__properties_version1.0": bytes(4096)}, inside=ONE_IN_ANOTHER), detail="Outlook"),
    bad("locked-one-inside.msi", Reason.TYPE_NOT_SUPPORTED, lambda: ole2_writer.compound({"x": bytes(4096)}, inside={"y": {"EncryptedPackage": bytes(4096)}}, clsid=bytes.fromhex("86100c0000000000c000000000000046")), detail="installer"),
    good("macros-of-one-inside.doc", "application/msword", lambda: ole2_writer.word(inside={"ObjectPool": {"Macros": bytes(4096)}})),
    bad("storage-of-that-name.doc", Reason.TYPE_NOT_SUPPORTED, lambda: ole2_writer.compound({"x": bytes(4096)}, storages=("WordDocument",)), detail="compound file"),
    good("capitals.doc", "application/msword", lambda: ole2_writer.word(name="WORDDOCUMENT", storages=("MACROS",)), "macros"),
    good("capitals.xls", f"{MS}excel", lambda: ole2_writer.excel(name="WORKBOOK"), label="Excel 97-2003"),
    good("capitals-95.xls", f"{MS}excel", lambda: ole2_writer.excel(name="BOOK", version=0x0500), "old_version", label="Excel 5 or 95"),
    bad("capitals-locked.xlsx", Reason.ENCRYPTED, lambda: ole2_writer.compound({"ENCRYPTIONINFO": bytes(4096), "ENCRYPTEDPACKAGE": bytes(9000)}), detail="password"),
    bad("locked-beside-a-stub.xlsx", Reason.ENCRYPTED, lambda: ole2_writer.compound({"Workbook": ole2_writer.excel_records().ljust(4096, b"\0"), "EncryptedPackage": bytes(9000)}), detail="password"),
    bad("rights-management.doc", Reason.ENCRYPTED, lambda: ole2_writer.compound({"WordDocument": ole2_writer.word_header(), "\tDRMContent": bytes(9000)}), detail="rights management"),
    good("word-95.doc", "application/msword", lambda: ole2_writer.word(identifier=0xA5DC), "old_version", label="Word 6 or 95"),
    good("word-95-locked.doc", "application/msword", lambda: ole2_writer.word(identifier=0xA5DC, locked=True), "old_version", "password"),
    good("word-95-east-asian.doc", "application/msword", lambda: ole2_writer.word(identifier=0xA699), "old_version", label="Word 6 or 95"),
    good("excel-95.xls", f"{MS}excel", lambda: ole2_writer.excel(name="Book", version=0x0500), "old_version", label="Excel 5 or 95"),
    good("powerpoint-95.ppt", f"{MS}powerpoint", lambda: ole2_writer.compound({"PP40": bytes(4096)}), "old_version", label="PowerPoint 4 or 95"),
    bad("cut-word-95.doc", Reason.BROKEN, lambda: ole2_writer.word(identifier=0xA5DC)[:3000], mime_type="application/msword"),
    *(
        good(f"bare-{number:x}.doc", "application/msword", partial(ole2_writer.word_header, number), "old_version", label=label)
        for number, label in {0xA59B: "Word 1", 0xA5DB: "Word 2", 0xA5DC: "Word 6 or 95"}.items()
    ),
    good("bare-locked.doc", "application/msword", lambda: ole2_writer.word_header(0xA5DB, locked=True), "old_version", "password"),
    bad("bare-cut.doc", Reason.BROKEN, lambda: ole2_writer.word_header(0xA5DB)[:4000], mime_type="application/msword", detail="This Word 2 document is cut short"),
    *(
        good(f"bare-{number:x}-{version:x}.xls", f"{MS}excel", partial(ole2_writer.excel_records, number, version), "old_version", label=label)
        for number, version, label in (
            (0x0009, 2, "Excel 2"),
            (0x0209, 0, "Excel 3"),
            (0x0409, 0, "Excel 4"),
            (0x0809, 0, "Excel 5 or 95"),
            (0x0809, 0x0600, "Excel 97-2003"),
        )
    ),
    good("bare-locked.xls", f"{MS}excel", lambda: ole2_writer.excel_records(0x0409, 0, locked=True), "old_version", "password"),
    good("bare-with-stray-bytes.xls", f"{MS}excel", lambda: ole2_writer.excel_records(0x0409, 0) + b"\r\n<html>", "old_version"),
    bad("bare-cut.xls", Reason.BROKEN, lambda: ole2_writer.excel_records(0x0409, 0, locked=True)[:40], mime_type=f"{MS}excel", detail="This Excel 4 worksheet is cut short"),
    bad("bare-cut-between.xls", Reason.BROKEN, lambda: ole2_writer.excel_records(0x0209, 0)[:-4], mime_type=f"{MS}excel", detail="cut short"),
    bad("bare-of-two-parts-cut.xls", Reason.BROKEN, lambda: ole2_writer.excel_records(0x0809, 0x0500) + ole2_writer.excel_records(0x0809, 0x0500)[:-4], mime_type=f"{MS}excel", detail="cut short"),
    bad("for-macintosh.doc", Reason.TYPE_NOT_SUPPORTED, lambda: b"\xfe\x37\0\x23" + bytes(4000), detail="Macintosh"),
    bad("write.wri", Reason.TYPE_NOT_SUPPORTED, lambda: b"\x31\xbe\0\0\0\xab" + bytes(4000), detail="Windows Write"),
    bad("contract.pdf.p7m", Reason.TYPE_NOT_SUPPORTED, lambda: raw.signed(pdf()), detail="signed"),
    bad("drawing.emf", Reason.TYPE_NOT_SUPPORTED, lambda: raw.metafile(pdf()), detail="EMF"),
    bad("of-an-unknown-program.dat", Reason.TYPE_NOT_SUPPORTED, lambda: b"\x05\x01\x02\x03" * 9 + pdf() + b"\x01\x02\x03" * 9, detail="unknown type"),
    good("from-a-macintosh.pdf", "application/pdf", lambda: b"\0\x05a.pdf".ljust(128, b"\0") + pdf() + bytes(90), "stray_bytes"),
    good("printer-language.pdf", "application/pdf", lambda: b"\x1b%-12345X@PJL ENTER LANGUAGE=PDF\r\n" + pdf() + b"\x1b%-12345X", "stray_bytes"),
    good("no-end-mark.pdf", "application/pdf", lambda: pdf().removesuffix(b"%%EOF\n"), "no_end_mark"),
    good("nothing-behind-the-index.pdf", "application/pdf", lambda: pdf().removesuffix(b"\n%%EOF\n"), "no_end_mark"),
    good("piece-of-an-end-mark.pdf", "application/pdf", lambda: pdf()[:-3], "no_end_mark"),
    good("stream-index-without-end-mark.pdf", "application/pdf", lambda: pdf_with_stream_index("/Encrypt 9 0 R ").removesuffix(b"%%EOF"), "no_end_mark", "password"),
    bad("cut-in-the-place-of-the-index.pdf", Reason.BROKEN, lambda: pdf().removesuffix(b"\n%%EOF\n")[:-1], mime_type="application/pdf", detail="cut short"),
    bad("cut-in-the-trailer.pdf", Reason.BROKEN, lambda: pdf().partition(b"startxref")[0], mime_type="application/pdf", detail="cut short"),
    bad("no-end-mark-and-no-root.pdf", Reason.BROKEN, lambda: pdf().replace(b"/Root", b"/Toor").removesuffix(b"%%EOF\n"), mime_type="application/pdf", detail="cut short"),
    bad("no-header.pdf", Reason.BROKEN, lambda: pdf().partition(b"\n")[2], mime_type="application/pdf", detail="first line"),
    bad("no-header-no-comment.pdf", Reason.BROKEN, lambda: pdf()[pdf().index(b"1 0 obj") :], mime_type="application/pdf", detail="first line"),
    good("about-objects.txt", "text/plain", lambda: b"1 0 obj starts the first object of a PDF.\n"),
)  # fmt: skip

CASES: tuple[Case, ...] = AUDIO + VIDEO + IMAGE + STICKER + DOCUMENT + CONTAINERS
