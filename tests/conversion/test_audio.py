"""Audio becomes Opus or AAC, or only moves into the right file."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest

from examples import makers
from greenroom.conversion import CannotFix, audio_plan, limits
from greenroom.rules import KIB, MIB
from tests.conversion.kit import Bench, probe, said
from tests.support import raw

OPUS, M4A, MP3, AMR = (
    ("audio/ogg", ["opus"]),
    ("audio/mp4", ["aac"]),
    ("audio/mpeg", ["mp3"]),
    ("audio/amr", ["amr_nb"]),
)


def audio(form: str, codec: str, **extra: Any) -> bytes:
    """A second of a melody."""
    return makers.media(form, audio=[codec], **{"seconds": 1.0, **extra})


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("voice.wav", audio("wav", "pcm_s16le"), OPUS),
        ("music.wav", audio("wav", "pcm_s16le", channels=2), M4A),
        ("telephone.wav", audio("wav", "pcm_mulaw", rate=8_000), OPUS),
        ("deep.wav", audio("wav", "pcm_s24le", rate=48_000, channels=2), M4A),
        ("voice.flac", audio("flac", "flac"), OPUS),
        ("music.flac", audio("flac", "flac", channels=2), M4A),
        ("flac.ogg", audio("ogg", "flac"), OPUS),
        ("vorbis.ogg", makers.vorbis(1.0), M4A),
        ("wide.amr", raw.amr_wb(), OPUS),
        ("alac.m4a", audio("ipod", "alac", channels=2), M4A),
        ("ac3.m4a", audio("mp4", "ac3", channels=2), M4A),
        ("video.ac3", audio("ac3", "ac3", channels=2), M4A),
        ("layer2.mp3", audio("mp2", "mp2"), OPUS),
        ("music.wma", audio("asf", "wmav2", channels=2, bit_rate=64_000), M4A),
        ("audio.aiff", audio("aiff", "pcm_s16be"), OPUS),
        ("stereo.ogg", audio("ogg", "libopus", rate=48_000, channels=2), OPUS),
    ],
)
def test_conversion(bench: Bench, name: str, data: bytes, wanted: tuple[str, list[str]]) -> None:
    """One channel becomes a voice note, two become music; the length stays."""
    fixed = bench.fix(name, data)
    after = probe(fixed.path)
    assert (fixed.verdict.mime_type, after["codecs"]) == wanted
    assert after["channels"] == (1 if wanted is OPUS else 2)
    assert abs(after["samples"] / after["rate"] - 1) < 0.1
    assert not fixed.verdict.notices


@pytest.mark.parametrize(
    ("name", "form", "codec", "extra", "wanted"),
    [
        ("audio.mka", "matroska", "aac", {}, M4A),
        ("audio.mp4", "mp4", "libmp3lame", {}, MP3),
        ("audio.webm", "webm", "libopus", {"rate": 48_000}, OPUS),
        ("audio.mp4", "mp4", "libopus", {"rate": 48_000}, OPUS),
        ("audio.3gp", "3gp", "libopencore_amrnb", {"rate": 8_000}, AMR),
        ("audio.mov", "mov", "aac", {}, M4A),
    ],
)
def test_only_the_file_is_wrong(
    bench: Bench, name: str, form: str, *, codec: str, extra: dict[str, Any], wanted: tuple[str, list[str]]
) -> None:
    """Not a bit of the audio is touched."""
    data = audio(form, codec, **extra)
    fixed = bench.fix(name, data)
    assert (fixed.verdict.mime_type, probe(fixed.path)["codecs"]) == wanted
    assert "without any loss" in said(fixed)
    before, after = _packets(data), _packets(fixed.path.read_bytes())
    assert set(before[2:-2]) <= set(after)


def _packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


def test_a_large_cover_is_left_out(bench: Bench) -> None:
    """An MP3 that is too large for its image only keeps its audio as it is."""
    mp3 = audio("mp3", "libmp3lame")
    cover = makers.saved(makers.drawn_image(200, 200), "JPEG") + bytes(16 * MIB)
    fixed = bench.fix("album.mp3", raw.id3(image=cover) + mp3[45:])
    assert fixed.verdict.mime_type == "audio/mpeg"
    assert fixed.verdict.size < 100 * KIB
    assert "Left out the cover image." in fixed.steps


def test_long_speech(bench: Bench) -> None:
    """Two minutes fit, and two hours do not, which is said with figures."""
    frames = b"\x04" + bytes(17)
    fixed = bench.fix("talk.amr", b"#!AMR-WB\n" + frames * (50 * 120))
    assert fixed.verdict.label.startswith("Ogg Opus audio, 2:00")
    with pytest.raises(CannotFix, match=r"This audio is 2:00:00 long; 16 MB hold about 1:31"):
        bench.try_fix("talk.amr", b"#!AMR-WB\n" + frames * (50 * 7200))


def test_damage_is_refused(bench: Bench) -> None:
    """A FLAC that is cut short, a WAV that is, and noise with a name."""
    flac = audio("flac", "flac", seconds=10.0)
    wav = audio("wav", "pcm_s16le", seconds=10.0)
    for name, data in (("cut.flac", flac[: len(flac) // 2]), ("cut.wav", wav[: len(wav) // 2])):
        with pytest.raises(CannotFix, match=r"cut short"):
            bench.try_fix(name, data)
    with pytest.raises(CannotFix):
        bench.try_fix("speex.ogg", raw.ogg(b"Speex   1.2"))


def test_the_plan_of_an_audio_file() -> None:
    """Music as long as there are bits for it; a voice note stays one if a little less will do."""
    minute = 60.0
    plan = audio_plan.plan_audio
    assert plan(2, 3 * minute, voice=False) == audio_plan.AudioPlan(codec="aac", bits=128_000, channels=2)
    assert 64_000 <= plan(2, 30 * minute, voice=False).bits < 128_000
    assert plan(2, 60 * minute, voice=False).codec == "libopus"
    assert plan(1, minute, voice=False) == audio_plan.AudioPlan(codec="libopus", bits=32_000, channels=1)
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
    fixed = bench.fix("voice.spx", target.read_bytes())
    assert fixed.path.name == "voice.ogg"
    assert "from Speex to Opus" in said(fixed)
