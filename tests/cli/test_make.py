"""`make setup` makes a command that works wherever the checkout is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from greenroom import __version__
from tests.cli.conftest import environment
from worker.supervisor import CHECKOUT

#: Stands for Python, and installs nothing.
PYTHON = """#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip "* | *purelib*) ;;
    *) exec "{real}" "$@" ;;
esac
"""


def test_the_command_works_in_a_folder_with_spaces(tmp_path: Path) -> None:
    """A line that begins with `#!` cannot name an interpreter whose path has spaces, or is long."""
    folder = tmp_path / "our media" / ("long" * 40)
    folder.mkdir(parents=True)
    shutil.copy(CHECKOUT / "Makefile", folder)
    shutil.copytree(CHECKOUT / "requirements", folder / "requirements")
    python = tmp_path / "python"
    python.write_text(PYTHON.format(real=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    subprocess.run(["make", "setup", f"PYTHON={python}"], cwd=folder, env=environment(), check=True)  # noqa: S607 - as people call it
    command = folder / ".venv" / "bin" / "greenroom"
    result = subprocess.run(
        [command, "--version"], env=environment(), capture_output=True, text=True, check=True
    )
    assert __version__ in result.stdout
