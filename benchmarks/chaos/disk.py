"""A disk that is so small that it can be filled: memory mounted at a folder, which takes root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PIECE = bytes(1 << 16)


class NoDisk(Exception):
    """None can be made here; the text says why."""


@dataclass(frozen=True, kw_only=True)
class SmallDisk:
    """One that is mounted."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while file.write(_PIECE):
                os.sched_yield()
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while file.write(b"\0"):
                os.sched_yield()

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """A disk of so many bytes over a folder, for as long as the block runs.

    Raises:
        NoDisk: this system does not let us.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NoDisk("not tried: a small disk can be mounted by root on Linux alone")
    folder.mkdir(exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(folder)]
    result = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NoDisk(f"not tried: no disk can be mounted here ({result.stderr.strip()})")
    try:
        yield SmallDisk(folder=folder)
    finally:
        # Whoever still has a file open there keeps it, out of everybody else's sight.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - the system's own
