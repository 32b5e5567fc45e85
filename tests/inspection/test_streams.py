"""Streams of video and audio: whole ones in odd layouts are taken, hollow ones are not.

Each case is shown to FFmpeg or Pillow, too: what is accepted they play, and of what is hollow they play
nothing.
"""

# ruff: noqa: E501 - tables: one case a line is easier to read than four

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image, ImageFile

from examples import makers
from greenroom.inspection import inspect_file
from greenroom.reasons import Reason
from tests.inspection import mp4_edits as edit
from tests.support import raw
from tests.support.corpus import (
    MAIN,
    Case,
    adts,
    bad,
    good,
    grainy,
    image,
    jpeg,
    m4a,
    media,
    mp3,
    mp4,
    opus,
    png,
    saved,
)

late = media("mp4", "libx264", "aac", video_options=MAIN)
pieces = media(
    "mp4", "libx264", "aac", seconds=2.0, video_options={**MAIN, "g": "10"},
    options={"movflags": "frag_keyframe+empty_moov"},
)  # fmt: skip
dash = media(
    "mp4", "libx264", "aac", seconds=2.0, video_options={**MAIN, "g": "10"},
    options={"movflags": "dash+global_sidx"},
)  # fmt: skip
audio_in_pieces = media("mp4", None, "aac", options={"movflags": "frag_keyframe+empty_moov"})
END, LATE = "index_at_end", "type_mark_late"


def parts(video: bytes) -> dict[bytes, bytes]:
    """The boxes of a file by type."""
    return dict(edit.top(video))


def until(video: bytes, count: int) -> bytes:
    """The first boxes of a file."""
    return b"".join(whole for _, whole in edit.top(video)[:count])


def lists_nothing(body: bytes) -> tuple[bytes, bytes]:
    """A table of sizes without entries."""
    del body
    return b"stsz", bytes(12)


def sizes_of_none(body: bytes) -> tuple[bytes, bytes]:
    """A table of sizes that are all 0."""
    return b"stsz", body[:12] + bytes(len(body) - 12)


def everywhere(place: int) -> Callable[[bytes], edit.Table]:
    """A table of chunks that all start at one place."""
    return lambda body: (b"stco", body[:8] + struct.pack(">I", place) * ((len(body) - 8) // 4))


ODD_LAYOUTS = (
    good("room-first.mp4", "video/mp4", lambda: edit.behind(raw.box(b"free", bytes(8)), late()), END, LATE),
    good("skip-first.mp4", "video/mp4", lambda: edit.behind(raw.box(b"skip"), late()), END, LATE),
    good("wide-first.mp4", "video/mp4", lambda: edit.behind(raw.box(b"wide"), late()), END, LATE),
    good("uuid-first.mp4", "video/mp4", lambda: edit.behind(raw.box(b"uuid", bytes(24)), late()), END, LATE),
    good("odd-box-first.mp4", "video/mp4", lambda: edit.behind(raw.box(b"junk", bytes(40)), late()), END, LATE),
    good("much-room-first.mp4", "video/mp4", lambda: edit.behind(raw.box(b"free", bytes(100_000)), late()), END, LATE),
    good("segment-mark-first.mp4", "video/mp4", lambda: edit.behind(raw.box(b"styp", b"msdh", bytes(4), b"msdh"), late()), END),
    good("box-without-a-name.mp4", "video/mp4", lambda: edit.before_index(late(), raw.box(bytes(4), bytes(16))), END),
    good("box-with-an-odd-name.mp4", "video/mp4", lambda: edit.before_index(late(), raw.box(b"\xff\0 ~", bytes(16))), END),
    good("stz2.mp4", "video/mp4", lambda: edit.changed(late(), b"stsz", edit.in_16_bits), END),
    good("co64.mp4", "video/mp4", lambda: edit.changed(late(), b"stco", edit.in_64_bits), END),
    good("stz2.m4a", "audio/mp4", lambda: edit.changed(m4a(), b"stsz", edit.in_16_bits)),
    good("long-index.mp4", "video/mp4", lambda: edit.without(late(), b"moov") + edit.long_header(parts(late())[b"moov"]), END),
    good("open-index.mp4", "video/mp4", lambda: edit.without(late(), b"moov") + edit.open_ended(parts(late())[b"moov"]), END),
    good("open-data.mp4", "video/mp4", lambda: edit.without(mp4(), b"mdat") + edit.open_ended(parts(mp4())[b"mdat"])),
    good("silent-track.mp4", "video/mp4", lambda: edit.changed(late(), b"stsz", lists_nothing, 1), END),
    good("in-pieces.mp4", "video/mp4", pieces, label="H.264 + AAC"),
    good("dash.mp4", "video/mp4", dash),
    good("separate-pieces.mp4", "video/mp4", media("mp4", "libx264", "aac", seconds=2.0, video_options={**MAIN, "g": "10"}, options={"movflags": "frag_keyframe+empty_moov+separate_moof"})),
    good("offsets-left-out.mp4", "video/mp4", media("mp4", "libx264", "aac", seconds=2.0, video_options={**MAIN, "g": "10"}, options={"movflags": "frag_keyframe+empty_moov+omit_tfhd_offset"})),
    good("first-piece-in-the-index.mp4", "video/mp4", media("mp4", "libx264", "aac", seconds=2.0, video_options={**MAIN, "g": "10"}, options={"movflags": "frag_keyframe"})),
    good("tag-longer-than-it-says.mp3", "audio/mpeg", lambda: raw.id3(image=makers.saved(grainy(200, 120), "JPEG"))[:6] + bytes([0, 0, 31, 118]) + raw.id3(image=makers.saved(grainy(200, 120), "JPEG"))[10:] + mp3()[20:] * 3, "stray_bytes"),
    good("one-frame.webp", "image/webp", lambda: raw.webp(raw.webp_frame(64, 64), flags=2), "sticker_dimensions", label="64 x 64"),
    good("flag-alone.webp", "image/webp", lambda: raw.webp(raw.webp_image(64, 64), flags=2, announced=False), "sticker_dimensions", "header_disagrees"),
    good("unknown-chunks.webp", "image/webp", lambda: raw.webp(raw.webp_chunk(b"JUNK", b"abc"), raw.webp_image(64, 64), raw.webp_chunk(b"ZZZZ", b"x"), announced=False), "sticker_dimensions"),
    good("another-canvas.webp", "image/webp", lambda: raw.webp(raw.webp_image(64, 64), canvas=(66, 64), announced=False), "sticker_dimensions", "header_disagrees"),
    good("two-frames.webp", "image/webp", lambda: raw.webp(raw.webp_frame(64, 64), raw.webp_frame(64, 64), flags=2), "sticker_dimensions", label="animated"),
    good("stray-bytes.jpg", "image/jpeg", lambda: jpeg()[:20] + b"\0\xff\0abc" + jpeg()[20:], "stray_bytes"),
    good("many-stray-bytes.jpg", "image/jpeg", lambda: jpeg()[:20] + b"x" * 3000 + jpeg()[20:], "stray_bytes"),
    good("restart-mark-between.jpg", "image/jpeg", lambda: jpeg()[:20] + b"\xff\xd0" + jpeg()[20:]),
    good("fill-bytes.jpg", "image/jpeg", lambda: jpeg()[:20] + b"\xff\xff\xff" + jpeg()[20:]),
    good("restarts-without-end-mark.jpg", "image/jpeg", lambda: saved("JPEG", restart_marker_blocks=3)()[:-2], "no_end_mark"),
    good("announced-and-still.png", "image/png", lambda: png()[:33] + raw.chunk(b"acTL", struct.pack(">II", 5, 0)) + png()[33:]),
)  # fmt: skip

HOLLOW = (
    bad("index-of-pieces-alone.mp4", Reason.BROKEN, lambda: until(pieces(), 2), mime_type="video/mp4", detail="no video and no audio"),
    bad("index-of-pieces-alone.m4a", Reason.BROKEN, lambda: until(audio_in_pieces(), 2), mime_type="audio/mp4", detail="no video and no audio"),
    bad("piece-without-data.mp4", Reason.BROKEN, lambda: until(pieces(), 3), mime_type="video/mp4", detail="no frames or audio (mdat)"),
    bad("pieces-without-data.mp4", Reason.BROKEN, lambda: edit.without(pieces(), b"mdat"), mime_type="video/mp4", detail="no frames or audio (mdat)"),
    bad("pieces-of-empty-data.mp4", Reason.BROKEN, lambda: edit.with_data(pieces(), lambda _: b""), mime_type="video/mp4", detail="no frames or audio (mdat)"),
    bad("piece-alone.m4s", Reason.BROKEN, lambda: edit.without(dash(), b"ftyp", b"moov"), mime_type="video/mp4", detail="index (moov)"),
    bad("empty-data.mp4", Reason.BROKEN, lambda: edit.with_data(late(), lambda _: b""), mime_type="video/mp4", detail="(mdat)"),
    bad("empty-data-in-front.mp4", Reason.BROKEN, lambda: edit.with_data(mp4(), lambda _: b""), mime_type="video/mp4", detail="(mdat)"),
    bad("no-data.m4a", Reason.BROKEN, lambda: edit.without(m4a(), b"mdat"), mime_type="audio/mp4", detail="(mdat)"),
    bad("zeros.m4a", Reason.BROKEN, lambda: edit.with_data(m4a(), lambda data: bytes(len(data))), mime_type="audio/mp4", detail="filled with zeros"),
    bad("no-offsets.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stco", lambda _: None), mime_type="video/mp4", detail="does not say where"),
    bad("offsets-of-none.m4a", Reason.BROKEN, lambda: edit.changed(m4a(), b"stco", lambda _: (b"stco", bytes(8))), mime_type="audio/mp4", detail="does not say where"),
    bad("no-chunks.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stsc", lambda _: None), mime_type="video/mp4", detail="does not say where"),
    bad("no-times.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stts", lambda _: None), mime_type="video/mp4", detail="does not say where"),
    bad("no-sizes.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stsz", lambda _: None), mime_type="video/mp4", detail="no video and no audio"),
    bad("lists-nothing.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stsz", lists_nothing), mime_type="video/mp4", detail="no video and no audio"),
    bad("sizes-of-none.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stsz", sizes_of_none), mime_type="video/mp4", detail="does not say where"),
    bad("beyond-the-end.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stco", everywhere(2**31)), mime_type="video/mp4", detail="beyond its end"),
    bad("in-the-index.m4a", Reason.BROKEN, lambda: edit.changed(m4a(), b"stco", everywhere(len(m4a()) - 500)), mime_type="audio/mp4", detail="where no frame or audio is"),
    bad("in-the-brands.m4a", Reason.BROKEN, lambda: edit.changed(m4a(), b"stco", everywhere(0)), mime_type="audio/mp4", detail="where no frame or audio is"),
    bad("contents-alone.mp3", Reason.BROKEN, lambda: mp3()[:202], mime_type="audio/mpeg", detail="table of contents"),
    bad("two-headers.ogg", Reason.BROKEN, lambda: opus()[: opus().index(b"OggS", opus().index(b"OpusTags"))], mime_type="audio/ogg", detail="no audio"),
    bad("nothing-behind-pre-skip.ogg", Reason.BROKEN, lambda: raw.ogg_page(b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0") + raw.ogg_page(b"OpusTags" + bytes(8), flags=0, sequence=1) + raw.ogg_page(b"\x33" * 40, flags=4, granule=312, sequence=2), mime_type="audio/ogg", detail="no audio"),
    bad("nothing-said.amr", Reason.BROKEN, lambda: b"#!AMR\n" + b"\x7c" * 100, mime_type="audio/amr", detail="no audio"),
)  # fmt: skip

DAMAGED = (
    bad("no-frames.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stsz", lists_nothing, 0), mime_type="video/mp4", detail="no frames, only audio"),
    bad("audio-nowhere.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stco", lambda _: None, 1), mime_type="video/mp4", detail="does not say where"),
    bad("more-sizes-than-there-are.mp4", Reason.BROKEN, lambda: edit.changed(late(), b"stsz", lambda body: (b"stsz", body[:8] + b"\0\xff\xff\xff" + body[12:])), mime_type="video/mp4", detail="does not say where"),
    bad("last-piece-missing.mp4", Reason.BROKEN, lambda: until(pieces(), 5), mime_type="video/mp4", detail="beyond its end"),
    bad("second-half-zeros.mp4", Reason.BROKEN, lambda: edit.with_data(late(), lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2)), mime_type="video/mp4", detail="filled with zeros"),
    bad("zeros-before-the-index.mp4", Reason.BROKEN, lambda: edit.before_index(late(), b"\0\0\0\x04moov"), mime_type="video/mp4", detail="not found"),
    bad("tag-longer-than-the-file.mp3", Reason.BROKEN, lambda: raw.id3()[:6] + b"\0\x7f\x7f\x7f" + raw.id3()[10:] + mp3(), mime_type="audio/mpeg", detail="title tag says"),
    bad("large-flag-alone.webp", Reason.TOO_LARGE, lambda: raw.webp(raw.webp_image(400, 400, grain=True), flags=2, announced=False), "sticker_dimensions", "header_disagrees", mime_type="image/webp", detail="static stickers up to 100 KB"),
    bad("large-one-frame.webp", Reason.TOO_LARGE, lambda: raw.webp(raw.webp_frame(400, 400, grain=True), flags=2), "sticker_dimensions", mime_type="image/webp", detail="static stickers up to 100 KB"),
    bad("frames-without-flag.webp", Reason.BROKEN, lambda: raw.webp(raw.webp_frame(64, 64), raw.webp_frame(64, 64)), mime_type="image/webp", detail="does not announce"),
    bad("frames-without-announcement.webp", Reason.BROKEN, lambda: raw.webp(raw.webp_frame(64, 64), flags=2, announced=False), mime_type="image/webp", detail="does not announce"),
    bad("frame-outside.webp", Reason.BROKEN, lambda: raw.webp(raw.webp_frame(64, 64), raw.webp_frame(64, 64, left=10), flags=2), mime_type="image/webp", detail="fit into"),
    bad("header-says-less.webp", Reason.BROKEN, lambda: raw.webp(raw.webp_image(64, 64))[:4] + (60).to_bytes(4, "little") + raw.webp(raw.webp_image(64, 64))[8:], mime_type="image/webp", detail="contradict"),
    bad("image.jp2", Reason.TYPE_NOT_SUPPORTED, saved("JPEG2000"), detail="JPEG 2000"),
    bad("image.jxl", Reason.TYPE_NOT_SUPPORTED, lambda: raw.box(b"JXL ", b"\r\n\x87\n") + raw.box(b"ftyp", b"jxl ", bytes(4), b"jxl ") + raw.box(b"jxlc", bytes(99)), detail="JPEG XL"),
    bad("two-starts.jpg", Reason.BROKEN, lambda: jpeg()[:2] + jpeg(), mime_type="image/jpeg", detail="another image starts"),
    bad("unknown-mark.jpg", Reason.BROKEN, lambda: jpeg()[:20] + b"\xff\x02\0\4ab" + jpeg()[20:], mime_type="image/jpeg", detail="no program knows"),
    bad("scans-missing.jpg", Reason.BROKEN, lambda: saved("JPEG", progressive=True)()[:-2], mime_type="image/jpeg", detail="no end mark"),
    bad("restarts-missing.jpg", Reason.BROKEN, lambda: saved("JPEG", restart_marker_blocks=3)()[:-300], mime_type="image/jpeg", detail="no end mark"),
    bad("garbage-for-an-end.png", Reason.BROKEN, lambda: png()[:-12] + b"garbage", mime_type="image/png", detail="no end mark"),
    bad("garbage-between-frames.aac", Reason.BROKEN, lambda: b"garbage".join(makers.adts_frames(adts())), mime_type="audio/mpeg", detail="no audio"),
)  # fmt: skip


@pytest.mark.parametrize("case", [*ODD_LAYOUTS, *HOLLOW, *DAMAGED], ids=lambda case: case.name)
def test_verdict(case: Case, tmp_path: Path) -> None:
    """Verdict, MIME type, notices and words are as the tables say."""
    path = tmp_path / case.name
    path.write_bytes(case.make())
    verdict = inspect_file(path)
    assert (verdict.reason, verdict.mime_type) == (case.reason, case.mime_type)
    assert {notice.code for notice in verdict.notices} - {"name_disagrees"} == case.notices
    assert case.label in verdict.label
    assert case.detail in verdict.detail


def played(path: Path) -> dict[str, int]:
    """Frames and packets of audio that FFmpeg decodes."""
    found: dict[str, int] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            stream = packet.stream
            try:
                found[stream.type] = found.get(stream.type, 0) + len(packet.decode())
            except av.FFmpegError:
                found["failed"] = found.get("failed", 0) + 1
    return found


@pytest.mark.parametrize(
    "case", [case for case in ODD_LAYOUTS if case.name.endswith((".mp4", ".m4a"))], ids=lambda case: case.name
)
def test_ffmpeg_plays_the_odd_ones(case: Case, tmp_path: Path) -> None:
    """FFmpeg decodes all frames and all audio of an odd layout that is accepted."""
    path = tmp_path / case.name
    path.write_bytes(case.make())
    found = played(path)
    assert "failed" not in found
    assert found["video" if case.mime_type == "video/mp4" else "audio"] > 10


@pytest.mark.parametrize("case", HOLLOW, ids=lambda case: case.name)
def test_ffmpeg_plays_nothing_of_the_hollow_ones(case: Case, tmp_path: Path) -> None:
    """FFmpeg opens a hollow file or not, and decodes nothing of it."""
    path = tmp_path / case.name
    path.write_bytes(case.make())
    try:
        found = played(path)
    except (av.FFmpegError, AttributeError):  # PyAV's own fault where FFmpeg names no format
        return
    assert found.get("video", 0) + found.get("audio", 0) == 0


_LIBWEBP_SHOWS = [
    case
    for case in ODD_LAYOUTS
    if case.name.endswith((".webp", ".jpg", ".png"))
    and not case.notices & {"header_disagrees", "no_end_mark"}
]


@pytest.mark.parametrize("case", _LIBWEBP_SHOWS, ids=lambda case: case.name)
def test_pillow_shows_the_odd_ones(case: Case) -> None:
    """Pillow shows every image that is accepted without a word about its header or its end."""
    with Image.open(io.BytesIO(case.make())) as drawn:
        drawn.load()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subsampling": 0},
        {"subsampling": 1},
        {"optimize": True},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(320, 200), (97, 61), (16, 16), (17, 9), (1, 1)], ids=str)
def test_a_jpeg_without_its_end_mark_is_taken_where_its_image_is_whole(
    size: tuple[int, int], options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is accepted shows the very pixels of the whole file in libjpeg, and one byte less is refused."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = makers.saved(image().resize(size), "JPEG", **options)
    path = tmp_path / "cut.jpg"
    for missing in (1, 2, 3, 4, 6, 10, 20):
        path.write_bytes(whole[:-missing])
        verdict = inspect_file(path)
        assert verdict.accepted == (missing <= 2), missing
        if verdict.accepted:
            with Image.open(path) as cut, Image.open(io.BytesIO(whole)) as original:
                assert cut.tobytes() == original.tobytes()
