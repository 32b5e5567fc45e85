"""Threads for files that have to be fetched: a server that hangs keeps no task, and no other file, waiting.

A process has some, of which one place, a host or a bucket, has a few. What finds no room comes again later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

logger = logging.getLogger(__name__)

#: Threads of a process, and those of them that one place may have.
FETCH_THREADS = 8
OF_ONE_PLACE = 3
#: Files that a thread is given at a time.
FILES_AT_A_TIME = 8
#: Fetched files that are looked at, or fixed, at the same time.
LOOKED_AT_ONCE = 2
#: Seconds after which a place that has given nothing is not waited for.
GETTING_ON_SECONDS = 2.0


def place_of(source: str) -> str:
    """Tells apart who is asked for a file. Not to be shown: there may be a password in it."""
    return "/".join(source.split("/", 3)[:3]).lower()


class Fetching:
    """The threads of a process that fetch files and look at them.

    Args:
        threads: how many; with none, whoever needs a file fetches it by itself.
    """

    def __init__(self, threads: int = 0) -> None:
        self._looked_at = threading.Semaphore(LOOKED_AT_ONCE)
        self._most = threads
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="fetch") if threads else None
        self._changed = threading.Condition()
        self._busy: Counter[str] = Counter()
        self._got_on_at: dict[str, float] = {}

    @property
    def beside(self) -> bool:
        """Whether there are threads for it."""
        return self._threads is not None

    def begin(self, place: str, work: Callable[[], bool], *, patience: float = 0.0) -> bool:
        """Do some work at a place, if there is room for it; returns whether it was begun.

        Args:
            place: by :func:`place_of`.
            work: what is to be done; returns whether the place gave something.
            patience: seconds to wait for room, at a place that gets on.
        """
        if self._threads is None:
            return False
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._has_room(place), patience if self._has_given(place) else 0.0
            ):
                return False
            self._busy[place] += 1
            # As if it had given something: nobody knows yet.
            self._got_on_at.setdefault(place, time.monotonic())
        # Where no thread can be started now, it waits for one that can; its claims lapse.
        with suppress(RuntimeError):
            self._threads.submit(self._do, place, work)
        return True

    def _has_room(self, place: str) -> bool:
        return self._busy[place] < OF_ONE_PLACE and self._busy.total() < self._most

    @contextmanager
    def looking(self, place: str) -> Iterator[None]:
        """Hold this while a file is looked at that was fetched from a place."""
        self._note(place)
        with self._looked_at:
            yield

    def _note(self, place: str) -> None:
        with self._changed:
            if self._busy[place]:
                self._got_on_at[place] = time.monotonic()

    def gets_on(self, place: str) -> bool:
        """Whether a place gives something, as far as is known: it has lately, or nobody waits for it."""
        return not self._busy.get(place) or self._has_given(place)

    def _has_given(self, place: str) -> bool:
        return time.monotonic() - self._got_on_at.get(place, 0.0) < GETTING_ON_SECONDS

    def _do(self, place: str, work: Callable[[], bool]) -> None:
        got_on = False
        try:
            got_on = work()
        except Exception:
            # Its claims lapse, and it is done again.
            logger.exception("Files that were to be fetched wait for their leases to end.")
        finally:
            if got_on:
                self._note(place)
            with self._changed:
                self._busy[place] -= 1
                if not self._busy[place]:
                    # There may be any number of places.
                    del self._busy[place], self._got_on_at[place]
                self._changed.notify_all()

    def close(self) -> None:
        """Wait until all that was begun is done."""
        if self._threads is not None:
            self._threads.shutdown()
