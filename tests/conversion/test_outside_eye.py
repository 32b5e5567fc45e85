"""Fixed files seen by programs that we did not write; skipped, and loudly so, where they are missing.

``make outside-readers`` installs them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from examples import makers
from tests.conversion import test_clocks as clocks
from tests.conversion.clocks import remuxed
from tests.conversion.kit import Bench, far, image_of
from tests.conversion.test_video import MAIN, QUIET, halves, made
from tests.support import raw
from tests.support.outside import PACKAGES


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where the program is missing; the end of the run says so."""
    assert program in PACKAGES
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def output(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ffprobe(path: Path) -> dict[str, Any]:
    """Streams and format."""
    shown = output("ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path))
    found: dict[str, Any] = json.loads(shown)
    return found


SMALL: dict[str, Any] = {"seconds": 1.0, "size": (160, 120)}
VIDEOS = {
    "video.webm": makers.media("webm", video="libvpx", audio=["libopus"], rate=48_000, **SMALL),
    "video.avi": makers.media("avi", video="mpeg4", audio=["ac3"], **SMALL),
    "phone.mov": makers.media("mov", video="libx264", audio=["aac"], video_options=MAIN, **SMALL),
    "high.mp4": makers.media("mp4", video="libx264", audio=["aac"], **SMALL),
}


@needs("ffprobe")
@pytest.mark.parametrize("name", VIDEOS)
def test_videos_by_ffprobe(bench: Bench, name: str) -> None:
    """H.264 in yuv420p, AAC, nothing else, and every packet decodes without a warning."""
    path = bench.fix(name, VIDEOS[name]).path
    found = ffprobe(path)
    video, audio = found["streams"]
    assert (video["codec_name"], video["pix_fmt"], video["profile"]) == ("h264", "yuv420p", "Main")
    assert video["width"] % 2 == video["height"] % 2 == 0
    assert (audio["codec_name"], audio["profile"]) == ("aac", "LC")
    assert 0.9 < float(found["format"]["duration"]) < 1.2
    assert not output("ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-")


@needs("ffmpeg")
@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_videos_look_as_ffmpeg_shows_the_original(bench: Bench, tmp_path: Path, turn: int) -> None:
    """FFmpeg's program turns by itself what phones filmed upright."""
    data = made("mov", "libx265", [halves()] * 3, options=QUIET, turn=turn, folder=tmp_path)
    fixed = bench.fix("phone.mov", data)
    shown = []
    for number, path in enumerate((bench.originals / "phone.mov", fixed.path)):
        target = tmp_path / f"{number}.png"
        output("ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", str(target))
        shown.append(image_of(target))
    assert far(*shown) < 8


@needs("exiftool")
def test_images_by_exiftool(bench: Bench) -> None:
    """No orientation, no place, no camera; 8-bit RGB."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0)})
    image = makers.drawn_image(200, 100)
    data = makers.saved(image.convert("CMYK"), "JPEG", exif=exif.tobytes())
    before = json.loads(output("exiftool", "-json", "-G", str(bench.put("before.jpg", data))))[0]
    assert "EXIF:Orientation" in before
    assert any("GPS" in key for key in before)
    after = json.loads(output("exiftool", "-json", "-G", str(bench.fix("photo.jpg", data).path)))[0]
    assert not any(key.startswith(("EXIF:", "XMP:")) or "GPS" in key for key in after)
    assert (after["File:ColorComponents"], after["File:BitsPerSample"]) == (3, 8)
    assert (after["File:ImageWidth"], after["File:ImageHeight"]) == (100, 200)


@needs("exiftool")
def test_places_in_videos_by_exiftool(bench: Bench, tmp_path: Path) -> None:
    """Phones write where a video was taken."""
    data = made(
        "mov",
        "libx264",
        [halves()] * 3,
        options=MAIN,
        metadata={"location": "+52.5000+013.4000/"},
        folder=tmp_path,
    )
    assert "GPS" in output("exiftool", str(bench.put("before.mov", data)))
    assert "GPS" not in output("exiftool", str(bench.fix("trip.mov", data).path))


@needs("mediainfo")
def test_audio_by_mediainfo(bench: Bench) -> None:
    """One channel of Opus in Ogg, two of AAC in MPEG-4."""
    for channels, form, codec in ((1, "Ogg", "Opus"), (2, "MPEG-4", "AAC")):
        data = makers.media("wav", audio=["pcm_s16le"], seconds=1.0, channels=channels)
        shown = json.loads(output("mediainfo", "--Output=JSON", str(bench.fix("audio.wav", data).path)))
        whole, track = shown["media"]["track"]
        assert (whole["Format"], track["Format"], track["Channels"]) == (form, codec, str(channels))


@needs("mediainfo")
def test_videos_by_mediainfo(bench: Bench) -> None:
    """The index is in front, and the profile is Main."""
    shown = json.loads(
        output("mediainfo", "--Output=JSON", str(bench.fix("video.webm", VIDEOS["video.webm"]).path))
    )
    whole, video, _audio = shown["media"]["track"]
    assert whole["IsStreamable"] == "Yes"
    assert video["Format_Profile"].startswith("Main")


@needs("exiftool")
def test_stickers_by_exiftool(bench: Bench) -> None:
    """512 x 512, and transparent around the image."""
    data = makers.saved(makers.drawn_image(300, 150), "WEBP")
    found = json.loads(output("exiftool", "-json", str(bench.fix("hi.webp", data).path)))[0]
    assert (found["FileType"], found["ImageWidth"], found["ImageHeight"]) == ("Extended WEBP", 512, 512)


_LATER, _HOLE = clocks.later(60), clocks.hole(1.5)
CLOCKS = {
    "late.webm": (remuxed(clocks.OPUS, "webm", _LATER), clocks.LONG),
    "hole.webm": (remuxed(clocks.OPUS, "webm", _HOLE), clocks.LONG + 1.5),
    "absurd.webm": (remuxed(clocks.OPUS, "webm", clocks.absurd("audio", 74 * clocks.HOUR)), clocks.LONG),
    "joined.ogg": (clocks.OGG + raw.with_serial(clocks.OGG, 77), 2 * clocks.LONG),
    "radio.ogg": (raw.later(clocks.OGG, 5 * 3600 * 48_000), clocks.LONG),
    "late.mka": (remuxed(clocks.AAC, "matroska", _LATER), clocks.LONG),
    "hole.mka": (remuxed(clocks.AAC, "matroska", _HOLE), clocks.LONG + 1.5),
    "hole.3gp": (remuxed(clocks.AMR, "3gp", _HOLE), clocks.LONG + 1.5),
    "late.mkv": (remuxed(clocks.VIDEO, "matroska", _LATER), clocks.LONG),
    "hole.mkv": (remuxed(clocks.VIDEO, "matroska", _HOLE), clocks.LONG + 1.5),
    "late-audio.mov": (remuxed(clocks.VIDEO, "mov", clocks.apart("audio", 1)), clocks.LONG + 1),
    "late-frames.mov": (remuxed(clocks.VIDEO, "mov", clocks.apart("video", 1)), clocks.LONG + 1),
}


@needs("ffprobe")
@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_by_ffprobe(bench: Bench, name: str) -> None:
    """Every stream starts at 0 and no packet of audio is late."""
    data, seconds = CLOCKS[name]
    path = bench.fix(name, data).path
    found = ffprobe(path)
    assert abs(float(found["format"]["duration"]) - seconds) < 0.15
    for stream in found["streams"]:
        assert abs(float(stream["start_time"])) < 0.05
    shown = output(
        "ffprobe", "-v", "error", "-select_streams", "a", "-show_packets", "-of", "json", str(path)
    )
    packets = json.loads(shown)["packets"]
    ends = [float(one["pts_time"]) + float(one["duration_time"]) for one in packets]
    late = [float(one["pts_time"]) - end for one, end in zip(packets[1:], ends, strict=False)]
    assert max(late) < 0.002
    assert not output("ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-")


@needs("mediainfo")
@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_by_mediainfo(bench: Bench, name: str) -> None:
    """The length, and nothing that starts later than the rest."""
    data, seconds = CLOCKS[name]
    shown = json.loads(output("mediainfo", "--Output=JSON", str(bench.fix(name, data).path)))
    whole, *tracks = shown["media"]["track"]
    assert abs(float(whole["Duration"]) - seconds) < 0.15
    assert all(abs(float(track.get("Delay", 0))) < 0.05 for track in tracks)


@needs("opusinfo")
@pytest.mark.parametrize("name", [name for name in CLOCKS if name.endswith((".webm", ".ogg"))])
def test_clocks_by_opusinfo(bench: Bench, name: str) -> None:
    """The reference tools count samples of every page, and warn of each that does not fit."""
    data, seconds = CLOCKS[name]
    command = ["opusinfo", str(bench.fix(name, data).path)]
    shown = subprocess.run(command, check=False, capture_output=True, text=True)
    assert shown.returncode == 0
    assert "WARNING" not in shown.stdout + shown.stderr
    minutes, rest = re.search(r"Playback length: (\d+)m:([\d.]+)s", shown.stdout).groups()  # type: ignore[union-attr] # then it fails
    assert abs(int(minutes) * 60 + float(rest) - seconds) < 0.06
