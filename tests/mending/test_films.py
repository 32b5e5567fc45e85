"""Films become H.264 with AAC in MP4, and what is right already is not touched."""

from __future__ import annotations

import io
import math
import random
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
from greenroom.mending import CannotMend, film_plan, film_steps, films
from greenroom.mending.film_source import Sound, opened
from greenroom.rules import KIB, MIB, Category
from tests.inspection import raw
from tests.mending.kit import Bench, far, film, said

MAIN = {"profile": "main", "preset": "veryfast"}
SMALL: dict[str, Any] = {"seconds": 1.0, "size": (160, 120)}
QUIET = {"x265-params": "log-level=none"}
QUICK = {"deadline": "realtime"}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture that packs badly."""
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))


def made(
    form: str,
    codec: str,
    pictures: Iterable[Image.Image],
    *,
    fps: int = 15,
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    turn: int = 0,
    colours: tuple[int, int, int] | None = None,
    metadata: Mapping[str, str] | None = None,
    folder: Path,
) -> bytes:
    """A film of given pictures."""
    path = folder / "made"
    with av.open(str(path), "w", format=form, options=dict(makers.BIT_EXACT)) as out:
        out.metadata.update(metadata or {})
        stream: Any = out.add_stream(codec, rate=fps, options=dict(options or {}))
        if colours is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = colours
        if turn:
            stream.set_display_rotation(turn)
        for number, image in enumerate(pictures):
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
        ("film.webm", "webm", "libvpx-vp9", "libopus", {"rate": 48_000, "video_options": QUICK}),
        ("film.webm", "webm", "libvpx", "libopus", {"rate": 48_000, "video_options": QUICK}),
        ("film.mkv", "matroska", "libx265", "flac", {"video_options": QUIET}),
        ("film.mp4", "mp4", "libsvtav1", "aac", {"video_options": {"preset": "11"}}),
        ("film.avi", "avi", "mpeg4", "libmp3lame", {"video_options": {"bf": "2"}}),
        ("film.avi", "avi", "libx264", "ac3", {}),
        ("film.mpg", "mpeg", "mpeg2video", "mp2", {"fps": 25}),
        ("film.ts", "mpegts", "mpeg2video", "mp2", {"fps": 25, "video_options": {"bf": "2"}}),
        ("film.3gp", "3gp", "h263", "libopencore_amrnb", {"rate": 8_000, "size": (176, 144)}),
        ("film.wmv", "asf", "wmv2", "wmav2", {"bit_rate": 64_000}),
        ("film.flv", "flv", "flv", "libmp3lame", {}),
        ("film.mov", "mov", "prores_ks", "pcm_s16le", {"pixels": "yuv422p10le"}),
        ("film.mov", "mov", "mjpeg", "alac", {"pixels": "yuvj420p"}),
        ("high.mp4", "mp4", "libx264", "aac", {"video_options": {"profile": "high", "preset": "medium"}}),
        ("deep.mp4", "mp4", "libx264", "aac", {"pixels": "yuv420p10le"}),
        ("rich.mp4", "mp4", "libx264", "eac3", {"pixels": "yuv444p"}),
    ],
)  # fmt: skip
def test_every_common_codec(
    bench: Bench, name: str, form: str, *, video: str, audio: str, extra: dict[str, Any]
) -> None:
    """The pictures are the same, in the same order, at the same times; so is the sound."""
    arguments = {**SMALL, **extra}
    data = makers.media(form, video=video, audio=[audio], **arguments)
    mended = bench.mend(name, data)
    after = film(mended.path)
    assert after["codecs"] == ["h264", "aac"]
    assert mended.path.suffix == ".mp4"
    assert not mended.verdict.notices
    fps = arguments.get("fps", 15)
    assert len(after["pictures"]) == fps
    late = round(after["times"][1] * fps) - 1
    assert late in (0, 1)  # Windows Media has its pictures a picture late: the first one is shown until then
    assert after["times"][0] == 0
    assert [round(time * fps) - late for time in after["times"][1:]] == list(range(1, fps))
    still = makers.picture(*arguments["size"])
    assert far(after["pictures"][0].crop((0, 0, 160, 90)), still.crop((0, 0, 160, 90)).resize((160, 90))) < 30
    assert abs(after["samples"] / after["rate"] - 1) < 0.1


def test_a_quicktime_movie_is_not_encoded_again(bench: Bench) -> None:
    """Only its file is wrong: pictures and sound are the very same bytes."""
    data = makers.media("mov", video="libx264", audio=["aac"], video_options=MAIN, **SMALL)
    mended = bench.mend("phone.mov", data)
    assert _packets(data) == _packets(mended.path.read_bytes())
    assert "without any loss" in said(mended)


def _packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data), "r") as container:
        return sorted(bytes(packet) for packet in container.demux() if packet.size)


@pytest.mark.parametrize(
    ("name", "form", "extra"),
    [
        ("film.mkv", "matroska", {}),
        ("film.flv", "flv", {}),
        ("film.ts", "mpegts", {}),
        ("phone.3g2", "3g2", {}),
        ("index-at-end.mp4", "mp4", {}),
    ],
)
def test_other_files_around_right_streams(bench: Bench, name: str, form: str, extra: dict[str, Any]) -> None:
    """Nothing is encoded, and the index is in front."""
    data = makers.media(form, video="libx264", audio=["aac"], video_options=MAIN, **SMALL, **extra)
    mended = bench.mend(name, data)
    assert "without any loss" in said(mended)
    assert not mended.verdict.notices
    assert _packets(data)[-15:] == _packets(mended.path.read_bytes())[-15:] or form in ("flv", "mpegts")
    after = film(mended.path)
    assert [round(time * 15) for time in after["times"]] == list(range(15))
    content = mended.path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_only_the_sound_is_converted_where_only_it_is_wrong(bench: Bench) -> None:
    """The pictures keep every bit."""
    data = makers.media("mov", video="libx264", audio=["pcm_s16le"], video_options=MAIN, channels=2, **SMALL)
    mended = bench.mend("camera.mov", data)
    assert "Kept the pictures as they are; converted the sound from PCM" in said(mended)
    assert film(mended.path)["channels"] == 2


@pytest.mark.parametrize("channels", [1, 2])
def test_sound_keeps_its_channels(bench: Bench, channels: int) -> None:
    """A film whose pictures are encoded anew: mono stays mono, stereo stays stereo."""
    data = makers.media(
        "matroska", video="mpeg4", audio=("libopus",), rate=48_000, channels=channels, seconds=0.5
    )
    mended = bench.mend("clip.mkv", data)
    assert film(mended.path)["channels"] == channels
    assert "Converted the sound from Opus to AAC." in said(mended)


def test_mixing_down_is_said() -> None:
    """Surround sound, also of AAC itself, and stereo for which there are too few bits."""
    surround = Sound(index=1, codec="aac", profile="LC", channels=6, rate=48_000, bits=0)
    stereo = replace(surround, codec="mp3", channels=2)
    assert film_steps._sound(surround, 2) == "encoded the sound anew, as AAC, mixed down to two channels"
    assert film_steps._sound(stereo, 1) == "converted the sound from MP3 to AAC, mixed down to one channel"


def test_further_tracks_are_left_out(bench: Bench) -> None:
    """Two languages become one."""
    data = makers.media("mp4", video="libx264", audio=["aac", "aac"], video_options=MAIN, **SMALL)
    mended = bench.mend("languages.mp4", data)
    assert film(mended.path)["codecs"] == ["h264", "aac"]
    assert "Left out 1 further sound track." in said(mended)


def test_what_is_right_is_left_alone(bench: Bench) -> None:
    """Nothing to mend, nothing written."""
    data = makers.media(
        "mp4", video="libx264", audio=["aac"], video_options=MAIN, options=makers.FAST_START, **SMALL
    )
    assert bench.try_mend("fine.mp4", data) is None
    assert not list(bench.into.iterdir())


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("codec", ["libx265", "libx264"])
def test_films_held_upright(bench: Bench, tmp_path: Path, turn: int, codec: str) -> None:
    """Phones store a turn beside the pictures: it is baked in, or kept where the pictures are."""
    options = QUIET if codec == "libx265" else MAIN
    data = made("mov", codec, [halves()] * 5, options=options, turn=turn, folder=tmp_path)
    mended = bench.mend("phone.mov", data)
    with av.open(str(mended.path)) as container:
        frame = next(container.decode(video=0))
        picture = frame.to_image()  # type: ignore[no-untyped-call] # it has no types
    image: Image.Image = picture.rotate(frame.rotation, expand=True)
    wanted = halves().rotate(turn, expand=True)
    assert image.size == wanted.size
    assert far(image, wanted) < 12


def test_sixty_pictures_a_second_become_thirty(bench: Bench, tmp_path: Path) -> None:
    """Evenly: every second one."""
    data = made("matroska", "mpeg4", [halves()] * 60, fps=60, folder=tmp_path)
    mended = bench.mend("fast.mkv", data)
    times = film(mended.path)["times"]
    assert len(times) == 30
    assert all(math.isclose(b - a, 1 / 30, abs_tol=0.002) for a, b in pairwise(times))
    assert "from 60 to 30 pictures a second" in said(mended)


def test_large_films_come_down_to_1920(bench: Bench, tmp_path: Path) -> None:
    """And odd sides become even."""
    data = made("matroska", "ffv1", [halves(2881, 1621)] * 2, pixels="yuv444p", folder=tmp_path)
    assert bench.mend("large.mkv", data).verdict.label.startswith("MP4 video, 0:00, 1920 x 1080")
    data = made("matroska", "ffv1", [halves(161, 97)] * 2, pixels="yuv444p", folder=tmp_path)
    assert film(bench.mend("odd.mkv", data).path)["pictures"][0].size == (160, 96)


def test_hdr_is_brought_to_common_screens(bench: Bench, tmp_path: Path) -> None:
    """White stays below the brightest, and the new file says that it is BT.709."""
    data = made(
        "mp4",
        "libx265",
        [makers.picture(160, 96)] * 3,
        pixels="yuv420p10le",
        options=QUIET,
        colours=(9, 18, 9),
        folder=tmp_path,
    )
    mended = bench.mend("hdr.mp4", data)
    with av.open(str(mended.path)) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)) == (1, 1, 1)
    assert "HDR" in said(mended)


def test_a_place_is_not_passed_on(bench: Bench, tmp_path: Path) -> None:
    """Phones write where a film was taken."""
    data = made(
        "mov", "libx264", [halves()] * 3, options=MAIN, metadata={"location": "+52.5+013.4/"}, folder=tmp_path
    )
    assert b"+52.5+013.4/" in data
    mended = bench.mend("trip.mov", data)
    assert b"+52.5+013.4/" not in mended.path.read_bytes()
    assert "Removed the place where it was filmed." in mended.steps


def test_a_film_over_the_limit(bench: Bench, tmp_path: Path) -> None:
    """Noise in H.264 at 20 MB and more."""
    pictures = [noise(1280, 720, number) for number in range(12)]
    data = made(
        "mp4", "libx264", pictures, fps=12, options={"preset": "ultrafast", "qp": "4"}, folder=tmp_path
    )
    assert len(data) > 16 * MIB
    mended = bench.mend("noise.mp4", data)
    assert mended.verdict.size <= 16 * MIB
    assert "Packed tighter: " in said(mended)
    assert len(film(mended.path)["pictures"]) == 12


@pytest.mark.parametrize("limit", [150 * KIB, 400 * KIB])
def test_the_size_is_kept_near_the_limit(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """What never packs well comes out under the limit, and not far under it."""
    monkeypatch.setattr(film_plan, "LIMIT", limit)
    monkeypatch.setattr(films, "LIMIT", limit)
    pictures = [noise(320, 240, number) for number in range(90)]
    mended = bench.mend("noise.avi", made("avi", "mjpeg", pictures, pixels="yuvj420p", folder=tmp_path))
    assert 0.6 * limit < mended.verdict.size <= limit


def test_too_long_is_refused_with_figures(bench: Bench, tmp_path: Path) -> None:
    """An hour of moving pictures does not fit, and how much does is said.

    An hour that is only claimed is no reason, where every byte of the file is there.
    """
    data = made("matroska", "mpeg4", [halves(32, 32)] * 2, fps=1, folder=tmp_path)
    at = data.index(b"\x44\x89\x88") + 3  # the play time, a double, in milliseconds
    hour = data[:at] + b"\x41\x4b\x77\x40\x00\x00\x00\x00" + data[at + 8 :]
    with pytest.raises(CannotMend, match=r"cut short: 0:02 of 1:00:00"):
        bench.try_mend("long.mkv", hour[:-20])
    assert bench.mend("claimed.mkv", hour).verdict.label.startswith("MP4 video, 0:02")
    with pytest.raises(CannotMend, match=r"This video is 1:00:00 long; 16 MB hold about \d+:\d\d of it"):
        film_plan.planned(size=(1920, 1080), rate=30, seconds=3600, sound=True)


@pytest.mark.parametrize("form", ["matroska", "avi"])
def test_a_film_that_is_cut_short_is_not_mended(bench: Bench, tmp_path: Path, form: str) -> None:
    """Inspection does not look into these; the play time gives it away."""
    data = made(form, "mpeg4", [noise(160, 120, n) for n in range(45)], fps=9, folder=tmp_path)
    with pytest.raises(CannotMend, match=r"cut short"):
        bench.try_mend(f"cut.{form}", data[: len(data) // 2])


def test_kinds_that_cannot_be(bench: Bench) -> None:
    """A film is no sticker, and sound no film; its sound can be had alone."""
    data = makers.media("matroska", video="mpeg4", audio=["aac"], **SMALL)
    with pytest.raises(CannotMend, match=r"no sticker file"):
        bench.try_mend("film.mkv", data, kind=Category.STICKER)
    mended = bench.mend("film.mkv", data, kind=Category.AUDIO)
    assert mended.verdict.mime_type == "audio/mp4"
    assert "without the pictures" in said(mended)
    sound = makers.media("wav", audio=["pcm_s16le"], seconds=1.0)
    with pytest.raises(CannotMend, match=r"no video file"):
        bench.try_mend("sound.wav", sound, kind=Category.VIDEO)


def test_nonsense_is_refused(bench: Bench) -> None:
    """Noise, an unknown codec, a brand and nothing else."""
    mp4 = makers.media("mp4", video="libx264", audio=["aac"], video_options=MAIN, **SMALL)
    for name, data in (
        ("noise.bin", b"\x80\x02" + random.Random(1).randbytes(50_000)),
        ("unknown.mp4", raw.renamed_entry(mp4, b"avc1", b"zzzz")),
        ("old.mov", raw.box(b"wide") + raw.box(b"mdat", bytes(99)) + raw.box(b"moov")),
    ):
        with pytest.raises(CannotMend):
            bench.try_mend(name, data)


def test_a_playlist_opens_nothing_else(bench: Bench) -> None:
    """FFmpeg knows formats that name other files; none of them is let in."""
    secret = bench.put("secret.wav", makers.media("wav", audio=["pcm_s16le"], seconds=0.2))
    for name, text in (
        ("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", f"ffconcat version 1.0\nfile '{secret}'\n"),
    ):
        with pytest.raises(CannotMend), opened(bench.put(name, text.encode())):
            pass


def test_sound_that_starts_late_stays_late(bench: Bench, tmp_path: Path) -> None:
    """Silence is put in front of it, so that lips and words stay together."""
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as out:
        pictures: Any = out.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        sound: Any = out.add_stream("pcm_s16le", rate=8_000)
        for number in range(30):
            whole: Any = av.VideoFrame.from_image(halves(64, 64))  # type: ignore[no-untyped-call] # PyAV leaves it bare
            frame = whole.reformat(format="yuv420p")
            frame.pts = number
            out.mux(pictures.encode(frame))
        loud = av.AudioFrame(format="s16", layout="mono", samples=8_000)
        loud.planes[0].update(array("h", [20_000, -20_000] * 4_000).tobytes())
        loud.sample_rate, loud.pts, loud.time_base = 8_000, 16_000, Fraction(1, 8_000)
        out.mux(sound.encode(loud))
        out.mux(pictures.encode(None))
        out.mux(sound.encode(None))
    mended = bench.mend("late.mkv", path.read_bytes())
    assert abs(film(mended.path)["samples"] / film(mended.path)["rate"] - 3) < 0.1
    assert mended.verdict.label.startswith("MP4 video, 0:03")
