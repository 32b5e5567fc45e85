"""What holds for every file: kinds, names, files that cannot be opened, threads, and a second eye."""

from __future__ import annotations

import ctypes
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from examples import bulk, makers, spring_sale
from greenroom.inspection import inspect_file
from greenroom.inspection.exif import orientation_notices
from greenroom.reasons import Reason
from greenroom.rules import MEDIA_TYPES, Category
from tests.support import raw
from tests.support.corpus import CASES, Case


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    """A JPEG that is accepted."""
    path = tmp_path / "banner.jpg"
    path.write_bytes(makers.saved(makers.drawn_image(60, 40), "JPEG"))
    return path


@pytest.mark.parametrize("kind", Category)
def test_kind_narrows(kind: Category, jpeg: Path) -> None:
    """A file of another kind than the manifest asks for is refused, and keeps its own category."""
    verdict = inspect_file(jpeg, kind=kind)
    assert verdict.category is Category.IMAGE
    assert verdict.reason is (None if kind is Category.IMAGE else Reason.WRONG_KIND)
    assert kind is Category.IMAGE or kind.value in verdict.detail


def test_kind_does_not_hide_a_foreign_type(tmp_path: Path) -> None:
    """What no kind could take is said to be so, whatever the manifest asks for."""
    path = tmp_path / "moving.gif"
    path.write_bytes(makers.saved(makers.drawn_image(60, 40), "GIF"))
    assert inspect_file(path, kind=Category.IMAGE).reason is Reason.TYPE_NOT_SUPPORTED


def test_two_faults_are_both_told(tmp_path: Path) -> None:
    """A video of a wrong codec that is too large besides says both, so that it is fixed once."""
    path = tmp_path / "large.mp4"
    clip = makers.media("mp4", video="mpeg4", seconds=0.5)
    path.write_bytes(makers.with_comment(clip, bytes(20 * 2**20)))
    verdict = inspect_file(path)
    assert verdict.reason is Reason.CODEC_NOT_SUPPORTED
    assert "MPEG-4 Part 2" in verdict.detail
    assert "20 MB" in verdict.detail


def test_the_name_only_warns(jpeg: Path) -> None:
    """The sender's name changes no verdict; one that claims another type is noticed."""
    for name, noticed in (("a.jpeg", False), ("a.PNG", True), ("no ending", False), ("odd.v2", False)):
        verdict = inspect_file(jpeg, name=name)
        assert verdict.accepted
        assert [notice.code for notice in verdict.notices] == ["name_disagrees"] * noticed


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """Missing files, folders, pipes and nonsense paths are verdicts, never exceptions, and never block."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    expected = {
        tmp_path / "nowhere.jpg": Reason.MISSING,
        tmp_path / "no" / "folder.jpg": Reason.MISSING,
        tmp_path: Reason.UNREADABLE,
        pipe: Reason.UNREADABLE,
        Path("a\0b"): Reason.UNREADABLE,
        Path("x" * 5000): Reason.UNREADABLE,
    }
    for path, reason in expected.items():
        verdict = inspect_file(path)
        assert (verdict.reason, verdict.size, verdict.sha256) == (reason, 0, None)
        assert verdict.detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(jpeg: Path) -> None:
    """A file without the right to read it is unreadable."""
    jpeg.chmod(0)
    assert inspect_file(jpeg).reason is Reason.UNREADABLE


def test_threads_agree(corpus: Mapping[Case, Path]) -> None:
    """Many threads at once say what one thread says: each has its own libmagic."""
    paths = list(corpus.values())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(inspect_file, paths)) == [inspect_file(path) for path in paths]


def test_pylibmagic_leaves_no_trace() -> None:
    """Importing inspection changes neither ctypes nor the environment of child processes."""
    code = (
        "import ctypes, os; before = ctypes.CDLL.__init__, dict(os.environ); import greenroom.inspection;"
        "assert before == (ctypes.CDLL.__init__, dict(os.environ))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert ctypes.CDLL.__init__.__module__ == "ctypes"


_NAMES = {
    "h264": "H.264",
    "aac": "AAC",
    "hevc": "HEVC",
    "mpeg4": "MPEG-4 Part 2",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
}
_NAMES |= {
    "av1": "AV1",
    "libdav1d": "AV1",
    "h263": "H.263",
    "alac": "ALAC",
    "opus": "Opus",
    "mp3float": "MP3",
}


def _streams(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        videos = [clip for clip in container.streams.video if clip.frames != 1]  # one image is a cover
        streams: list[Any] = [*videos, *container.streams.audio]
        return [_NAMES.get(stream.codec_context.name, "") for stream in streams]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.category is Category.VIDEO and case.reason is None],
    ids=lambda case: case.name,
)
def test_ffmpeg_sees_the_same_codecs(case: Case, corpus: Mapping[Case, Path]) -> None:
    """FFmpeg, an eye of its own, opens every accepted video and finds the codecs that the label names."""
    label = inspect_file(corpus[case]).label
    names = _streams(corpus[case])
    assert names
    assert label.endswith(" + ".join(names))


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.reason is Reason.CODEC_NOT_SUPPORTED and case.detail in _NAMES.values()],
    ids=lambda case: case.name,
)
def test_ffmpeg_sees_the_refused_codec(case: Case, corpus: Mapping[Case, Path]) -> None:
    """FFmpeg finds the very codec that a refusal names."""
    if case.name in {"dolby-vision.mp4", "als.mp4"}:
        pytest.skip("made by renaming: its data is another codec's")
    assert case.detail in _streams(corpus[case])


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.reason is None and case.category in (Category.IMAGE, Category.STICKER)],
    ids=lambda case: case.name,
)
def test_pillow_decodes_what_is_accepted(case: Case, corpus: Mapping[Case, Path]) -> None:
    """Pillow, an eye of its own, decodes every accepted image in full and sees the label's size."""
    with Image.open(corpus[case]) as image:
        image.load()
        assert image.mode in {"RGB", "RGBA"}
        assert f"{image.width} x {image.height}" in inspect_file(corpus[case]).label


def test_orientation_is_named() -> None:
    """Each of EXIF's seven turns has its own words."""
    details = set()
    for value in range(1, 9):
        with Image.open(io.BytesIO(raw.turned(value))) as image:
            notices = orientation_notices(image.info["exif"][6:])
        details |= {notice.detail for notice in notices}
        assert bool(notices) == (value != 1)
    assert len(details) == 7


def test_the_demo_campaign(tmp_path: Path) -> None:
    """The spring sale has at least ten types that are taken, and each mistake in it is found."""
    spring_sale.make(tmp_path)
    verdicts = {path.name: inspect_file(path) for path in tmp_path.iterdir()}
    assert {name for name, verdict in verdicts.items() if not verdict.accepted} == spring_sale.BAD
    assert len({verdict.mime_type for verdict in verdicts.values() if verdict.accepted}) >= 10
    assert len({verdicts[name].reason for name in spring_sale.BAD}) >= 5
    assert sum(verdict.size for verdict in verdicts.values()) < 15 * 2**20


def test_the_demo_campaign_is_always_the_same(tmp_path: Path) -> None:
    """Made twice, every file has the same content."""
    for folder in ("one", "two"):
        spring_sale.make(tmp_path / folder)
    for path in (tmp_path / "one").iterdir():
        assert inspect_file(path).sha256 == inspect_file(tmp_path / "two" / path.name).sha256, path.name


def test_a_bulk_folder_is_what_it_says(tmp_path: Path) -> None:
    """Two hundred files are all different, of at least eight types, and accepted or not as they say."""
    made = bulk.make_folder(tmp_path, 200, seed=5)
    verdicts = {name: inspect_file(tmp_path / name) for name, _ in made}
    assert {name: verdicts[name].accepted for name, _ in made} == dict(made)
    assert len({verdict.sha256 for verdict in verdicts.values()}) == 200
    assert len({verdict.mime_type for verdict in verdicts.values() if verdict.accepted}) >= 8
    assert sum(not expected for _, expected in made) == 10


def test_corpus_covers_every_category() -> None:
    """Every category of the table has accepted and rejected files."""
    for category in {row.category for row in MEDIA_TYPES}:
        assert {case.reason is None for case in CASES if case.category is category} == {True, False}
