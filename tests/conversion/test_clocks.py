"""What is converted counts from 0 without gaps, whatever clock the original had."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from examples import makers
from greenroom.conversion import CannotFix
from greenroom.conversion.audio_filter import AudioFilter
from greenroom.conversion.completeness import is_whole
from greenroom.conversion.timeline import Timeline
from greenroom.fixed_file import FixedFile
from greenroom.rules import Category
from tests.conversion.clocks import Change, clock, remuxed
from tests.conversion.kit import Bench, said
from tests.support import raw

HOUR = 3600.0
#: Seconds of each original.
LONG = 3.0
PROFILE = {"profile": "main", "preset": "veryfast", "g": "15"}

OPUS = makers.media("webm", audio=["libopus"], rate=48_000, seconds=LONG)
OGG = makers.media("ogg", audio=["libopus"], rate=48_000, seconds=LONG)
AAC = makers.media("mov", audio=["aac"], seconds=LONG, channels=2)
MP3 = makers.media("mp4", audio=["libmp3lame"], seconds=LONG)
AMR = makers.media("3gp", audio=["libopencore_amrnb"], rate=8_000, seconds=LONG)
VIDEO = makers.media(
    "mp4", video="libx264", audio=["aac"], video_options=PROFILE, seconds=LONG, size=(160, 120)
)
OLD_VIDEO = makers.media("matroska", video="mpeg4", audio=["aac"], seconds=LONG, size=(160, 120))
BROADCAST = makers.media("mpegts", video="mpeg2video", audio=["mp2"], fps=25, seconds=LONG, size=(160, 120))


def later(seconds: float) -> Change:
    """Everything, by so much."""
    return lambda _, __, at: (at + seconds, None)


def apart(late: str, seconds: float) -> Change:
    """One kind of stream alone."""
    return lambda kind, _, at: (at + (seconds if kind == late else 0), None)


def hole(seconds: float, *, kinds: tuple[str, ...] = ("audio", "video")) -> Change:
    """Nothing for a while, from the second second on; of video from a key frame on."""

    def change(kind: str, number: int, at: float) -> tuple[float, None]:
        behind = at >= 2 if kind == "audio" else number >= 30
        return at + (seconds if behind and kind in kinds else 0), None

    return change


def absurd(kind: str, seconds: float) -> Change:
    """A last packet that claims to last for ever."""
    last = LONG - (0.03 if kind == "audio" else 0.1)
    return lambda of, _, at: (at, seconds if of == kind and at > last else None)


def lost(kind: str, number: int, at: float) -> tuple[float, None] | None:
    """Five packets of audio in a row, twice."""
    return None if kind == "audio" and number in {*range(40, 45), *range(90, 95)} else (at, None)


def check_audio(path: Path, seconds: float) -> None:
    """It starts at 0, has no gap, and is as long as what was decoded."""
    found = clock(path, "audio")
    assert abs(found.first) < 0.001
    assert found.gap <= 0.001
    assert found.back <= 0.001
    assert abs(found.end - found.decoded) < found.frame
    assert abs(found.decoded - seconds) < 0.06
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert abs(container.duration / av.time_base - seconds) < 0.1


@pytest.mark.parametrize(
    ("name", "data", "seconds", "step"),
    [
        ("late.webm", remuxed(OPUS, "webm", later(60)), LONG, ""),
        ("late-live.webm", remuxed(OPUS, "webm", later(60), options={"live": "1"}), LONG, ""),
        ("late.mp4", remuxed(OPUS, "mp4", later(60)), LONG, ""),
        ("hole.webm", remuxed(OPUS, "webm", hole(1.5)), LONG + 1.5, "1.5 seconds"),
        ("hole.mp4", remuxed(OPUS, "mp4", hole(1.5)), LONG + 1.5, "1.5 seconds"),
        ("lost.webm", remuxed(OPUS, "webm", lost), LONG, "0.2 seconds"),
        ("absurd.webm", remuxed(OPUS, "webm", absurd("audio", 74 * HOUR)), LONG, ""),
        ("leap.webm", remuxed(OPUS, "webm", hole(74 * HOUR)), LONG, "Closed a jump"),
        ("radio.ogg", raw.later(OGG, 5 * 3600 * 48_000), LONG, ""),
        ("joined.ogg", OGG + raw.with_serial(OGG, 77), 2 * LONG, "Closed a jump"),
    ],
)  # fmt: skip
def test_opus_is_kept(bench: Bench, name: str, data: bytes, seconds: float, step: str) -> None:
    """Every packet that was there is there, with silence between them where some are missing."""
    fixed = bench.fix(name, data)
    assert "without any loss" in said(fixed)
    assert step in said(fixed)
    assert not fixed.verdict.notices
    check_audio(fixed.path, seconds)
    before, after = _packets(data), _packets(fixed.path.read_bytes())
    silent = [packet for packet in after if packet[1:] == b"\xff\xfe" and packet[0] & 7 == 0]
    assert [packet for packet in after if packet not in silent] == before
    assert ("silence" in said(fixed)) == bool(silent)


def _packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_what_is_not_meant_to_be_heard_stays_unheard(bench: Bench) -> None:
    """An encoder fills its last packet up; the file says by how much."""
    assert clock(bench.fix("voice.webm", OPUS).path, "audio").decoded == pytest.approx(LONG, abs=1e-4)


def test_the_silence_is_silent(bench: Bench) -> None:
    """A decoder has nothing to go on with from before the hole."""
    path = bench.fix("hole.webm", remuxed(OPUS, "webm", hole(1.5))).path
    loudest = 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            assert frame.time is not None
            if 2.1 < frame.time < 3.3:
                samples = struct.unpack(f"{frame.samples}f", bytes(frame.planes[0])[: frame.samples * 4])
                loudest = max(loudest, *map(abs, samples))
    assert loudest < 0.001


@pytest.mark.parametrize(
    ("name", "data", "seconds", "kept"),
    [
        ("late.mka", remuxed(AAC, "matroska", later(60)), LONG, True),
        ("late.mov", remuxed(AAC, "mov", later(60)), LONG, True),
        ("absurd.mov", remuxed(AAC, "mov", absurd("audio", 6 * HOUR)), LONG, True),
        ("absurd.mka", remuxed(AAC, "matroska", absurd("audio", 74 * HOUR)), LONG, True),
        ("hole.mka", remuxed(AAC, "matroska", hole(1.5)), LONG + 1.5, False),
        ("hole.mov", remuxed(AAC, "mov", hole(1.5)), LONG + 1.5, False),
        ("hole-mp3.mka", remuxed(MP3, "matroska", hole(1.5)), LONG + 1.5, False),
        ("hole.3gp", remuxed(AMR, "3gp", hole(1.5)), LONG + 1.5, False),
        ("late.ogg", raw.later(makers.vorbis(LONG), 5 * 3600 * 44_100), LONG, False),
        ("joined.ogg", makers.vorbis(LONG) + raw.with_serial(makers.vorbis(LONG), 77), 2 * LONG, False),
        (
            "late.wma",
            remuxed(makers.media("asf", audio=["wmav2"], seconds=LONG, bit_rate=64_000), "asf", later(20)),
            LONG + 0.09,
            False,
        ),
    ],
)  # fmt: skip
def test_other_audio(bench: Bench, name: str, data: bytes, seconds: float, *, kept: bool) -> None:
    """Kept where its clock is even, else encoded; "without any loss" is said of the former alone."""
    fixed = bench.fix(name, data)
    assert ("without any loss" in said(fixed)) == kept
    assert ("Put silence where there was no audio, 1.5 seconds in all." in fixed.steps) == ("hole" in name)
    check_audio(fixed.path, seconds)


def check_video(fixed: FixedFile, *, frames: int, seconds: float) -> None:
    """Both streams start at 0, audio has no gap, and no frame is lost."""
    shown, heard = clock(fixed.path, "video"), clock(fixed.path, "audio")
    assert shown.first == 0
    assert shown.back == 0
    assert shown.decoded == frames
    assert abs(heard.first) < 0.05
    assert heard.gap <= heard.frame
    assert heard.back <= 0.002  # Matroska counts in milliseconds
    with av.open(str(fixed.path)) as container:
        assert container.start_time == 0
        assert container.duration is not None
        assert abs(container.duration / av.time_base - seconds) < 0.15


_FRAMES = round(LONG * 15)


@pytest.mark.parametrize("original", [VIDEO, OLD_VIDEO], ids=["kept", "encoded"])
@pytest.mark.parametrize(
    ("form", "change", "seconds", "silence"),
    [
        ("matroska", later(60), LONG, False),
        ("matroska", apart("audio", 1), LONG + 1, True),
        ("matroska", apart("video", 1), LONG + 1, False),
        ("matroska", hole(1.5, kinds=("audio",)), LONG + 1.5, True),
        ("matroska", hole(1.5), LONG + 1.5, True),
        ("matroska", absurd("video", 74 * HOUR), LONG, False),
        ("matroska", absurd("audio", 74 * HOUR), LONG, False),
        ("matroska", hole(74 * HOUR), LONG, False),
        ("mov", later(60), LONG, False),
        ("mov", apart("audio", 1), LONG + 1, True),
        ("mov", apart("video", 1), LONG + 1, False),
        ("mov", absurd("video", 6 * HOUR), LONG, False),
    ],
)
def test_videos(
    bench: Bench, original: bytes, form: str, *, change: Change, seconds: float, silence: bool
) -> None:
    """Frames are kept where they were right, whatever has to be done to the audio."""
    fixed = bench.fix("video.mkv", remuxed(original, form, change))
    check_video(fixed, frames=_FRAMES, seconds=seconds)
    assert ("Put silence" in said(fixed)) == silence
    if original is VIDEO:
        assert ("without any loss" in said(fixed)) != silence
        assert "ept" in fixed.steps[1]


def test_video_and_audio_stay_together(bench: Bench) -> None:
    """Silence before audio that starts a second late, and the first frame before video that does."""
    late_audio = bench.fix("a.mkv", remuxed(VIDEO, "matroska", apart("audio", 1))).path
    with av.open(str(late_audio)) as container:
        loud = next(
            frame.time
            for frame in container.decode(audio=0)
            if max(map(abs, struct.unpack(f"{frame.samples}f", bytes(frame.planes[0])[: frame.samples * 4])))
            > 0.01
        )
    assert loud is not None
    assert abs(loud - 1) < 0.06
    late_frames = bench.fix("b.mkv", remuxed(VIDEO, "matroska", apart("video", 1))).path
    with av.open(str(late_frames)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times[0] == 0
    assert times[1] is not None
    assert abs(times[1] - (1 + 1 / 15)) < 0.05


@pytest.mark.parametrize("start", [20.0, 5000.0], ids=["back", "forth"])
@pytest.mark.parametrize("original", [VIDEO, BROADCAST], ids=["h264", "mpeg2"])
def test_two_broadcasts_in_one(bench: Bench, original: bytes, start: float) -> None:
    """The second goes on where the first one ended, with all its video and audio."""
    data = b"".join(remuxed(original, "mpegts", later(by)) for by in (100, start))
    fixed = bench.fix("joined.ts", data)
    fps = 15 if original is VIDEO else 25
    check_video(fixed, frames=round(2 * LONG * fps), seconds=2 * LONG)
    assert "Closed a jump of its clock." in fixed.steps
    assert ("without any loss" in said(fixed)) == (original is VIDEO)


def test_a_clock_of_33_bits_that_wraps(bench: Bench) -> None:
    """After 26.5 hours a broadcast counts from 0 again."""
    data = remuxed(VIDEO, "mpegts", later(2**33 / 90_000 - 2))
    check_video(bench.fix("wrap.ts", data), frames=_FRAMES, seconds=LONG)


def test_uneven_frames_stay_so(bench: Bench) -> None:
    """What was filmed at a rate that changes is shown at it."""
    data = remuxed(OLD_VIDEO, "matroska", lambda kind, n, at: (at + 0.02 * (n % 2) * (kind == "video"), None))
    fixed = bench.fix("phone.mkv", data)
    with av.open(str(fixed.path)) as container:
        times = [frame.time or 0 for frame in container.decode(video=0)]
    steps = {round(b - a, 2) for a, b in pairwise(times[1:])}
    assert steps == {0.05, 0.09}


def test_the_audio_of_a_video_alone(bench: Bench) -> None:
    """Frames that come before it are no silence."""
    data = remuxed(VIDEO, "matroska", apart("audio", 2))
    check_audio(bench.fix("video.mkv", data, kind=Category.AUDIO).path, LONG)


def test_from_one_channel_to_two_and_back() -> None:
    """Broadcasts change between a talk and its music; no second is lost or moved, no frame is short."""
    encoder: Any = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "fltp", "stereo"
    filters = AudioFilter(encoder, 1024)
    shapes = [("mono", 44_100), ("stereo", 48_000), ("mono", 44_100)]
    made = [
        out
        for second, (layout, rate) in enumerate(shapes)
        for part in range(10)
        for out in filters.feed(audio(layout, rate, rate // 10, second + part / 10))
    ]
    made += filters.feed(None)
    assert {frame.samples for frame in made[:-1]} == {1024}
    assert [frame.pts for frame in made] == [1024 * number for number in range(len(made))]
    assert abs(made[-1].pts + made[-1].samples - 3 * 48_000) < 200
    assert filters.filled == 0


def audio(layout: str, rate: int, samples: int, at: float, form: str = "s16") -> Any:
    """A stretch of audio, all ones."""
    frame: Any = av.AudioFrame(format=form, layout=layout, samples=samples)
    for plane in frame.planes:
        plane.update(b"\x01" * plane.buffer_size)
    frame.sample_rate, frame.pts, frame.time_base = rate, round(at * rate), Fraction(1, rate)
    return frame


@pytest.mark.parametrize("form", ["u8", "s16", "fltp"])
def test_a_long_silence_needs_no_memory(form: str) -> None:
    """It is made a second at a time, and is silent in every format."""
    encoder: Any = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "fltp", "mono"
    filters = AudioFilter(encoder, 1024)
    pieces = list(filters._missing(audio("mono", 48_000, 1024, 500.5, form)))
    assert {piece.samples for piece in pieces} == {48_000, 24_000}
    assert sum(piece.samples for piece in pieces) == round(500.5 * 48_000)
    nothing = 0x80 if form == "u8" else 0
    assert all(set(bytes(piece.planes[0])[: piece.samples]) == {nothing} for piece in pieces)
    out = list(filters.feed(audio("mono", 48_000, 1024, 500.5, form)))
    assert abs(len(out) - 500.5 * 48_000 / 1024) < 2
    assert filters.filled == 2 * 500.5


@pytest.mark.parametrize("cut", [0.5, 0.8])
def test_what_is_cut_short_is_told_as_such(bench: Bench, cut: float) -> None:
    """By its bytes, late start or not."""
    for data in (remuxed(OPUS, "webm", later(60)), remuxed(OPUS, "webm", later(0))):
        with pytest.raises(CannotFix, match=r"cut short"):
            bench.try_fix("cut.webm", data[: int(len(data) * cut)])


@pytest.mark.parametrize(
    ("head", "size", "whole"),
    [
        (b"RIFF\x08\x00\x00\x00WAVE", 16, True),
        (b"RIFF\x00\x00\x00\x00WAVE", 16, False),
        (b"RIFF\xff\xff\xff\x7fWAVE", 16, False),
        (b"\x1a\x45\xdf\xa3\x81\x00\x18\x53\x80\x67\x84rest", 15, True),
        (b"\x1a\x45\xdf\xa3\x81\x00\x18\x53\x80\x67\xffrest", 15, False),
        (b"\x1a\x45\xdf\xa3\x81\x00\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff", 18, False),
        (b"\x1a\x45\xdf\xa3\x81\x00\x18\x53\x80", 9, False),
        (b"\x1a\x45\xdf\xa3\x00", 5, False),
        (b"\x1a\x45\xdf\xa3", 4, False),
        (b"OggS", 4, False),
    ],
)
def test_whether_all_bytes_are_there(tmp_path: Path, head: bytes, size: int, *, whole: bool) -> None:
    """Where the container says how many there are."""
    path = tmp_path / "file"
    path.write_bytes(head.ljust(size, b"\0"))
    assert is_whole(path) == whole


def packet(
    at: float | None, *, kind: str = "audio", index: int = 0, lasting: float = 0.02, frame: int = 960
) -> Any:
    """Something that is read."""
    ticks = Fraction(1, 1000)
    context = SimpleNamespace(frame_size=frame, sample_rate=48_000)
    stream = SimpleNamespace(type=kind, index=index, codec_context=context)
    when = None if at is None else round(at / ticks)
    return SimpleNamespace(
        stream=stream,
        time_base=ticks,
        pts=when,
        dts=when,
        duration=round(lasting / ticks),
        is_keyframe=True,
    )


def clock_of(*, broadcast: bool, start: float = 0.0) -> Timeline:
    """One over nothing."""
    flags = av.format.Flags.ts_discont.value if broadcast else 0
    return Timeline(SimpleNamespace(format=SimpleNamespace(flags=flags)), start)


@pytest.mark.parametrize(
    ("broadcast", "times", "wanted"),
    [
        (True, [10, 10.02, 10.04], [0, 20, 40]),
        (True, [10, 19, 29.1], [0, 9000, 9020]),
        (True, [10, 9.95, 10.02], [0, -50, 20]),
        (True, [10, 9.5, 9.52], [0, 20, 40]),
        (False, [10, 40, 640, 1240.1], [0, 30_000, 630_000, 630_020]),
        (False, [10, None, 10.04], [0, None, 40]),
    ],
)
def test_the_clock(*, broadcast: bool, times: list[float | None], wanted: list[int | None]) -> None:
    """Small steps are left, jumps closed; what has no time is let through."""
    one = clock_of(broadcast=broadcast, start=10.0)
    packets = [packet(at) for at in times]
    for each in packets:
        one.set(each)
    assert [each.pts for each in packets] == wanted


@pytest.mark.parametrize(
    ("kind", "frame", "declared", "wanted"),
    [
        ("audio", 960, 0.02, 20),
        ("audio", 960, 0.04, 40),
        ("audio", 960, 0.9, 20),
        ("audio", 0, 0.9, 900),
        ("audio", 0, 74 * HOUR, 20),
        ("audio", 960, 0.0, 0),
        ("video", 0, 9.0, 9000),
        ("video", 0, 11.0, 20),
    ],
)
def test_how_long_the_last_packet_lasts(kind: str, frame: int, declared: float, wanted: int) -> None:
    """As it says, within what its codec and its neighbours allow."""
    one = clock_of(broadcast=False)
    for number in range(3):
        one.set(packet(number * 0.02, kind=kind, frame=frame))
    last = packet(0.06, kind=kind, frame=frame, lasting=declared)
    one.set(last)
    assert last.duration == (wanted or 20)
