"""What WhatsApp does not take is called by its name, and nobody is told to export a font as a video."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from greenroom.inspection import inspect_file
from greenroom.inspection.foreign_types import FOREIGN_TYPES, INSTEAD, UNKNOWN, Kind
from greenroom.inspection.signatures import SIGNATURES, Signature, named, signature_of
from greenroom.inspection.sniff import mime_of
from greenroom.inspection.unsupported import foreign, type_of
from greenroom.reasons import Reason
from greenroom.verdict import Verdict
from tests.inspection.foreign_files import FOREIGN, Foreign, opening
from tests.support.corpus import noise


def judged(folder: Path, data: bytes, name: str = "file.bin") -> Verdict:
    """What inspection says of some bytes."""
    path = folder / name
    path.write_bytes(data)
    return inspect_file(path)


@pytest.mark.parametrize("one", FOREIGN, ids=lambda one: f"{one.name}: {one.what}")
def test_each_is_called_by_its_name(tmp_path: Path, one: Foreign) -> None:
    """The sentence says what the file is, and what WhatsApp takes instead of such a thing."""
    verdict = judged(tmp_path, one.make(), one.name)
    assert verdict.reason is Reason.TYPE_NOT_SUPPORTED, verdict
    assert one.what in verdict.detail
    assert verdict.detail.endswith(INSTEAD[one.kind])
    assert [notice.code for notice in verdict.notices] == [], "its own ending disagrees with it"


def test_each_kind_has_a_file() -> None:
    """Every kind of thing is among the files."""
    assert {one.kind for one in FOREIGN} == set(Kind)


@pytest.mark.parametrize("row", SIGNATURES, ids=lambda row: f"{row.mime_type}: {row.marks[0][1]!r}")
def test_each_signature_leads_to_its_row(row: Signature, tmp_path: Path) -> None:
    """The marks at their places, with noise around them, are a file of the type that has them."""
    data = opening(row)
    found = signature_of(data)
    assert found is not None
    assert found.mime_type == row.mime_type
    assert row.source
    verdict = judged(tmp_path, data)
    assert verdict.reason is Reason.TYPE_NOT_SUPPORTED
    assert FOREIGN_TYPES[row.mime_type].what in verdict.detail


@pytest.mark.parametrize(
    "row",
    [row for row in SIGNATURES if row.lettered and row.marks[0][0] == 0],
    ids=lambda row: row.marks[0][1],
)
def test_a_text_about_a_format_is_a_text(row: Signature, tmp_path: Path) -> None:
    """Marks that are nothing but letters open sentences, too."""
    marked = bytearray(b"." * 70)
    for at, mark in row.marks:
        marked[at : at + len(mark)] = mark
    verdict = judged(tmp_path, bytes(marked) + b" is how such a file opens.\n", "note.txt")
    assert verdict.mime_type == "text/plain", verdict.detail


@pytest.mark.parametrize("mime_type", FOREIGN_TYPES)
def test_each_row_is_a_sentence_that_fits(mime_type: str) -> None:
    """A row has a short sentence, and advice for its own kind: nothing still is told of videos."""
    kind = type_of(mime_type).kind
    detail = foreign(mime_type).detail
    assert len(detail) < 240
    assert detail.endswith(".")
    assert ("MP4" in detail) == (kind in {Kind.VIDEO, Kind.ANIMATION, Kind.UNKNOWN}), detail
    assert all(extension.startswith(".") for extension in foreign(mime_type).extensions)


def test_a_type_without_a_row_is_named_by_its_mime_type() -> None:
    """What the table does not have is told as libmagic has it."""
    assert foreign("image/x-new").detail.startswith("This is an image of another type (image/x-new);")
    assert "MP4" not in foreign("font/x-new").detail


def test_noise_is_not_known() -> None:
    """Libmagic's guesses on a byte or two are not passed on: noise is a file of an unknown type."""
    heads = [random.Random(seed).randbytes(4096) for seed in range(600)]
    guessed = [head for head in heads if mime_of(head) == "application/x-dosexec"]
    assert guessed, "libmagic guesses no more; the row may go"
    assert {named(head, len(head), mime_of(head)) for head in guessed} == {UNKNOWN}


def test_one_frame_of_broadcast_audio_is_chance(tmp_path: Path) -> None:
    """Eleven set bits and a length that leads nowhere are noise, although libmagic takes them for LATM."""
    for length in (b"\x20", b"\xff"):
        data = b"\x56\xe0" + length + noise(3000)
        assert mime_of(data[:4096]) == "audio/x-mp4a-latm"
        assert "unknown type" in judged(tmp_path, data).detail
    assert "unknown type" in judged(tmp_path, b"\x56\xff\xff" + noise(9000)).detail


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0"])
def test_a_mark_of_utf_16_alone_makes_no_text(tmp_path: Path, mark: bytes) -> None:
    """Binary data that begins like UTF-16 is not said to look like text."""
    verdict = judged(tmp_path, mark + noise(3000))
    assert verdict.reason is Reason.TYPE_NOT_SUPPORTED
    assert "unknown type" in verdict.detail


def test_spoiled_utf_16_is_text_with_something_in_it(tmp_path: Path) -> None:
    """Text in UTF-16 with a nul in it is not a file of an unknown type."""
    data = ("Everything must go. " * 50).encode("utf-16") + bytes(2)
    assert judged(tmp_path, data, "note.txt").reason is Reason.NOT_TEXT


@pytest.mark.parametrize("size", [1, 50_000, 6 * 2**20])
def test_nothing_but_zeros(tmp_path: Path, size: int) -> None:
    """A download that broke off leaves zeros; the sentence says so."""
    verdict = judged(tmp_path, bytes(size))
    assert verdict.reason is Reason.BROKEN
    assert "nothing but zeros" in verdict.detail
    assert "nothing but zeros" not in judged(tmp_path, bytes(size) + b"\x80\x81").detail
