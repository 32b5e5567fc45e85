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
        (5_242_880, "5 MB"),
        (7_654_604, "7.3 MB"),
        (1_073_741_824, "1,024 MB"),
    ],
)
def test_sizes(size: int, shown: str) -> None:
    """A decimal where it says something, and never a unit that the number does not fit."""
    assert human_size(size) == shown
