"""What a contender's processes cost, all of them together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Self

import psutil

#: Looking costs some milliseconds of a core.
LOOK_EVERY = 1.0
MB = 1e6


class Family:
    """Some processes and all that they have started, at any moment.

    Args:
        roots: process IDs.
    """

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in roots]

    def members(self) -> Iterator[psutil.Process]:
        """Each once."""
        seen: set[int] = set()
        for root in self._roots:
            for process in [root, *root.children(recursive=True)]:
                if process.pid not in seen:
                    seen.add(process.pid)
                    yield process

    def cpu(self) -> float:
        """Seconds that they have computed so far, with those that have ended and were waited for."""
        total = 0.0
        for process in self.members():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def memory(self) -> tuple[float, float]:
        """MB that they hold together, shared pages counted once; and MB that the largest of them shows."""
        shares, largest = 0.0, 0.0
        for process in self.members():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                held = process.memory_full_info()
                # Where the system does not share out (pss), shared pages are counted in each process.
                shares += getattr(held, "pss", held.rss) / MB
                largest = max(largest, held.rss / MB)
        return shares, largest


class MemoryWatch:
    """The most memory that a family holds while the block runs, in MB."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.total = 0.0
        self.largest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            with suppress(psutil.NoSuchProcess):
                total, largest = self._family.memory()
                self.total, self.largest = max(self.total, total), max(self.largest, largest)
            if self._stop.wait(LOOK_EVERY):
                return
