"""What is true of every fixing: over the whole corpus of inspection, and of names, folders and time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from examples import makers
from greenroom.conversion import CannotFix, FixedFile, fix_file
from greenroom.conversion.deadline import Deadline
from greenroom.errors import SourceChanged
from greenroom.inspection import inspect_file
from greenroom.reasons import Reason
from greenroom.rules import Category
from tests.conversion.kit import Bench
from tests.support.corpus import AUDIO, CASES, DOCUMENT, IMAGE, STICKER, VIDEO, Case

GREY = makers.saved(makers.drawn_image(40, 30).convert("L"), "PNG")
#: Minutes of audio, which is encoded in seconds; ``test_audio`` has shorter ones.
SLOW = {"over-the-limit.mp3"}
HOPELESS = {Reason.EMPTY, Reason.ENCRYPTED, Reason.BROKEN, Reason.NOT_TEXT}


def case_id(case: Case) -> str:
    """Its name."""
    return case.name


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in SLOW], ids=case_id)
def test_the_corpus(bench: Bench, case: Case) -> None:
    """Fixed and accepted, left alone, or refused with a sentence; the bench checks the rest."""
    try:
        fixed = bench.try_fix(case.name, case.make())
    except CannotFix as error:
        sentence = str(error)
        assert case.reason is not None, "an accepted file was refused"
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert case.detail in inspect_file(bench.originals / case.name).detail
    else:
        assert case.reason not in HOPELESS
        assert (fixed is None) == (case.reason is None and not _bettered(case))
        assert not list(bench.into.iterdir()) or fixed is not None


def _bettered(case: Case) -> bool:
    return bool(
        case.notices
        & {
            "exif_orientation",
            "sticker_dimensions",
            "index_at_end",
            "high_profile_b_frames",
            "exotic_h264",
            "several_video_tracks",
            "opus_not_mono",
            "starts_late",
            "chained",
        }
    )


@pytest.mark.parametrize("case", DOCUMENT, ids=case_id)
def test_documents_are_never_touched(bench: Bench, case: Case) -> None:
    """Accepted ones are left alone, and nobody's text is rewritten."""
    try:
        assert bench.try_fix(case.name, case.make()) is None
    except CannotFix:
        assert case.reason is not None


def test_most_of_what_is_refused_can_be_fixed(bench: Bench) -> None:
    """Of audio, video and images that encoders at hand wrote, all but the damaged."""
    real = (
        "cmyk.jpg",
        "palette.png",
        "photo.avif",
        "hevc.mp4",
        "iphone.mov",
        "video.webm",
        "wave.wav",
        "amr.3gp",
    )
    cases = [case for case in (*AUDIO, *VIDEO, *IMAGE, *STICKER) if case.name in real]
    assert len(cases) >= len(real)
    for case in cases:
        bench.fix(case.name, case.make())


def test_nothing_is_overwritten(bench: Bench) -> None:
    """A name that is taken gets a number, even beside the original."""
    (bench.into / "grey.png").write_bytes(b"mine")
    assert bench.fix("grey.png", GREY).path.name == "grey-2.png"
    assert (bench.into / "grey.png").read_bytes() == b"mine"
    path = bench.put("beside.png", GREY)
    fixed = fix_file(path, inspect_file(path), bench.originals)
    assert fixed is not None
    assert fixed.path.name == "beside-2.png"
    assert path.read_bytes() == GREY


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Frühling 50%.tiff", "Frühling 50.png"),
        ("../../etc/passwd", "passwd.png"),
        ("no ending", "no ending.png"),
        ("a.b.c.png", "a.b.c.png"),
        ("photo.jpg", "photo.png"),
    ],
)
def test_names(bench: Bench, name: str, wanted: str) -> None:
    """The right ending, and nothing that a disk or a header would stumble over."""
    path = bench.put("grey.png", GREY)
    fixed = fix_file(path, inspect_file(path), bench.into, name=name)
    assert fixed is not None
    assert fixed.path == bench.into / wanted


def test_a_file_that_changed_is_not_fixed(bench: Bench) -> None:
    """The verdict is about other bytes."""
    path = bench.put("grey.png", GREY)
    verdict = inspect_file(path)
    path.write_bytes(GREY + b"more")
    with pytest.raises(SourceChanged):
        fix_file(path, verdict, bench.into)


def test_an_unwritable_folder_is_said_as_such(bench: Bench) -> None:
    """It is not the image's fault."""
    path = bench.put("grey.png", GREY)
    with pytest.raises(FileNotFoundError):
        fix_file(path, inspect_file(path), bench.into / "not there")


def test_the_wrong_kind_needs_to_be_told(bench: Bench) -> None:
    """Without it, fixing would only guess what the manifest wants; no document is ever made."""
    path = bench.put("sale.webp", makers.saved(makers.drawn_image(64, 64), "WEBP"))
    verdict = inspect_file(path, kind=Category.IMAGE)
    assert verdict.reason is Reason.WRONG_KIND
    with pytest.raises(CannotFix, match=r"the manifest asks for an image"):
        fix_file(path, verdict, bench.into)
    assert isinstance(fix_file(path, verdict, bench.into, kind=Category.IMAGE), FixedFile)
    with pytest.raises(CannotFix, match=r"Change the kind"):
        bench.try_fix("sale.webp", path.read_bytes(), kind=Category.DOCUMENT)


def test_time_is_bounded(bench: Bench) -> None:
    """A file that takes too long is given up; an accepted one is then simply left alone."""
    probe = makers.media("matroska", video="mpeg4", seconds=1.0, size=(64, 64))
    path = bench.put("video.mkv", probe)
    with pytest.raises(CannotFix, match=r"takes more than 0 minutes"):
        fix_file(path, inspect_file(path), bench.into, seconds=0.0)
    late = makers.media("mp4", video="libx264", seconds=1.0, size=(64, 64))
    path = bench.put("late.mp4", late)
    assert inspect_file(path).notices
    assert fix_file(path, inspect_file(path), bench.into, seconds=0.0) is None
    assert not list(bench.into.iterdir())


def test_the_deadline_moves_with_its_clock() -> None:
    """Given up after its time, and not before."""
    now = [100.0]
    deadline = Deadline(120, clock=lambda: now[0])
    now[0] = 219.0
    deadline.check()
    now[0] = 221.0
    with pytest.raises(CannotFix, match=r"2 minutes"):
        deadline.check()


def test_large_originals_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded, like everything; files over WhatsApp's own 100 MB are taken on all the same."""
    monkeypatch.setattr("greenroom.conversion.limits.LARGEST_ORIGINAL", 50)
    with pytest.raises(CannotFix, match=r"fixing takes on files up to 50 bytes"):
        bench.try_fix("grey.png", GREY)


def test_originals_over_whatsapps_own_limit(bench: Bench, tmp_path: Path) -> None:
    """101 MB of video, most of it padding: inspection does not hash it, fixing does."""
    data = makers.with_comment(
        makers.media("mp4", video="libx264", seconds=1.0, size=(64, 64)), bytes(101 * 2**20)
    )
    path = tmp_path / "phone.mp4"
    path.write_bytes(data)
    verdict = inspect_file(path)
    assert verdict.sha256 is None
    fixed = fix_file(path, verdict, bench.into)
    assert fixed is not None
    assert fixed.original_sha256 == hashlib.sha256(data).hexdigest()
    assert fixed.verdict.size < 100_000
