"""A short form of `make fuzz`, and proof that the fuzzer notices what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.run import fuzz, write_seeds
from tests.fuzz.targets import PLANTED, TARGETS


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some files of the corpus."""
    return write_seeds(tmp_path_factory.mktemp("fuzz"), every=5)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_crashes_or_hangs(name: str, seeds: Path) -> None:
    """Each is dealt with in its time and memory."""
    tally = fuzz(name, inputs=150, seed=1, seeds=seeds)
    assert tally.inputs == 150
    assert (tally.crashes, tally.hangs) == ([], [])
    assert len(tally.outcomes) > 1


def test_what_is_planted_is_found(seeds: Path) -> None:
    """A fault, a death, an endless loop, and memory beyond its bound; and it goes on behind each."""
    tally = fuzz(PLANTED, inputs=24, seed=1, seeds=seeds, seconds=0.2)
    found = "\n".join(tally.crashes)
    assert tally.inputs == 24
    for words in ("a fault of the code's", "the process ended with 9", "MemoryError"):
        assert words in found
    assert tally.hangs
    assert tally.outcomes["fine"] > 6
