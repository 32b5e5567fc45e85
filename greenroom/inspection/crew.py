"""Many files judged on all cores, by processes that may die or hang without harm to any other file.

The standard pools give up as a whole when one process dies and cannot end one that hangs; and they start
theirs by running the caller's own main module again, which a command must not rely on. Here every process has
a thread that feeds it, and one watch ends whoever is silent for too long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import greenroom
from greenroom.errors import GreenroomError
from greenroom.inspection.worker import READY, ask, read_answer
from greenroom.reasons import Reason
from greenroom.verdict import Verdict

#: Seconds that one file may take. The largest takes half a second; the rest is for slow disks and networks.
TIME_LIMIT: Final = 30.0
#: Seconds that a process may take to start, on a machine that is busy with other things.
_START_LIMIT: Final = 60.0
#: Files that a process is given at a time: enough that it never waits for the next one.
_MOST_AT_A_TIME: Final = 16
_LOOK_EVERY: Final = 0.1

_WORKER: Final = ("-P", "-c", "from greenroom.inspection.worker import main; main()")


class CrewFailed(GreenroomError):
    """No process that judges files could be started."""


def judge_all(
    files: Sequence[Path],
    *,
    processes: int | None = None,
    limit: float = TIME_LIMIT,
    worker: Sequence[str] = _WORKER,
) -> Iterator[Verdict]:
    """The verdict on each file, in the order given, each as soon as it and all before it are known.

    Args:
        files: what to judge.
        processes: how many at once; by default one for each core that this process may use.
        limit: seconds that one file may take; one that takes longer is broken.
        worker: arguments of Python that start a process which answers like
            :mod:`greenroom.inspection.worker`.

    Raises:
        CrewFailed: no process could be started.
    """
    most = processes or _cores()
    crew = _Crew(files, min(most, -(-len(files) // 4)), limit, worker)
    try:
        yield from crew.verdicts()
    finally:
        crew.close()


def _cores() -> int:
    """Cores that this process may use, which containers and `taskset` make fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Process:
    """One process, and until when it must have said something."""

    def __init__(self, worker: Sequence[str], limit: float) -> None:
        self.limit = limit
        self.timed_out = False
        self.deadline = time.monotonic() + _START_LIMIT
        # -P, and our own folder by name: nothing is ever imported from the folder that the command runs in.
        paths = (str(Path(greenroom.__file__).parents[1]), os.environ.get("PYTHONPATH"))
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, *worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            # Out of the terminal's reach: an interrupt is for the command, which ends its processes.
            start_new_session=True,
        )

    def _pipe(self, end: IO[bytes] | None) -> IO[bytes]:
        if end is None:  # never so, since both were asked for
            raise CrewFailed("A process that judges files has no pipe.")
        return end

    def started(self) -> bool:
        """Whether it got as far as to be ready."""
        return self._pipe(self._process.stdout).readline() == READY

    def judge(self, files: Sequence[Path]) -> Iterator[Verdict]:
        """Verdicts on these files; fewer where it died or was ended."""
        asked = self._pipe(self._process.stdin)
        answers = self._pipe(self._process.stdout)
        self.deadline = time.monotonic() + self.limit
        try:
            asked.write(b"".join(map(ask, files)))
            asked.flush()
            for _ in files:
                line = answers.readline()
                if not line.endswith(b"\n"):
                    return
                self.deadline = time.monotonic() + self.limit
                yield read_answer(line)
        except (BrokenPipeError, ValueError):
            return  # it is gone, or says nonsense, which is as bad
        finally:
            self.deadline = float("inf")

    def end(self) -> None:
        """End it, at once."""
        self._process.kill()

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self.end()
        for end in (self._process.stdin, self._process.stdout):
            try:
                self._pipe(end).close()
            except BrokenPipeError:
                continue
        self._process.wait()


class _Crew:
    """Threads that feed processes, and the verdicts that came."""

    def __init__(self, files: Sequence[Path], size: int, limit: float, worker: Sequence[str]) -> None:
        self._files, self._limit, self._worker = files, limit, worker
        self._todo = deque(range(len(files)))
        self._verdicts: dict[int, Verdict] = {}
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._closed = threading.Event()
        self._processes: dict[int, _Process] = {}
        self._size = size
        self._wanted = 0
        self._threads = [
            threading.Thread(target=self._feed, args=(number,), daemon=True) for number in range(size)
        ]
        self._threads.append(threading.Thread(target=self._watch, daemon=True))
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
        self._closed.set()
        with self._changed:
            self._todo.clear()
            for process in self._processes.values():
                process.end()
        for thread in self._threads:
            thread.join()

    def _take(self) -> list[int]:
        """The next files: fewer towards the end, so that all processes end together."""
        with self._changed:
            amount = max(1, min(_MOST_AT_A_TIME, len(self._todo) // (self._size * 2)))
            return [self._todo.popleft() for _ in range(min(amount, len(self._todo)))]

    def _feed(self, number: int) -> None:
        try:
            while files := self._take():
                while files and not self._closed.is_set():
                    files = files[self._judge(number, files) :]
        except BaseException as error:  # noqa: BLE001 - raised again where the verdicts are waited for
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            process = self._processes.pop(number, None)
            if process is not None:
                process.close()

    def _judge(self, number: int, files: list[int]) -> int:
        """Have one process judge files; answers how many of them have a verdict now, at least one."""
        process = self._processes.get(number) or self._start(number)
        done = 0
        for verdict in process.judge([self._files[index] for index in files]):
            self._put(files[done], verdict)
            done += 1
        if done == len(files):
            return done
        with self._changed:
            del self._processes[number]
        process.close()
        if not self._closed.is_set():
            self._put(files[done], self._given_up(self._files[files[done]], process))
        return done + 1

    def _start(self, number: int) -> _Process:
        process = _Process(self._worker, self._limit)
        with self._changed:
            self._processes[number] = process
            if self._closed.is_set():
                process.end()
        if not process.started() and not self._closed.is_set():
            raise CrewFailed("The processes that judge files do not start; what they say stands above.")
        return process

    def _put(self, index: int, verdict: Verdict) -> None:
        with self._changed:
            self._verdicts[index] = verdict
            if index == self._wanted:
                self._changed.notify_all()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_EVERY):
            now = time.monotonic()
            with self._changed:
                for process in self._processes.values():
                    if process.deadline < now and not process.timed_out:
                        process.timed_out = True
                        process.end()

    def _given_up(self, file: Path, process: _Process) -> Verdict:
        detail = "This file is so damaged that reading it ends the program that tries."
        if process.timed_out:
            detail = (
                f"This file was given up after {self._limit:g} seconds; export it again, or open it once."
            )
        try:
            size = file.stat().st_size
        except OSError:
            size = 0
        return Verdict(
            label="a file that could not be read to its end",
            size=size,
            sha256=None,
            category=None,
            mime_type=None,
            reason=Reason.BROKEN,
            detail=detail,
        )
