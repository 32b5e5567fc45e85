"""`greenroom check --fix`: copies that WhatsApp takes, beside originals that stay as they are."""

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


def test_fixed_copies_are_accepted_and_originals_untouched(
    greenroom: Greenroom, sale: Path, tmp_path: Path
) -> None:
    """Each line says what was done, or why nothing could be."""
    before = hashes(sale)
    result = greenroom("check", "sale", "--fix", "fixed", "--json")
    assert result.returncode == 1, result.stderr  # some are past fixing
    rows = {Path(row["path"]).name: row for row in map(json.loads, result.stdout.splitlines())}
    assert hashes(sale) == before
    fixed = {name for name, row in rows.items() if row["verdict"] == "rejected" and row["fixed_path"]}
    assert fixed == CURABLE
    for name, row in rows.items():
        if row["fixed_path"]:
            copy = tmp_path / row["fixed_path"]
            assert hashlib.sha256(copy.read_bytes()).hexdigest() == row["fixed_sha256"] != before[name]
            assert row["fixed"]
        elif row["verdict"] == "rejected":
            assert row["not_fixed"]
    assert greenroom("check", "fixed").returncode == 0


def test_the_tables_say_what_was_done(greenroom: Greenroom, sale: Path) -> None:
    """And everything fixed is exit code 0."""
    for path in sale.iterdir():
        if path.name not in CURABLE:
            path.unlink()
    result = greenroom("check", "sale", "--fix", "fixed")
    assert result.returncode == 0, result.stderr
    assert "5 fixed copies" in result.stdout
    assert "8-bit RGB" in result.stdout.replace("\n", " ")


def test_a_folder_that_cannot_be_made_is_a_sentence(greenroom: Greenroom, sale: Path) -> None:
    """Before anything is fixed."""
    result = greenroom("check", sale / "terms.pdf", "--fix", "/proc/nope")
    assert result.returncode == 2
    assert "Give --fix another folder" in result.stderr


def test_a_run_sends_fixed_copies(greenroom: Greenroom, sale: Path) -> None:
    """From the bad file to a media ID."""
    words = ["run", "sale/06-flyer-from-print-shop.jpg", "--channel", "4915", "--sandbox", "--json"]
    assert greenroom(*words).returncode == 1
    result = greenroom(*words, "--fix")
    assert result.returncode == 0, result.stderr
    (row,) = map(json.loads, result.stdout.splitlines())
    assert row["media_id"]
    assert row["original_sha256"] == hashes(sale)["06-flyer-from-print-shop.jpg"] != row["sha256"]
    assert row["fixed"]
