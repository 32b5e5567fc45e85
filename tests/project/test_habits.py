"""Workflows, hooks and CONTRIBUTING.md run what is there, in the versions of the locks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.checkout import CHECKOUT

MAKEFILE = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
CALLERS = [*WORKFLOWS, *(CHECKOUT / name for name in ("CONTRIBUTING.md", "README.md", ".ci/run"))]


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.name)
def test_what_is_made_can_be_made(path: Path) -> None:
    """Each `make target` at the start of a command is in the Makefile."""
    text = path.read_text(encoding="utf-8")
    text = text.replace("${{ matrix.target }}", "coverage")
    called = set(re.findall(r"(?:^|run: |sudo |`)make ([a-z-]+)", text, re.MULTILINE))
    assert called, f"{path.name} makes nothing"
    assert called <= TARGETS
    assert set(re.findall(r"[a-z-]+", "".join(re.findall(r"target: \[(.*)\]", text)))) <= TARGETS


def test_every_target_is_phony() -> None:
    """A file or folder of its name does not keep a target from being made."""
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS


def test_the_workflow_runs_what_ci_runs() -> None:
    """Not a second list of steps that would drift from the first."""
    text = (CHECKOUT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert re.search(r"^ +- run: \.ci/run$", text, re.MULTILINE)


def test_hooks_have_no_versions_of_their_own() -> None:
    """pre-commit would fetch other ones than those that CI has."""
    text = (CHECKOUT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"- repo: (.+)", text)) == {"local"}
    assert set(re.findall(r"language: (.+)", text)) == {"system"}
    entries = re.findall(r"entry: (\S+)", text)
    assert [entry.rpartition("/")[2] for entry in entries] == ["ruff", "ruff", "mypy", "lint-imports"]
    assert all(entry.startswith(".venv/bin/") for entry in entries)
