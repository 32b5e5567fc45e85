"""`greenroom check --mend`: copies that WhatsApp takes, beside originals that stay as they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from examples import spring_sale
from tests.cli.conftest import Greenroom

#: What of the example campaign can be made into something that WhatsApp takes.
CURABLE = {
    "05-newsletter-header.jpg",
    "06-flyer-from-print-shop.jpg",
    "07-window-poster.png",
    "interview.mp4",
    "voice-note-old-recorder.ogg",
}


@pytest.fixture
def sale(tmp_path: Path) -> Path:
    """The example campaign."""
    spring_sale.make(tmp_path / "sale")
    return tmp_path / "sale"


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file in a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_mended_copies_are_accepted_and_originals_untouched(
    greenroom: Greenroom, sale: Path, tmp_path: Path
) -> None:
    """Each line says what was done, or why nothing could be."""
    before = hashes(sale)
    result = greenroom("check", "sale", "--mend", "mended", "--json")
    assert result.returncode == 1, result.stderr  # some are past mending
    rows = {Path(row["path"]).name: row for row in map(json.loads, result.stdout.splitlines())}
    assert hashes(sale) == before
    mended = {name for name, row in rows.items() if row["verdict"] == "rejected" and row["mended_path"]}
    assert mended == CURABLE
    for name, row in rows.items():
        if row["mended_path"]:
            copy = tmp_path / row["mended_path"]
            assert hashlib.sha256(copy.read_bytes()).hexdigest() == row["mended_sha256"] != before[name]
            assert row["mended"]
        elif row["verdict"] == "rejected":
            assert row["not_mended"]
    assert greenroom("check", "mended").returncode == 0


def test_the_tables_say_what_was_done(greenroom: Greenroom, sale: Path) -> None:
    """And everything mended is exit code 0."""
    for path in sale.iterdir():
        if path.name not in CURABLE:
            path.unlink()
    result = greenroom("check", "sale", "--mend", "mended")
    assert result.returncode == 0, result.stderr
    assert "5 mended copies" in result.stdout
    assert "8-bit RGB" in result.stdout.replace("\n", " ")


def test_a_folder_that_cannot_be_made_is_a_sentence(greenroom: Greenroom, sale: Path) -> None:
    """Before anything is mended."""
    result = greenroom("check", sale / "terms.pdf", "--mend", "/proc/nope")
    assert result.returncode == 2
    assert "Give --mend another folder" in result.stderr


def test_a_run_sends_mended_copies(greenroom: Greenroom, sale: Path) -> None:
    """From the bad file to a media ID."""
    words = ["run", "sale/06-flyer-from-print-shop.jpg", "--channel", "4915", "--sandbox", "--json"]
    assert greenroom(*words).returncode == 1
    result = greenroom(*words, "--mend")
    assert result.returncode == 0, result.stderr
    (row,) = map(json.loads, result.stdout.splitlines())
    assert row["media_id"]
    assert row["original_sha256"] == hashes(sale)["06-flyer-from-print-shop.jpg"] != row["sha256"]
    assert row["mended"]
