"""The tasks that this process is working on, and since when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: By thread: the name of its task, and the moment of `time.monotonic` at which it began.
_running: dict[int, tuple[str, float]] = {}


@contextmanager
def noted(name: str) -> Iterator[None]:
    """Note that this thread works on a task for as long as the block runs."""
    thread = threading.get_ident()
    _running[thread] = (name, time.monotonic())
    try:
        yield
    finally:
        _running.pop(thread, None)


def running_count() -> int:
    """How many tasks are being worked on."""
    return len(_running)


def longer_than(seconds: float) -> list[tuple[str, float]]:
    """Tasks that are worked on for longer than this, and the seconds for which each is."""
    now = time.monotonic()
    ages = [(name, now - began_at) for name, began_at in list(_running.values())]
    return [(name, age) for name, age in ages if age > seconds]
