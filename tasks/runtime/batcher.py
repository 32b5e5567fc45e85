"""Do what many threads ask for in one go: while one works, the next collects all that has come meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from greenroom.errors import TransientError
from greenroom.log_fields import logged_about

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


#: Entries of one batch from which on the next one is waited for longer.
MANY = 2


class Batcher(Generic[Entry, Answer]):
    """Hands entries to a function, as many at a time as have come, and each answer to whoever asked."""

    def __init__(
        self,
        *,
        gather: float = 0.0,
        gather_many: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nothing is done yet.

        Args:
            gather: seconds that whoever comes first waits for others to come, too.
            gather_many: the same while many come: when the last batch had :data:`MANY` entries.
            sleep: sleeps for a number of seconds.
        """
        self._gather = gather
        self._gather_many = gather if gather_many is None else gather_many
        self._last = 0
        self._sleep = sleep
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._entries: list[tuple[Entry, Future[Answer]]] = []

    def submit(self, entry: Entry, work: Callable[[Sequence[Entry]], Sequence[Answer]]) -> Answer:
        """Returns what came of this entry.

        Args:
            entry: what is to be done.
            work: does many at once, and answers one thing for each. Where it raises anything but a failure
                of the moment, which is everybody's, each entry is tried by itself: none fails for another's
                sake.
        """
        mine: Future[Answer] = Future()
        with self._lock:
            self._entries.append((entry, mine))
        with self._working:
            # Unless whoever worked before has done it.
            if not mine.done():
                if pause := self._gather_many if self._last >= MANY else self._gather:
                    self._sleep(pause)
                with self._lock:
                    entries, self._entries = self._entries, []
                self._last = len(entries)
                # Of many tasks and channels: a line of it is about none of this thread's own.
                with logged_about(task_id=None, attempt=None, channel=None):
                    _do(entries, work)
        return mine.result()


def _do(
    entries: Sequence[tuple[Entry, Future[Answer]]], work: Callable[[Sequence[Entry]], Sequence[Answer]]
) -> None:
    try:
        answers = work([entry for entry, _ in entries])
    except Exception as error:  # noqa: BLE001 - whoever asked gets it
        if len(entries) == 1 or isinstance(error, TransientError):
            for _, future in entries:
                future.set_exception(error)
            return
        for one in entries:
            _do([one], work)
    else:
        for (_, future), answer in zip(entries, answers, strict=True):
            future.set_result(answer)
