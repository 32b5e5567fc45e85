"""A bench to mend on, and a loud word where nobody else looked at what was mended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mending.kit import HOW_TO_INSTALL, OUTSIDE_EYES, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Two empty folders."""
    return Bench(tmp_path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which independent programs did not look."""
    missing = [program for program in OUTSIDE_EYES if shutil.which(program) is None]
    if missing:
        terminalreporter.section("mended files were not seen by outside eyes", sep="!", red=True)
        terminalreporter.line(f"Not installed, and so not asked: {', '.join(missing)}. {HOW_TO_INSTALL}")
