"""Mended files seen by programs that we did not write; skipped where they are missing.

Debian: ``apt-get install ffmpeg libimage-exiftool-perl mediainfo``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from examples import makers
from tests.mending.kit import Bench, far, picture
from tests.mending.test_films import MAIN, QUIET, halves, made


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where the program is missing."""
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
FILMS = {
    "film.webm": makers.media("webm", video="libvpx", audio=["libopus"], rate=48_000, **SMALL),
    "film.avi": makers.media("avi", video="mpeg4", audio=["ac3"], **SMALL),
    "phone.mov": makers.media("mov", video="libx264", audio=["aac"], video_options=MAIN, **SMALL),
    "high.mp4": makers.media("mp4", video="libx264", audio=["aac"], **SMALL),
}


@needs("ffprobe")
@pytest.mark.parametrize("name", FILMS)
def test_films_by_ffprobe(bench: Bench, name: str) -> None:
    """H.264 in yuv420p, AAC, nothing else, and every packet decodes without a word."""
    path = bench.mend(name, FILMS[name]).path
    found = ffprobe(path)
    video, audio = found["streams"]
    assert (video["codec_name"], video["pix_fmt"], video["profile"]) == ("h264", "yuv420p", "Main")
    assert video["width"] % 2 == video["height"] % 2 == 0
    assert (audio["codec_name"], audio["profile"]) == ("aac", "LC")
    assert 0.9 < float(found["format"]["duration"]) < 1.2
    assert not output("ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-")


@needs("ffmpeg")
@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_films_look_as_ffmpeg_shows_the_original(bench: Bench, tmp_path: Path, turn: int) -> None:
    """FFmpeg's program turns by itself what phones filmed upright."""
    data = made("mov", "libx265", [halves()] * 3, options=QUIET, turn=turn, folder=tmp_path)
    mended = bench.mend("phone.mov", data)
    shown = []
    for number, path in enumerate((bench.originals / "phone.mov", mended.path)):
        target = tmp_path / f"{number}.png"
        output("ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", str(target))
        shown.append(picture(target))
    assert far(*shown) < 8


@needs("exiftool")
def test_pictures_by_exiftool(bench: Bench) -> None:
    """No orientation, no place, no camera; 8-bit RGB."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0)})
    image = makers.picture(200, 100)
    data = makers.saved(image.convert("CMYK"), "JPEG", exif=exif.tobytes())
    before = json.loads(output("exiftool", "-json", "-G", str(bench.put("before.jpg", data))))[0]
    assert "EXIF:Orientation" in before
    assert any("GPS" in key for key in before)
    after = json.loads(output("exiftool", "-json", "-G", str(bench.mend("photo.jpg", data).path)))[0]
    assert not any(key.startswith(("EXIF:", "XMP:")) or "GPS" in key for key in after)
    assert (after["File:ColorComponents"], after["File:BitsPerSample"]) == (3, 8)
    assert (after["File:ImageWidth"], after["File:ImageHeight"]) == (100, 200)


@needs("exiftool")
def test_places_in_films_by_exiftool(bench: Bench, tmp_path: Path) -> None:
    """Phones write where a film was taken."""
    data = made(
        "mov",
        "libx264",
        [halves()] * 3,
        options=MAIN,
        metadata={"location": "+52.5000+013.4000/"},
        folder=tmp_path,
    )
    assert "GPS" in output("exiftool", str(bench.put("before.mov", data)))
    assert "GPS" not in output("exiftool", str(bench.mend("trip.mov", data).path))


@needs("mediainfo")
def test_sound_by_mediainfo(bench: Bench) -> None:
    """One channel of Opus in Ogg, two of AAC in MPEG-4."""
    for channels, form, codec in ((1, "Ogg", "Opus"), (2, "MPEG-4", "AAC")):
        data = makers.media("wav", audio=["pcm_s16le"], seconds=1.0, channels=channels)
        shown = json.loads(output("mediainfo", "--Output=JSON", str(bench.mend("sound.wav", data).path)))
        whole, track = shown["media"]["track"]
        assert (whole["Format"], track["Format"], track["Channels"]) == (form, codec, str(channels))


@needs("mediainfo")
def test_films_by_mediainfo(bench: Bench) -> None:
    """The index is in front, and the profile is Main."""
    shown = json.loads(
        output("mediainfo", "--Output=JSON", str(bench.mend("film.webm", FILMS["film.webm"]).path))
    )
    whole, video, _audio = shown["media"]["track"]
    assert whole["IsStreamable"] == "Yes"
    assert video["Format_Profile"].startswith("Main")


@needs("exiftool")
def test_stickers_by_exiftool(bench: Bench) -> None:
    """512 x 512, and transparent around the picture."""
    data = makers.saved(makers.picture(300, 150), "WEBP")
    found = json.loads(output("exiftool", "-json", str(bench.mend("hi.webp", data).path)))[0]
    assert (found["FileType"], found["ImageWidth"], found["ImageHeight"]) == ("Extended WEBP", 512, 512)
