"""A thread beside a block of work; where none can be had, the work is done without it."""

from __future__ import annotations

import _thread
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context

logger = logging.getLogger(__name__)

#: Seconds that what is at work when the block is over may take to end.
END_SECONDS = 10.0


@contextmanager
def beside(work: Callable[[threading.Event], None], *, without: str) -> Iterator[None]:
    """Run this in a thread for as long as the block runs.

    Args:
        work: returns soon after what it is given is set, which says that the block is over.
        without: what is so where there is no thread, for the log.
    """
    done = threading.Event()
    begun, over = _started(lambda: work(done), without)
    try:
        yield
    finally:
        done.set()
        # One that begins after this ends at once; one that found no memory never begins.
        if begun.is_set():
            over.wait(END_SECONDS)


def _started(work: Callable[[], None], without: str) -> tuple[threading.Event, threading.Event]:
    """Run this in a thread; returns what is set when it has begun, and what is set when it is over.

    `threading` would wait until the thread says that it runs, and one that finds no memory never says so: the
    task would hang, and with it its process.
    """
    begun, over = threading.Event(), threading.Event()
    # Its lines of the log are about the same task.
    context = copy_context()

    def run() -> None:
        begun.set()
        try:
            context.run(work)
        finally:
            over.set()

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError as error:
        # The work itself need not wait for that.
        logger.warning("%s: %s", without, error)
    return begun, over
