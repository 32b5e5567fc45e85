"""The corpus, written once for all tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.corpus import CASES, Case


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Case, Path]:
    """Every case of the corpus as a file on disk."""
    root = tmp_path_factory.mktemp("corpus")
    files = {}
    for number, case in enumerate(CASES):
        folder = root / str(number)
        folder.mkdir()
        files[case] = folder / case.name
        files[case].write_bytes(case.make())
    return files
