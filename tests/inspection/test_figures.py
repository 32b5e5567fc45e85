"""Sizes as people read them, the same in a sentence, a table and the name of a task."""

from __future__ import annotations

import pytest

from greenroom.figures import human_size


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1 KB"),
        (319_488, "312 KB"),
        (319_590, "312.1 KB"),
        (1_047_552, "1,023 KB"),
        (1_048_524, "1,023.9 KB"),
        (1_048_525, "1 MB"),
        (1_048_575, "1 MB"),
        (1_048_576, "1 MB"),
        (5_242_880, "5 MB"),
        (7_654_604, "7.3 MB"),
        (1_073_689_395, "1,023.9 MB"),
        (1_073_689_396, "1 GB"),
        (1_073_741_824, "1 GB"),
        (5_368_709_120_000, "5,000 GB"),
    ],
)
def test_sizes(size: int, shown: str) -> None:
    """A decimal where it says something, and never a unit that the number does not fit."""
    assert human_size(size) == shown
