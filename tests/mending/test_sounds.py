"""Sound becomes Opus or AAC, or only moves into the right file."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest

from examples import makers
from greenroom.mending import CannotMend, limits, sound_plan
from greenroom.rules import KIB, MIB
from tests.inspection import raw
from tests.mending.kit import Bench, film, said

OPUS, M4A, MP3, AMR = (
    ("audio/ogg", ["opus"]),
    ("audio/mp4", ["aac"]),
    ("audio/mpeg", ["mp3"]),
    ("audio/amr", ["amr_nb"]),
)


def sound(form: str, codec: str, **extra: Any) -> bytes:
    """A second of a melody."""
    return makers.media(form, audio=[codec], **{"seconds": 1.0, **extra})


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("voice.wav", sound("wav", "pcm_s16le"), OPUS),
        ("music.wav", sound("wav", "pcm_s16le", channels=2), M4A),
        ("telephone.wav", sound("wav", "pcm_mulaw", rate=8_000), OPUS),
        ("deep.wav", sound("wav", "pcm_s24le", rate=48_000, channels=2), M4A),
        ("voice.flac", sound("flac", "flac"), OPUS),
        ("music.flac", sound("flac", "flac", channels=2), M4A),
        ("flac.ogg", sound("ogg", "flac"), OPUS),
        ("vorbis.ogg", makers.vorbis(1.0), M4A),
        ("wide.amr", raw.amr_wb(), OPUS),
        ("alac.m4a", sound("ipod", "alac", channels=2), M4A),
        ("ac3.m4a", sound("mp4", "ac3", channels=2), M4A),
        ("film.ac3", sound("ac3", "ac3", channels=2), M4A),
        ("layer2.mp3", sound("mp2", "mp2"), OPUS),
        ("music.wma", sound("asf", "wmav2", channels=2, bit_rate=64_000), M4A),
        ("sound.aiff", sound("aiff", "pcm_s16be"), OPUS),
        ("stereo.ogg", sound("ogg", "libopus", rate=48_000, channels=2), OPUS),
    ],
)
def test_conversion(bench: Bench, name: str, data: bytes, wanted: tuple[str, list[str]]) -> None:
    """One channel becomes a voice note, two become music; the length stays."""
    mended = bench.mend(name, data)
    after = film(mended.path)
    assert (mended.verdict.mime_type, after["codecs"]) == wanted
    assert after["channels"] == (1 if wanted is OPUS else 2)
    assert abs(after["samples"] / after["rate"] - 1) < 0.1
    assert not mended.verdict.notices


@pytest.mark.parametrize(
    ("name", "form", "codec", "extra", "wanted"),
    [
        ("sound.mka", "matroska", "aac", {}, M4A),
        ("sound.mp4", "mp4", "libmp3lame", {}, MP3),
        ("sound.webm", "webm", "libopus", {"rate": 48_000}, OPUS),
        ("sound.mp4", "mp4", "libopus", {"rate": 48_000}, OPUS),
        ("sound.3gp", "3gp", "libopencore_amrnb", {"rate": 8_000}, AMR),
        ("sound.mov", "mov", "aac", {}, M4A),
    ],
)
def test_only_the_file_is_wrong(
    bench: Bench, name: str, form: str, *, codec: str, extra: dict[str, Any], wanted: tuple[str, list[str]]
) -> None:
    """Not a bit of the sound is touched."""
    data = sound(form, codec, **extra)
    mended = bench.mend(name, data)
    assert (mended.verdict.mime_type, film(mended.path)["codecs"]) == wanted
    assert "without any loss" in said(mended)
    before, after = _packets(data), _packets(mended.path.read_bytes())
    assert set(before[2:-2]) <= set(after)


def _packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


def test_a_large_cover_is_left_out(bench: Bench) -> None:
    """An MP3 that is too large for its picture only keeps its sound as it is."""
    mp3 = sound("mp3", "libmp3lame")
    cover = makers.saved(makers.picture(200, 200), "JPEG") + bytes(16 * MIB)
    mended = bench.mend("album.mp3", raw.id3(picture=cover) + mp3[45:])
    assert mended.verdict.mime_type == "audio/mpeg"
    assert mended.verdict.size < 100 * KIB
    assert "Left out the cover picture." in mended.steps


def test_long_speech(bench: Bench) -> None:
    """Two minutes fit, and two hours do not, which is said with figures."""
    frames = b"\x04" + bytes(17)
    mended = bench.mend("talk.amr", b"#!AMR-WB\n" + frames * (50 * 120))
    assert mended.verdict.label.startswith("Ogg Opus audio, 2:00")
    with pytest.raises(CannotMend, match=r"This sound is 2:00:00 long; 16 MB hold about 1:31"):
        bench.try_mend("talk.amr", b"#!AMR-WB\n" + frames * (50 * 7200))


def test_damage_is_refused(bench: Bench) -> None:
    """A FLAC that is cut short, a WAV that is, and noise with a name."""
    flac = sound("flac", "flac", seconds=10.0)
    wav = sound("wav", "pcm_s16le", seconds=10.0)
    for name, data in (("cut.flac", flac[: len(flac) // 2]), ("cut.wav", wav[: len(wav) // 2])):
        with pytest.raises(CannotMend, match=r"cut short"):
            bench.try_mend(name, data)
    with pytest.raises(CannotMend):
        bench.try_mend("speex.ogg", raw.ogg(b"Speex   1.2"))


def test_the_plan_of_a_sound() -> None:
    """Music as long as there are bits for it; a voice note stays one if a little less will do."""
    minute = 60.0
    plan = sound_plan.planned
    assert plan(2, 3 * minute, voice=False) == sound_plan.SoundPlan(codec="aac", bits=128_000, channels=2)
    assert 64_000 <= plan(2, 30 * minute, voice=False).bits < 128_000
    assert plan(2, 60 * minute, voice=False).codec == "libopus"
    assert plan(1, minute, voice=False) == sound_plan.SoundPlan(codec="libopus", bits=32_000, channels=1)
    note = plan(1, 140.0, voice=False)
    assert limits.WORST_VOICE_RATE <= note.bits < limits.VOICE_RATE
    assert note.bits * 140 / 8 < 512 * KIB
    assert plan(1, 10 * minute, voice=False).bits == 32_000
    assert plan(2, minute, voice=True).channels == 1


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs Debian's ffmpeg, which writes Speex")
def test_speex(bench: Bench, tmp_path: Path) -> None:
    """An encoder that PyAV does not have."""
    target = tmp_path / "voice.spx"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=440:d=2",
        "-ar",
        "16000",
        "-c:a",
        "libspeex",
    ]
    subprocess.run([*command, str(target)], check=True)
    mended = bench.mend("voice.spx", target.read_bytes())
    assert mended.path.name == "voice.ogg"
    assert "from Speex to Opus" in said(mended)
