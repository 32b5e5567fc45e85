"""Damaged and hostile files: always a verdict, in bounded time and memory, and never an exception."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import pytest

from examples import makers
from greenroom.inspection import inspect_file
from greenroom.inspection.content import KEEP
from greenroom.reasons import Reason
from greenroom.rules import LARGEST_FILE, MIB
from greenroom.verdict import Verdict
from tests.support import raw
from tests.support.corpus import CASES, Case

#: Seconds that one mutated file of the corpus may take; most take less than a thousandth.
SLOWEST = 2.0
_SMALL = 300_000


def _judged(path: Path, content: bytes) -> Verdict:
    path.write_bytes(content)
    start = time.perf_counter()
    verdict = inspect_file(path)
    assert time.perf_counter() - start < SLOWEST
    assert (verdict.reason is None) == (verdict.detail == "")
    return verdict


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cut_anywhere(case: Case, corpus: Mapping[Case, Path], tmp_path: Path) -> None:
    """A file cut at any of many places gets a verdict."""
    content = corpus[case].read_bytes()[:_SMALL]
    cuts = {1, 2, 3, 4, 7, 8, 11, 12, 16, 26, 27, 28, 32, 44, 64, 100, 511, 512, 513, 1023, 4095, 4096, 4097}
    cuts |= {len(content) * step // 16 for step in range(1, 16)} | {len(content) - 1}
    for cut in sorted(cuts):
        _judged(tmp_path / "cut", content[:cut])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_flipped_and_spliced(case: Case, corpus: Mapping[Case, Path], tmp_path: Path) -> None:
    """A file with bytes flipped, repeated or taken from another one gets a verdict."""
    chance = random.Random(case.name)
    content = corpus[case].read_bytes()[:_SMALL]
    other = corpus[chance.choice(CASES)].read_bytes()[:_SMALL]
    for _ in range(12):
        changed = bytearray(content)
        # Headers matter most: half of the changes hit the first kilobyte.
        for _ in range(chance.randint(1, 24)):
            if changed:
                changed[chance.randrange(min(len(changed), chance.choice([1024, _SMALL])))] = (
                    chance.randrange(256)
                )
        _judged(tmp_path / "flipped", bytes(changed))
    for _ in range(4):
        first, second = chance.randint(0, len(content)), chance.randint(0, len(other))
        _judged(tmp_path / "spliced", content[:first] + other[second:])


@pytest.mark.parametrize("case", [case for case in CASES if case.reason is None], ids=lambda case: case.name)
def test_extreme_numbers(case: Case, corpus: Mapping[Case, Path], tmp_path: Path) -> None:
    """Lengths, counts and offsets set to their extremes end neither in a loop nor in a large allocation."""
    content = corpus[case].read_bytes()[:_SMALL]
    chance = random.Random(case.name)
    for value in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\0\0\0\x01"):
        for at in chance.sample(range(max(1, len(content) - 4)), k=min(8, max(1, len(content) - 4))):
            _judged(tmp_path / "extreme", content[:at] + value + content[at + 4 :])


def test_a_looping_directory_ends(tmp_path: Path) -> None:
    """An OLE2 file whose sector chain runs in a circle is broken, not endless."""
    case = next(case for case in CASES if case.name == "letter.doc")
    content = bytearray(case.make())
    content[512 + 4 : 512 + 8] = (1).to_bytes(4, "little")  # the directory's sector follows itself
    assert _judged(tmp_path / "loop.doc", bytes(content)).reason is Reason.BROKEN


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A part that unpacks to 200 MB costs a bounded number of bytes."""
    bomb = makers.docx(["x"], extra={"word/bomb.xml": bytes(200 * MIB)})
    types = makers.zipped({"[Content_Types].xml": b" " * (200 * MIB)})
    for content in (bomb, types):
        tracemalloc.start()
        _judged(tmp_path / "bomb.docx", content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * MIB


def test_a_pixel_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A PNG that claims 900 megapixels is refused from its header."""
    tracemalloc.start()
    verdict = _judged(tmp_path / "bomb.png", raw.png_bomb())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict.reason is Reason.TOO_LARGE
    assert peak < 2 * MIB


def test_a_large_document_takes_little_memory(tmp_path: Path) -> None:
    """A document of 100 MB, the limit itself, is accepted in a bounded amount of memory."""
    path = tmp_path / "photos.pptx"
    path.write_bytes(makers.pptx(["Photos"], extra={"ppt/media/a.bin": bytes(99 * MIB)}, method=0))
    tracemalloc.start()
    verdict = inspect_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict.accepted
    assert peak < 2 * KEEP


def test_an_oversize_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A file of 5 GB is refused at once, with its size and without a hash."""
    path = tmp_path / "video.mp4"
    path.write_bytes(next(case for case in CASES if case.name == "main.mp4").make())
    with path.open("r+b") as file:
        file.truncate(5 * 1024 * MIB)
    start = time.perf_counter()
    verdict = inspect_file(path)
    assert time.perf_counter() - start < SLOWEST
    assert (verdict.reason, verdict.sha256, verdict.size) == (Reason.TOO_LARGE, None, 5 * 1024 * MIB)
    assert "5 GB" in verdict.detail


def test_oversize_text_is_too_large(tmp_path: Path) -> None:
    """The first byte above every limit is refused, whatever the type; the limit itself is not."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"0123456 89abcde\n" * (LARGEST_FILE // 16))
    assert inspect_file(path).accepted
    with path.open("ab") as file:
        file.write(b"x")
    verdict = inspect_file(path)
    assert (verdict.reason, verdict.mime_type) == (Reason.TOO_LARGE, "text/plain")
