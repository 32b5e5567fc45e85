"""Processes that look at files, kept from file to file; one that a file ends takes no other file with it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from greenroom.errors import CannotFix, SourceUnavailable
from greenroom.fixed_file import FixedFile
from greenroom.isolation.protocol import (
    FixOrder,
    FixResult,
    InspectOrder,
    ThumbnailOrder,
    read_fix_result,
    read_thumbnail,
    read_verdict,
)
from greenroom.isolation.resource_limits import ResourceLimits
from greenroom.isolation.worker_process import COMMAND, ProcessEnd, ProcessesFailed, WorkerProcess
from greenroom.reasons import Reason
from greenroom.verdict import Verdict

#: Orders that a process is given at a time: enough that it seldom waits for the next ones.
MOST_AT_A_TIME: Final = 64


@dataclass(frozen=True, kw_only=True)
class Stalled:
    """A file that took too long without computing: perhaps its disk is away, or the machine was asleep.

    Attributes:
        seconds: that it was given.
    """

    seconds: float

    @property
    def sentence(self) -> str:
        """For a person."""
        return f"This file could not be read within {self.seconds:g} seconds."


class ProcessPool:
    """As many processes as are used at once, the first of them started when it is needed.

    Threads may share it; a process that forks must not share one that was used before.

    Args:
        bounds: what each file may cost.
        command: arguments of Python that start a process which answers like
            :mod:`greenroom.isolation.pool_worker`.
    """

    def __init__(self, bounds: ResourceLimits | None = None, command: Sequence[str] = COMMAND) -> None:
        self.bounds = bounds or ResourceLimits()
        self._command = command
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._early: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._closed = False

    def start_ahead(self) -> None:
        """Start a process for whoever comes first, and do not wait until it is ready.

        Raises:
            ProcessesFailed: it cannot be started.
        """
        process = WorkerProcess(self.bounds, self._command)
        with self._lock:
            self._early.append(process)

    def inspect(self, orders: Sequence[InspectOrder]) -> Iterator[Verdict | Stalled]:
        """The verdict on each file, in the order given, each as soon as it is known.

        A process may be ended by something else than its file, such as a machine that is short of memory. So
        a file whose process died is looked at once more; the second time it is broken.

        Raises:
            ProcessesFailed: no process can be started.
        """
        at = 0
        suspects: set[int] = set()
        given_up: dict[int, Verdict | Stalled] = {}
        while at < len(orders):
            if at in given_up:
                yield given_up[at]
                at += 1
                continue
            begin, end = (
                at,
                min(at + MOST_AT_A_TIME, len(orders), *_behind(at, suspects), *_behind(at, given_up)),
            )
            if at in suspects:
                end = at + 1
            with self._borrowed() as process:
                for line in process.answers(orders[begin:end]):
                    try:
                        verdict = read_verdict(line)
                    except ValueError:
                        break  # it says nonsense, which is as bad as dying
                    yield verdict
                    at += 1
                if at == end:
                    continue
                guilty = begin + process.at
                fate = process.close()
            if fate is ProcessEnd.DIED and guilty not in suspects:
                suspects.add(guilty)
            else:
                given_up[guilty] = self._given_up(orders[guilty], fate)

    def inspect_once(self, order: InspectOrder) -> Verdict:
        """The verdict on one file.

        Raises:
            ProcessesFailed: no process can be started.
            SourceUnavailable: it takes too long.
        """
        (found,) = self.inspect([order])
        if isinstance(found, Stalled):
            raise SourceUnavailable(found.sentence)
        return found

    def fix(self, order: FixOrder) -> FixedFile | None:
        """Fix one file; None where nothing needs to be done.

        Raises:
            CannotFix: the text says why.
            ProcessesFailed: no process can be started.
            SourceChanged: the file is not the one that the verdict is about.
            OSError: the folder cannot be written to.
        """
        found = self._fix_once(order)
        if found is ProcessEnd.DIED:
            found = self._fix_once(order)
        if isinstance(found, ProcessEnd):
            raise CannotFix(self._not_fixed(found))
        return found.file()

    def _fix_once(self, order: FixOrder) -> FixResult | ProcessEnd:
        with self._borrowed() as process:
            for line in process.answers([order]):
                with suppress(ValueError):
                    return read_fix_result(line)
            return process.close()

    def thumbnail(self, order: ThumbnailOrder) -> bytes:
        """A small picture of one file in WebP; nothing, where none can be made.

        Raises:
            ProcessesFailed: no process can be started.
        """
        with self._borrowed() as process:
            for line in process.answers([order]):
                with suppress(ValueError):
                    return read_thumbnail(line)
            process.close()
        return b""

    def close(self) -> None:
        """End all processes; whoever waits for one gets no more answers."""
        with self._lock:
            self._closed = True
            for process in self._busy:
                process.end()
            idle, self._idle, self._early = [*self._idle, *self._early], [], []
        for process in idle:
            process.close()

    @contextmanager
    def _borrowed(self) -> Iterator[WorkerProcess]:
        """A process for one caller; kept for the next one where it has answered all and lives.

        Callers may take the last answer and never come back: it is kept all the same.
        """
        process = self._take()
        try:
            yield process
        finally:
            with self._lock:
                self._busy.discard(process)
                kept = process.in_step and process.of_use and not self._closed
                if kept:
                    self._idle.append(process)
            if not kept:
                process.close()

    def _take(self) -> WorkerProcess:
        while True:
            with self._lock:
                if self._closed:
                    raise ProcessesFailed("The processes that look at files were ended.")
                process = self._idle.pop() if self._idle else None
                if process is not None and process.of_use:
                    self._busy.add(process)
                    return process
            if process is None:
                return self._start()
            process.close()  # it ended while nobody needed it

    def _start(self) -> WorkerProcess:
        with self._lock:
            process = self._early.pop() if self._early else None
        if process is not None and not process.of_use:
            process.close()
            process = None
        process = process or WorkerProcess(self.bounds, self._command)
        with self._lock:
            self._busy.add(process)
            if self._closed:
                process.end()
        try:
            process.await_start()
        except BaseException:
            with self._lock:
                self._busy.discard(process)
            process.close()
            raise
        return process

    def _given_up(self, order: InspectOrder, fate: ProcessEnd) -> Verdict | Stalled:
        if fate is ProcessEnd.STALLED:
            return Stalled(seconds=self.bounds.patience)
        detail = "This file is so damaged that reading it ends the program that tries."
        if fate is ProcessEnd.OVERTIME:
            detail = (
                f"This file was given up after {self.bounds.processor:g} seconds of reading it; "
                "export it again, or open it once."
            )
        return broken(order.path, detail)

    def _not_fixed(self, fate: ProcessEnd) -> str:
        if fate is ProcessEnd.DIED:
            return "This file ends the program that tries to fix it. Export it again."
        return (
            f"Fixing this file takes more than {self.bounds.fixing / 60:.0f} minutes. "
            "Convert it with a video editor, or shorten it."
        )


def _behind(at: int, indices: Iterable[int]) -> Iterator[int]:
    return (index for index in indices if index > at)


def broken(file: Path, detail: str) -> Verdict:
    """The verdict on a file that nobody could read to its end."""
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
