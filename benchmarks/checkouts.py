"""Earlier revisions of this repository, each in a folder of its own for as long as it is measured."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.contender import CHECKOUT


def git(*words: str) -> str:
    """What git says in this checkout."""
    done = subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=True)  # noqa: S607 - as people have it
    return done.stdout.strip()


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """The revision in this folder, which is gone afterwards."""
    git("worktree", "add", "--detach", str(folder), revision)
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


def environment_of(folder: Path) -> dict[str, str]:
    """This process's environment, in which Python finds a checkout's packages before any other's."""
    return {**os.environ, "PYTHONPATH": str(folder)}
