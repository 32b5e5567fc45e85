"""Videos become H.264 with AAC in MP4, and what is right already is not touched."""

from __future__ import annotations

import io
import math
import os
import random
import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from examples import makers
from greenroom.conversion import CannotFix, video, video_plan, video_steps
from greenroom.conversion.probe import ProbedAudio, open_container
from greenroom.rules import KIB, MIB, Category
from tests.conversion.kit import Bench, far, probe, said
from tests.support import raw

MAIN = {"profile": "main", "preset": "veryfast"}
SMALL: dict[str, Any] = {"seconds": 1.0, "size": (160, 120)}
QUIET = {"x265-params": "log-level=none"}
QUICK = {"deadline": "realtime"}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A frame that packs badly."""
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))


def made(
    form: str,
    codec: str,
    frames: Iterable[Image.Image],
    *,
    fps: int = 15,
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    turn: int = 0,
    colours: tuple[int, int, int] | None = None,
    metadata: Mapping[str, str] | None = None,
    folder: Path,
) -> bytes:
    """A video of given frames."""
    path = folder / "made"
    with av.open(str(path), "w", format=form, options=dict(makers.BIT_EXACT)) as out:
        out.metadata.update(metadata or {})
        stream: Any = out.add_stream(codec, rate=fps, options=dict(options or {}))
        if colours is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = colours
        if turn:
            stream.set_display_rotation(turn)
        for number, image in enumerate(frames):
            if number == 0:
                (stream.width, stream.height), stream.pix_fmt = image.size, pixels
            whole: Any = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call] # PyAV leaves it bare
            frame = whole.reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            if colours is not None:
                frame.color_primaries, frame.color_trc, frame.colorspace = colours
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def halves(width: int = 160, height: int = 96) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), (200, 0, 0))
    image.paste((0, 0, 200), (width // 2, 0, width, height))
    return image


@pytest.mark.parametrize(
    ("name", "form", "video", "audio", "extra"),
    [
        ("video.webm", "webm", "libvpx-vp9", "libopus", {"rate": 48_000, "video_options": QUICK}),
        ("video.webm", "webm", "libvpx", "libopus", {"rate": 48_000, "video_options": QUICK}),
        ("video.mkv", "matroska", "libx265", "flac", {"video_options": QUIET}),
        ("video.mp4", "mp4", "libsvtav1", "aac", {"video_options": {"preset": "11"}}),
        ("video.avi", "avi", "mpeg4", "libmp3lame", {"video_options": {"bf": "2"}}),
        ("video.avi", "avi", "libx264", "ac3", {}),
        ("video.mpg", "mpeg", "mpeg2video", "mp2", {"fps": 25}),
        ("video.ts", "mpegts", "mpeg2video", "mp2", {"fps": 25, "video_options": {"bf": "2"}}),
        ("video.3gp", "3gp", "h263", "libopencore_amrnb", {"rate": 8_000, "size": (176, 144)}),
        ("video.wmv", "asf", "wmv2", "wmav2", {"bit_rate": 64_000}),
        ("video.flv", "flv", "flv", "libmp3lame", {}),
        ("video.mov", "mov", "prores_ks", "pcm_s16le", {"pixels": "yuv422p10le"}),
        ("video.mov", "mov", "mjpeg", "alac", {"pixels": "yuvj420p"}),
        ("high.mp4", "mp4", "libx264", "aac", {"video_options": {"profile": "high", "preset": "medium"}}),
        ("deep.mp4", "mp4", "libx264", "aac", {"pixels": "yuv420p10le"}),
        ("rich.mp4", "mp4", "libx264", "eac3", {"pixels": "yuv444p"}),
    ],
)  # fmt: skip
def test_every_common_codec(
    bench: Bench, name: str, form: str, *, video: str, audio: str, extra: dict[str, Any]
) -> None:
    """The frames are the same, in the same order, at the same times; so is the audio."""
    arguments = {**SMALL, **extra}
    data = makers.media(form, video=video, audio=[audio], **arguments)
    fixed = bench.fix(name, data)
    after = probe(fixed.path)
    assert after["codecs"] == ["h264", "aac"]
    assert fixed.path.suffix == ".mp4"
    assert not fixed.verdict.notices
    fps = arguments.get("fps", 15)
    assert len(after["frames"]) == fps
    late = round(after["times"][1] * fps) - 1
    assert late in (0, 1)  # Windows Media has its frames a frame late: the first one is shown until then
    assert after["times"][0] == 0
    assert [round(time * fps) - late for time in after["times"][1:]] == list(range(1, fps))
    still = makers.drawn_image(*arguments["size"])
    assert far(after["frames"][0].crop((0, 0, 160, 90)), still.crop((0, 0, 160, 90)).resize((160, 90))) < 30
    assert abs(after["samples"] / after["rate"] - 1) < 0.1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how a thread is scheduled")
def test_an_encoder_leaves_its_caller_the_usual_priority() -> None:
    """SVT-AV1 takes real time for itself, as root; what a test starts after it would have it for ever."""
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    makers.media("mp4", video="libsvtav1", video_options={"preset": "11"}, **SMALL)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_quicktime_movie_is_not_encoded_again(bench: Bench) -> None:
    """Only its file is wrong: frames and audio are the very same bytes."""
    data = makers.media("mov", video="libx264", audio=["aac"], video_options=MAIN, **SMALL)
    fixed = bench.fix("phone.mov", data)
    assert _packets(data) == _packets(fixed.path.read_bytes())
    assert "without any loss" in said(fixed)


def _packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data), "r") as container:
        return sorted(bytes(packet) for packet in container.demux() if packet.size)


@pytest.mark.parametrize(
    ("name", "form", "extra"),
    [
        ("video.mkv", "matroska", {}),
        ("video.flv", "flv", {}),
        ("video.ts", "mpegts", {}),
        ("phone.3g2", "3g2", {}),
        ("index-at-end.mp4", "mp4", {}),
    ],
)
def test_other_files_around_right_streams(bench: Bench, name: str, form: str, extra: dict[str, Any]) -> None:
    """Nothing is encoded, and the index is in front."""
    data = makers.media(form, video="libx264", audio=["aac"], video_options=MAIN, **SMALL, **extra)
    fixed = bench.fix(name, data)
    assert "without any loss" in said(fixed)
    assert not fixed.verdict.notices
    assert _packets(data)[-15:] == _packets(fixed.path.read_bytes())[-15:] or form in ("flv", "mpegts")
    after = probe(fixed.path)
    assert [round(time * 15) for time in after["times"]] == list(range(15))
    content = fixed.path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_only_the_audio_is_converted_where_only_it_is_wrong(bench: Bench) -> None:
    """The frames keep every bit."""
    data = makers.media("mov", video="libx264", audio=["pcm_s16le"], video_options=MAIN, channels=2, **SMALL)
    fixed = bench.fix("camera.mov", data)
    assert "Kept the video as it is; converted the audio from PCM" in said(fixed)
    assert probe(fixed.path)["channels"] == 2


@pytest.mark.parametrize("channels", [1, 2])
def test_audio_keeps_its_channels(bench: Bench, channels: int) -> None:
    """A video whose frames are encoded anew: mono stays mono, stereo stays stereo."""
    data = makers.media(
        "matroska", video="mpeg4", audio=("libopus",), rate=48_000, channels=channels, seconds=0.5
    )
    fixed = bench.fix("clip.mkv", data)
    assert probe(fixed.path)["channels"] == channels
    assert "Converted the audio from Opus to AAC." in said(fixed)


def test_mixing_down_is_said() -> None:
    """Surround audio, also of AAC itself, and stereo for which there are too few bits."""
    surround = ProbedAudio(index=1, codec="aac", profile="LC", channels=6, rate=48_000, bits=0)
    stereo = replace(surround, codec="mp3", channels=2)
    assert video_steps._audio(surround, 2) == "encoded the audio anew, as AAC, mixed down to two channels"
    assert video_steps._audio(stereo, 1) == "converted the audio from MP3 to AAC, mixed down to one channel"


def test_further_tracks_are_left_out(bench: Bench) -> None:
    """Two languages become one."""
    data = makers.media("mp4", video="libx264", audio=["aac", "aac"], video_options=MAIN, **SMALL)
    fixed = bench.fix("languages.mp4", data)
    assert probe(fixed.path)["codecs"] == ["h264", "aac"]
    assert "Left out 1 further audio track." in said(fixed)


def test_what_is_right_is_left_alone(bench: Bench) -> None:
    """Nothing to fix, nothing written."""
    data = makers.media(
        "mp4", video="libx264", audio=["aac"], video_options=MAIN, options=makers.FAST_START, **SMALL
    )
    assert bench.try_fix("fine.mp4", data) is None
    assert not list(bench.into.iterdir())


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("codec", ["libx265", "libx264"])
def test_videos_held_upright(bench: Bench, tmp_path: Path, turn: int, codec: str) -> None:
    """Phones store a turn beside the frames: it is baked in, or kept where the frames are."""
    options = QUIET if codec == "libx265" else MAIN
    data = made("mov", codec, [halves()] * 5, options=options, turn=turn, folder=tmp_path)
    fixed = bench.fix("phone.mov", data)
    with av.open(str(fixed.path)) as container:
        frame = next(container.decode(video=0))
        drawn = frame.to_image()  # type: ignore[no-untyped-call] # it has no types
    image: Image.Image = drawn.rotate(frame.rotation, expand=True)
    wanted = halves().rotate(turn, expand=True)
    assert image.size == wanted.size
    assert far(image, wanted) < 12


def test_sixty_frames_a_second_become_thirty(bench: Bench, tmp_path: Path) -> None:
    """Evenly: every second one."""
    data = made("matroska", "mpeg4", [halves()] * 60, fps=60, folder=tmp_path)
    fixed = bench.fix("fast.mkv", data)
    times = probe(fixed.path)["times"]
    assert len(times) == 30
    assert all(math.isclose(b - a, 1 / 30, abs_tol=0.002) for a, b in pairwise(times))
    assert "from 60 to 30 frames a second" in said(fixed)


def test_large_videos_come_down_to_1920(bench: Bench, tmp_path: Path) -> None:
    """And odd sides become even."""
    data = made("matroska", "ffv1", [halves(2881, 1621)] * 2, pixels="yuv444p", folder=tmp_path)
    assert bench.fix("large.mkv", data).verdict.label.startswith("MP4 video, 0:00, 1920 x 1080")
    data = made("matroska", "ffv1", [halves(161, 97)] * 2, pixels="yuv444p", folder=tmp_path)
    assert probe(bench.fix("odd.mkv", data).path)["frames"][0].size == (160, 96)


def test_hdr_is_brought_to_common_screens(bench: Bench, tmp_path: Path) -> None:
    """White stays below the brightest, and the new file says that it is BT.709."""
    data = made(
        "mp4",
        "libx265",
        [makers.drawn_image(160, 96)] * 3,
        pixels="yuv420p10le",
        options=QUIET,
        colours=(9, 18, 9),
        folder=tmp_path,
    )
    fixed = bench.fix("hdr.mp4", data)
    with av.open(str(fixed.path)) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)) == (1, 1, 1)
    assert "HDR" in said(fixed)


def test_a_place_is_not_passed_on(bench: Bench, tmp_path: Path) -> None:
    """Phones write where a video was taken."""
    data = made(
        "mov", "libx264", [halves()] * 3, options=MAIN, metadata={"location": "+52.5+013.4/"}, folder=tmp_path
    )
    assert b"+52.5+013.4/" in data
    fixed = bench.fix("trip.mov", data)
    assert b"+52.5+013.4/" not in fixed.path.read_bytes()
    assert "Removed the place where it was filmed." in fixed.steps


def test_a_video_over_the_limit(bench: Bench, tmp_path: Path) -> None:
    """Noise in H.264 at 20 MB and more."""
    frames = [noise(1280, 720, number) for number in range(12)]
    data = made("mp4", "libx264", frames, fps=12, options={"preset": "ultrafast", "qp": "4"}, folder=tmp_path)
    assert len(data) > 16 * MIB
    fixed = bench.fix("noise.mp4", data)
    assert fixed.verdict.size <= 16 * MIB
    assert "Packed tighter: " in said(fixed)
    assert len(probe(fixed.path)["frames"]) == 12


@pytest.mark.parametrize("limit", [150 * KIB, 400 * KIB])
def test_the_size_is_kept_near_the_limit(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """What never packs well comes out under the limit, and not far under it."""
    monkeypatch.setattr(video_plan, "MAX_VIDEO", limit)
    monkeypatch.setattr(video, "MAX_VIDEO", limit)
    frames = [noise(320, 240, number) for number in range(90)]
    fixed = bench.fix("noise.avi", made("avi", "mjpeg", frames, pixels="yuvj420p", folder=tmp_path))
    assert 0.6 * limit < fixed.verdict.size <= limit


def test_too_long_is_refused_with_figures(bench: Bench, tmp_path: Path) -> None:
    """An hour of moving frames does not fit, and how much does is said.

    An hour that is only claimed is no reason, where every byte of the file is there.
    """
    data = made("matroska", "mpeg4", [halves(32, 32)] * 2, fps=1, folder=tmp_path)
    at = data.index(b"\x44\x89\x88") + 3  # the play time, a double, in milliseconds
    hour = data[:at] + b"\x41\x4b\x77\x40\x00\x00\x00\x00" + data[at + 8 :]
    with pytest.raises(CannotFix, match=r"cut short: 0:02 of 1:00:00"):
        bench.try_fix("long.mkv", hour[:-20])
    assert bench.fix("claimed.mkv", hour).verdict.label.startswith("MP4 video, 0:02")
    with pytest.raises(CannotFix, match=r"This video is 1:00:00 long; 16 MB hold about \d+:\d\d of it"):
        video_plan.plan_video(size=(1920, 1080), rate=30, seconds=3600, audio=True)


@pytest.mark.parametrize("form", ["matroska", "avi"])
def test_a_video_that_is_cut_short_is_not_fixed(bench: Bench, tmp_path: Path, form: str) -> None:
    """Inspection does not look into these; the play time gives it away."""
    data = made(form, "mpeg4", [noise(160, 120, n) for n in range(45)], fps=9, folder=tmp_path)
    with pytest.raises(CannotFix, match=r"cut short"):
        bench.try_fix(f"cut.{form}", data[: len(data) // 2])


def test_kinds_that_cannot_be(bench: Bench) -> None:
    """A video is no sticker, and audio no video; its audio can be had alone."""
    data = makers.media("matroska", video="mpeg4", audio=["aac"], **SMALL)
    with pytest.raises(CannotFix, match=r"no sticker file"):
        bench.try_fix("video.mkv", data, kind=Category.STICKER)
    fixed = bench.fix("video.mkv", data, kind=Category.AUDIO)
    assert fixed.verdict.mime_type == "audio/mp4"
    assert "without the video" in said(fixed)
    audio = makers.media("wav", audio=["pcm_s16le"], seconds=1.0)
    with pytest.raises(CannotFix, match=r"no video file"):
        bench.try_fix("audio.wav", audio, kind=Category.VIDEO)


def test_nonsense_is_refused(bench: Bench) -> None:
    """Noise, an unknown codec, a brand and nothing else."""
    mp4 = makers.media("mp4", video="libx264", audio=["aac"], video_options=MAIN, **SMALL)
    for name, data in (
        ("noise.bin", b"\x80\x02" + random.Random(1).randbytes(50_000)),
        ("unknown.mp4", raw.renamed_entry(mp4, b"avc1", b"zzzz")),
        ("old.mov", raw.box(b"wide") + raw.box(b"mdat", bytes(99)) + raw.box(b"moov")),
    ):
        with pytest.raises(CannotFix):
            bench.try_fix(name, data)


def test_a_playlist_opens_nothing_else(bench: Bench) -> None:
    """FFmpeg knows formats that name other files; none of them is let in."""
    secret = bench.put("secret.wav", makers.media("wav", audio=["pcm_s16le"], seconds=0.2))
    for name, text in (
        ("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", f"ffconcat version 1.0\nfile '{secret}'\n"),
    ):
        with pytest.raises(CannotFix), open_container(bench.put(name, text.encode())):
            pass


def test_audio_that_starts_late_stays_late(bench: Bench, tmp_path: Path) -> None:
    """Silence is put in front of it, so that lips and words stay together."""
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as out:
        frames: Any = out.add_stream("mpeg4", rate=10)
        frames.width, frames.height, frames.pix_fmt = 64, 64, "yuv420p"
        audio: Any = out.add_stream("pcm_s16le", rate=8_000)
        for number in range(30):
            whole: Any = av.VideoFrame.from_image(halves(64, 64))  # type: ignore[no-untyped-call] # PyAV leaves it bare
            frame = whole.reformat(format="yuv420p")
            frame.pts = number
            out.mux(frames.encode(frame))
        loud = av.AudioFrame(format="s16", layout="mono", samples=8_000)
        loud.planes[0].update(array("h", [20_000, -20_000] * 4_000).tobytes())
        loud.sample_rate, loud.pts, loud.time_base = 8_000, 16_000, Fraction(1, 8_000)
        out.mux(audio.encode(loud))
        out.mux(frames.encode(None))
        out.mux(audio.encode(None))
    fixed = bench.fix("late.mkv", path.read_bytes())
    assert abs(probe(fixed.path)["samples"] / probe(fixed.path)["rate"] - 3) < 0.1
    assert fixed.verdict.label.startswith("MP4 video, 0:03")
