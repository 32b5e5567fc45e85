"""What lands beside a scheduler's own code: one package, with its types and without a command."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.markdown import blocks
from worker.checkout import CHECKOUT

PAGE = CHECKOUT / "docs" / "how-to" / "scheduler.md"


def run(*words: str | Path, folder: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """Run a tool of the virtual environment's."""
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the pinned build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    result = run("hatchling", "build", "--target", "wheel", "--directory", folder)
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def scheduler(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scheduler's folder, with an environment in which the wheel is installed.

    What Greenroom depends on is seen where it is installed already; the checkout is not, for a path in a
    `.pth` file does not have `.pth` files of its own read.
    """
    folder = tmp_path_factory.mktemp("scheduler")
    venv.create(folder / "env")
    purelib = folder / "env" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    words = ("pip", "--python", folder / "env" / "bin" / "python", "install", "--no-index", "--no-deps")
    result = run(*words, "--disable-pip-version-check", wheel, folder=folder)
    assert result.returncode == 0, result.stderr
    return folder


def typed_strictly(folder: Path, code: str) -> str:
    """What mypy says of a scheduler's code, without this project's configuration."""
    (folder / "scheduler.py").write_text(code, encoding="utf-8")
    options = ("--strict", "--config-file=", "--cache-dir", folder / "cache", "--no-error-summary")
    return run(
        "mypy", *options, "--python-executable", "env/bin/python", "scheduler.py", folder=folder
    ).stdout


def test_only_greenroom_lands_in_the_wheel(wheel: Path) -> None:
    """`models`, `tasks` and `worker` are names that must not land in other people's site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"greenroom"}
    assert "greenroom/py.typed" in names


def test_the_wheel_has_no_command(wheel: Path) -> None:
    """It could not run: `cli` is not there, or is somebody else's."""
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith("entry_points.txt")]


def test_a_scheduler_is_typed_strictly(scheduler: Path) -> None:
    """The one of the documentation, against the wheel; and what is wrong in it is found."""
    code = "".join(block.text for block in blocks(PAGE) if block.language == "python")
    assert typed_strictly(scheduler, code) == ""
    assert "Category.IMAGE" in code
    wrong = code.replace("Category.IMAGE", "'image'").replace("datetime.now(UTC)", "'today'", 1)
    found = typed_strictly(scheduler, wrong).splitlines()
    assert [line.rpartition("[")[2] for line in found] == ["arg-type]", "list-item]"]
