"""The script that one writes first: a pool of threads with a session each, and a token bucket.

It keeps nothing: what it has not sent when it ends is not known, nor which ID belongs to which file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from benchmarks.peers.contender import LIMIT_PER_SECOND, Contender, Stage, Work
from benchmarks.peers.sending import kept_session, send

#: More threads in one process cost more and bring nothing: they wait for one another's interpreter lock.
THREADS = 8
TUNING = f"{THREADS} threads, a session each; a token bucket of burst 1 for each number"


class TokenBucket:
    """One token at a time: with a burst of more, the first second would have too many."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleep until it is this thread's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        time.sleep(max(0.0, turn - now))


class ThreadPool:
    """Threads that take files."""

    def __init__(self, stage: Stage, pool: ThreadPoolExecutor) -> None:
        self._stage = stage
        self._pool = pool

    def processes(self) -> Sequence[int]:
        """It is one process."""
        return ()

    def add_numbers(self, keys: Sequence[str]) -> None:
        """It needs to know none."""

    def upload(self, work: Work) -> None:
        """Queue all."""
        buckets = {key: TokenBucket(LIMIT_PER_SECOND) for key in work.keys} if work.paced else {}
        for path, key in work.uploads(self._stage):
            self._pool.submit(self._one, path, key, buckets.get(key))

    def _one(self, path: str, key: str, bucket: TokenBucket | None) -> None:
        while True:
            if bucket is not None:
                bucket.wait()
            if send(kept_session(), self._stage.endpoint, path, key) != HTTPStatus.TOO_MANY_REQUESTS:
                return
            time.sleep(1)

    def more(self, what: str, **options: Any) -> dict[str, float]:
        """Nothing else."""
        raise NotImplementedError(what, options)


@contextmanager
def thread_pool(stage: Stage) -> Iterator[Contender]:
    """A pool of threads, whose files still queued are dropped with it."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        yield ThreadPool(stage, pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
