"""A bench to fix on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conversion.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Two empty folders."""
    return Bench(tmp_path)
