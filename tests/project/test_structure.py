"""The repository tests itself: style, types, layers, locks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path

import pytest

from worker.checkout import CHECKOUT


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the virtual environment's on the checkout."""
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
    ],
    ids=["ruff", "ruff-format", "mypy"],
)
def test_tools_have_nothing_to_say(words: tuple[str, ...]) -> None:
    """Ruff with everything on but for the reasons given, mypy strict."""
    result = run(*words)
    assert result.returncode == 0, result.stdout + result.stderr


def test_layers_are_kept() -> None:
    """The command sees the worker, that the tasks, those the tables, those the domain; never upward."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_tasks_write_no_sql() -> None:
    """Statements stand in models/, beside their tables; of SQLAlchemy, tasks know a transaction's name."""
    names = set()
    for path in sorted((CHECKOUT / "tasks").glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=imported):
                    assert not any(one.name.startswith("sqlalchemy") for one in imported), path
                case ast.ImportFrom(module=str(module), names=imported) if module.startswith("sqlalchemy"):
                    names |= {f"{module}.{one.name}" for one in imported}
                case ast.Call(func=ast.Attribute(value=ast.Name(id="connection"), attr=method)):
                    # A part of a transaction may be taken back; what is asked is not said here.
                    assert method == "begin_nested", f"{path}:{node.lineno} calls connection.{method}"
    assert names == {"sqlalchemy.Connection"}


@pytest.mark.parametrize("name", ["runtime", "development"])
def test_locks_have_hashes_and_no_addresses(name: str) -> None:
    """Every line is pinned, every pin has hashes, and nothing says where to fetch from."""
    text = (CHECKOUT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#", "--requirement "))]
    assert len(pins) > 40
    for pin in pins:
        assert "==" in pin
        assert text[text.index(pin) :].split("\n", 2)[1].strip().startswith("--hash=sha256:")


def test_development_adds_to_what_production_has() -> None:
    """It says where that stands, and says none of it twice."""
    runtime, development = (
        (CHECKOUT / "requirements" / name).read_text(encoding="utf-8").splitlines()
        for name in ("runtime.txt", "development.txt")
    )
    assert development[0] == "--requirement runtime.txt"
    names = [{line.partition("==")[0] for line in lines if "==" in line} for lines in (runtime, development)]
    assert names[0].isdisjoint(names[1])


def test_a_clone_is_light() -> None:
    """Under 2.1 MB compressed: what a command makes again is not kept (``benchmarks/results/raw``)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=False)  # noqa: S607 - as people have it
    if listed.returncode:
        pytest.skip("this is no clone")
    paths = [CHECKOUT / name for name in listed.stdout.decode().split("\0")]
    weights = {path: len(zlib.compress(path.read_bytes())) for path in paths if path.is_file()}
    assert sum(weights.values()) < 2_100_000, sorted(weights, key=weights.__getitem__)[-10:]


def test_every_exemption_from_ruff_has_its_reason() -> None:
    """In pyproject.toml beside the rule, and in the code behind the noqa."""
    lines = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("ignore = [")
    for line in lines[start + 1 : lines.index("]", start)]:
        assert " # " in line, line
    suppression = re.compile(r"#\s*(noqa|type: ignore)\S*[^#]*(- |# )\w")
    for path in sorted(CHECKOUT.glob("[a-z]*/**/*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if "# noqa" in line or "# type: ignore" in line:
                assert suppression.search(line), f"{path.name}:{number} gives no reason"


def test_the_version_stands_in_one_place() -> None:
    """pyproject.toml takes it from the package."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert "version" not in project["project"]


def test_tests_share_what_lies_in_support() -> None:
    """A test imports from its own folder and from `tests.support`, which imports from itself alone."""
    wrong = []
    for path in sorted((CHECKOUT / "tests").rglob("*.py")):
        own = ".".join(path.parent.relative_to(CHECKOUT).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("tests."):
                continue
            if not f"{node.module}.".startswith((f"{own}.", "tests.support.")):
                wrong.append(f"{path.relative_to(CHECKOUT)}:{node.lineno} imports from {node.module}")
    assert not wrong
