"""`make setup` makes a command that works wherever the checkout is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from greenroom import __version__
from tests.support.command import environment
from worker.checkout import CHECKOUT

#: What an editable install reads, and what the command imports.
NEEDED = (
    "README.md",
    "LICENSE",
    "pyproject.toml",
    "hatch_build.py",
    "greenroom",
    "models",
    "tasks",
    "worker",
    "cli",
)
#: Stands for Python: makes an environment in which all that the locks would bring is there already.
PYTHON = """#!/bin/sh
case "$*" in
    "-m venv "*) "{real}" -m venv --without-pip .venv && echo "{packages}" > .venv/{purelib}/packages.pth ;;
    *) exec "{real}" "$@" ;;
esac
"""


def test_the_command_works_in_a_folder_with_spaces(tmp_path: Path) -> None:
    """A line that begins with `#!` cannot name an interpreter whose path has spaces, or is long."""
    folder = tmp_path / "our media" / ("long" * 40)
    folder.mkdir(parents=True)
    shutil.copy(CHECKOUT / "Makefile", folder)
    for name in NEEDED:
        (folder / name).symlink_to(CHECKOUT / name)
    (folder / "requirements").mkdir()
    (folder / "requirements" / "install.py").symlink_to(CHECKOUT / "requirements" / "install.py")
    for name in ("runtime.txt", "development.txt"):
        (folder / "requirements" / name).touch()
    python = tmp_path / "python"
    packages = Path(sysconfig.get_path("purelib"))
    purelib = packages.relative_to(sys.prefix)
    python.write_text(
        PYTHON.format(real=sys.executable, packages=packages, purelib=purelib), encoding="utf-8"
    )
    python.chmod(0o755)
    # Nothing but what was set up leads to the packages.
    alone = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    subprocess.run(["make", "setup", f"PYTHON={python}"], cwd=folder, env=alone, check=True)  # noqa: S607 - as people call it
    command = folder / ".venv" / "bin" / "greenroom"
    result = subprocess.run(
        [command, "--version"], cwd=tmp_path, env=alone, capture_output=True, text=True, check=True
    )
    assert __version__ in result.stdout
