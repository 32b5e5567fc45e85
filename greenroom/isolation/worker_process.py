"""One process that looks at files, as its owner sees it: orders in, answers out, and what became of it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum
from typing import IO, Final

from greenroom.child_environment import child_environment
from greenroom.errors import TransientError
from greenroom.isolation.protocol import READY, FixOrder, InspectOrder, write_orders
from greenroom.isolation.resource_limits import ResourceLimits
from greenroom.isolation.shared_memory import Shared

#: Arguments of Python that start one.
COMMAND: Final = ("-P", "-c", "from greenroom.isolation.pool_worker import main; main()")
#: Seconds that it may take to start, on a machine that is busy with other things.
_START_SECONDS: Final = 60.0
#: Seconds more than its own bound, after which a process that did not end itself is ended.
_GRACE_SECONDS: Final = 5.0
#: Seconds between two looks at the answers while more are to come at once: to be woken by each would cost a
#: tenth of what looking at a small file takes (``python -m benchmarks.check_folder``).
_LOOK_EVERY: Final = 0.01
_CHUNK: Final = 64 * 1024


class ProcessesFailed(TransientError):
    """No process that looks at files could be started."""


class ProcessEnd(Enum):
    """What became of a process that gave no answer."""

    DIED = "died"
    OVERTIME = "overtime"  # it computed for too long
    STALLED = "stalled"  # it took too long without that


_FATES: Final = {-signal.SIGPROF: ProcessEnd.OVERTIME, -signal.SIGALRM: ProcessEnd.STALLED}


class WorkerProcess:
    """A child process; one thread at a time may use it.

    Args:
        bounds: what each file may cost.
        command: arguments of Python that start it.
    """

    def __init__(self, bounds: ResourceLimits, command: Sequence[str] = COMMAND) -> None:
        self._bounds = bounds
        self._silent = self._gone = False
        self._said = bytearray()
        self._asked = self._told = self._owed = 0
        self._waited = 0.0
        bell, ring = os.pipe()
        self._bell, self._bell_pipe = bell, os.fdopen(bell, "rb", buffering=0)
        with os.fdopen(ring, "wb", buffering=0), tempfile.TemporaryFile() as shared:
            self._shared = Shared(shared.fileno())
            self._process = self._started(command, shared.fileno(), ring)
        self._orders, self._answers = _pipe(self._process.stdin), _pipe(self._process.stdout)
        os.set_blocking(self._orders, False)
        os.set_blocking(self._answers, False)

    def _started(self, command: Sequence[str], shared: int, ring: int) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, *command, self._bounds.to_json(), str(shared), str(ring)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=child_environment(),
                bufsize=0,
                pass_fds=(shared, ring),
                # Out of the terminal's reach: an interrupt is for the command, which ends its processes.
                start_new_session=True,
            )
        except OSError as error:
            self._bell_pipe.close()
            raise ProcessesFailed(f"No process that looks at files can be started: {error}.") from error

    def await_start(self) -> None:
        """Wait until it is ready.

        Raises:
            ProcessesFailed: it ended, or says something else.
        """
        if next(self._lines(b"", 1, _START_SECONDS), None) != READY:
            raise ProcessesFailed("The processes that look at files do not start; see above what they say.")

    @property
    def of_use(self) -> bool:
        """Whether it should be given more."""
        return self._process.poll() is None and not self._shared.spent

    @property
    def in_step(self) -> bool:
        """Whether it has answered all that it was asked: what it says next is about what is asked next."""
        return self._told == self._owed

    def answers(self, orders: Sequence[InspectOrder]) -> Iterator[bytes]:
        """A line for each order; fewer where it died or was ended."""
        bounds = self._bounds
        patience = max(bounds.fixing if isinstance(one, FixOrder) else bounds.patience for one in orders)
        self._asked, self._told, self._owed = self._shared.begun, 0, len(orders)
        for line in self._lines(write_orders(orders), len(orders), patience + _GRACE_SECONDS):
            self._told += 1
            yield line

    @property
    def at(self) -> int:
        """Which of the orders it was at last, counted from 0; the first without an answer at least."""
        return max(self._shared.begun - self._asked - 1, self._told)

    def _lines(self, asked: bytes, count: int, patience: float) -> Iterator[bytes]:
        """Give it what is asked, and take so many lines, as both can be done."""
        for heard in self._heard(memoryview(asked), patience):
            self._said += heard
            while count and (end := self._said.find(b"\n")) >= 0:
                line = bytes(self._said[: end + 1])
                del self._said[: end + 1]
                count -= 1
                yield line
            if not count:
                return

    def _heard(self, unasked: memoryview, patience: float) -> Iterator[bytes]:
        """What it says, until it is gone or was silent for so many seconds.

        While answers come one after the other, they are taken together: every now and then, and when the bell
        says that there are no more for now. After a while without any, the next one is taken as it comes.
        """
        events = select.poll()
        events.register(self._bell, select.POLLIN)
        if unasked:
            events.register(self._orders, select.POLLOUT)
        heard_at, together = time.monotonic(), True
        while True:
            left = max(0.0, heard_at + patience - time.monotonic())
            wait = min(left, _LOOK_EVERY) if together else left
            ready = [handle for handle, _ in events.poll(wait * 1000)]
            if self._orders in ready:
                unasked = self._ask(unasked)
                if not unasked:
                    events.unregister(self._orders)
                continue
            rung = self._bell not in ready or os.read(self._bell, _CHUNK)
            heard = _read(self._answers)
            if heard:
                yield heard
                # Whoever took it may have had other things to do meanwhile.
                heard_at = time.monotonic()
            elif not rung or heard is not None:
                self._gone, self._waited = True, time.monotonic() - heard_at
                return
            elif not ready and not together:
                self._silent = True
                self.end()
                return
            if heard and not together:
                events.unregister(self._answers)
            elif together and not heard:
                events.register(self._answers, select.POLLIN)
            together = bool(heard)

    def _ask(self, asked: memoryview) -> memoryview:
        """Write what the pipe takes; returns the rest, none of one that nobody reads any more."""
        try:
            return asked[os.write(self._orders, asked) :]
        except BrokenPipeError:
            return asked[:0]

    def end(self) -> None:
        """End it, at once; any thread may."""
        self._process.kill()

    def close(self) -> ProcessEnd:
        """See that it is gone, and how it went."""
        if self._gone:
            # It closed its end, so it is about to be gone: how it went by itself tells more than our blow.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
        self.end()
        ended = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._bell_pipe):
            if pipe is not None:
                pipe.close()
        if self._silent:
            return ProcessEnd.STALLED
        fate = _FATES.get(ended, ProcessEnd.DIED)
        if fate is ProcessEnd.STALLED and self._waited < self._bounds.patience / 2:
            return (
                ProcessEnd.DIED
            )  # nobody had needed it for long, and its time ended as it was asked for more
        return fate


def _pipe(end: IO[bytes] | None) -> int:
    if end is None:  # never so, since both were asked for
        raise ProcessesFailed("A process that looks at files has no pipe.")
    return end.fileno()


def _read(pipe: int) -> bytes | None:
    """What there is; nothing at its end, and None where nothing has come."""
    try:
        return os.read(pipe, _CHUNK)
    except BlockingIOError:
        return None
