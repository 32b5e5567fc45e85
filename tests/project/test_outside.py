"""Tests that want a program of others say so when they did not run."""

from __future__ import annotations

import re
from collections import Counter

from tests.support.outside import NPM_PACKAGES, PACKAGES, not_run
from worker.checkout import CHECKOUT

#: Whose absence the summary does not report: the machine has it, or its tests have nothing to do there.
OTHERS = {"bash", "docker", "make"}


def test_skipped_tests_are_counted_by_program() -> None:
    """By its own name or by its package's, once each; other reasons are none of its business."""
    reasons = [
        "Skipped: ffprobe is not installed",
        "Skipped: exiftool is not installed",
        "Skipped: exiftool is not installed",
        "needs Debian's libheif-examples",
        "needs Debian's ffmpeg, which writes Speex",
        "Skipped: azurite-blob is not installed",
        "Skipped: SQLite has no locks of tables",
    ]
    assert not_run(reasons) == Counter(
        {"exiftool": 2, "ffprobe": 1, "heif-convert": 1, "ffmpeg": 1, "azurite-blob": 1}
    )


def test_every_program_that_tests_look_for_can_be_installed() -> None:
    """`make outside-readers`, or the end of the run, knows its package."""
    looked_for = set()
    for path in (CHECKOUT / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        looked_for |= set(re.findall(r'(?:which|@needs)\("([\w-]+)"\)', text))
    assert {"exiftool", "ffprobe", "curl"} <= looked_for
    assert looked_for - OTHERS <= PACKAGES.keys() | NPM_PACKAGES.keys()
