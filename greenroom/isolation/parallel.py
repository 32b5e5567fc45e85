"""Many files looked at on all cores: as many processes as cores, and a thread that feeds each of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from greenroom.isolation.process_pool import MOST_AT_A_TIME, ProcessPool, Stalled, broken
from greenroom.isolation.protocol import InspectOrder
from greenroom.isolation.resource_limits import ResourceLimits, cores
from greenroom.isolation.worker_process import COMMAND
from greenroom.verdict import Verdict

#: Seconds that one file may take where somebody waits for it. The largest takes half a second; the rest is
#: for slow disks and networks.
TIME_LIMIT: Final = 30.0


def judge_all(
    files: Sequence[Path],
    *,
    processes: int | None = None,
    limit: float = TIME_LIMIT,
    worker: Sequence[str] = COMMAND,
) -> Iterator[Verdict]:
    """The verdict on each file, in the order given, each as soon as it and all before it are known.

    Args:
        files: what to judge.
        processes: how many at once; by default one for each core that this process may use.
        limit: seconds that one file may take; one that takes longer is broken.
        worker: arguments of Python that start a process which answers like
            :mod:`greenroom.isolation.pool_worker`.

    Raises:
        ProcessesFailed: no process could be started.
    """
    most = processes or cores()
    run = _ParallelRun(files, min(most, -(-len(files) // 4)), limit, worker)
    try:
        yield from run.verdicts()
    finally:
        run.close()


class _ParallelRun:
    """Threads that feed processes, and the verdicts that came."""

    def __init__(self, files: Sequence[Path], size: int, limit: float, worker: Sequence[str]) -> None:
        self._files, self._size, self._limit = files, size, limit
        self._pool = ProcessPool(ResourceLimits(processor=limit, patience=limit), worker)
        self._todo = deque(range(len(files)))
        self._verdicts: dict[int, Verdict] = {}
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._wanted = 0
        self._threads = [threading.Thread(target=self._feed, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def verdicts(self) -> Iterator[Verdict]:
        """One verdict a file, in order."""
        for index in range(len(self._files)):
            yield self._wait_for(index)

    def _wait_for(self, index: int) -> Verdict:
        with self._changed:
            self._wanted = index
            while index not in self._verdicts:
                if self._failure is not None:
                    raise self._failure
                self._changed.wait()
            return self._verdicts.pop(index)

    def close(self) -> None:
        """End all processes and threads."""
        with self._changed:
            self._todo.clear()
        self._pool.close()
        for thread in self._threads:
            thread.join()

    def _take(self) -> list[int]:
        """The next files: fewer towards the end, so that all processes end together."""
        with self._changed:
            amount = max(1, min(MOST_AT_A_TIME, len(self._todo) // (self._size * 2)))
            return [self._todo.popleft() for _ in range(min(amount, len(self._todo)))]

    def _feed(self) -> None:
        try:
            while numbers := self._take():
                orders = [InspectOrder(path=self._files[number]) for number in numbers]
                for number, found in zip(numbers, self._pool.inspect(orders), strict=True):
                    self._put(number, found)
        except BaseException as error:  # noqa: BLE001 - raised again where the verdicts are waited for
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _put(self, index: int, found: Verdict | Stalled) -> None:
        if isinstance(found, Stalled):
            detail = (
                f"This file was given up after {self._limit:g} seconds; export it again, or open it once."
            )
            found = broken(self._files[index], detail)
        with self._changed:
            self._verdicts[index] = found
            if index == self._wanted:
                self._changed.notify_all()
