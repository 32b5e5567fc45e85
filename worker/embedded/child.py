"""A process that the supervisor keeps running, and ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

#: Seconds that children have to end by themselves.
STOP_PATIENCE_SECONDS = 8.0
#: A child that dies so soon after its start has a fault that starting it again will not fix.
TOO_SOON = 2.0
TOO_OFTEN = 5
PR_SET_PDEATHSIG = 1
#: Whoever is forked shares what the supervisor has loaded. The system's libraries of macOS do not bear that.
_CONTEXT = (
    multiprocessing.get_context("fork") if sys.platform == "linux" else multiprocessing.get_context("spawn")
)
#: Beyond standard input, output and errors.
FIRST_OTHER_FILE = 3


@dataclass(kw_only=True)
class Child:
    """A process that is kept running.

    Attributes:
        run: what it does, a function of a module.
        arguments: of that; a socket among them stays open.
    """

    name: str
    run: Callable[..., None]
    arguments: tuple[Any, ...]
    log: Path
    process: BaseProcess | None = None
    started_at: float = 0.0
    quick_deaths: int = 0

    def start(self) -> None:
        """Start it in a session of its own, so that its whole family can be ended at once."""
        self.started_at = time.monotonic()
        arguments = (os.getpid(), self.log, self.run, self.arguments)
        self.process = _CONTEXT.Process(target=_begin, args=arguments, name=self.name)
        self.process.start()

    @property
    def pid(self) -> int | None:
        """Its process ID, once it was started."""
        return None if self.process is None else self.process.pid

    def ask_to_end(self) -> None:
        """Ask it alone, not what it has started."""
        if self.process is not None:
            self.process.terminate()

    def dead(self) -> bool:
        """Whether it has ended by itself."""
        return self.process is not None and not self.process.is_alive()

    def signal_family(self, number: signal.Signals) -> None:
        """Signal it and all that it has started."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def end_process(children: Sequence[Child]) -> None:
    """Ask each to end, not its pool processes, which its own warm shutdown waits for; then insist."""
    for child in children:
        child.ask_to_end()
    deadline = time.monotonic() + STOP_PATIENCE_SECONDS
    for child in children:
        if child.process is not None:
            child.process.join(max(0.0, deadline - time.monotonic()))
    for child in children:
        child.signal_family(signal.SIGKILL)
        if child.process is not None:
            child.process.kill()
            child.process.join()


@contextmanager
def endings(pids: Sequence[int]) -> Iterator[list[int]]:
    """What can be read once one of these processes has ended; nothing, where there is no such thing."""
    with ExitStack() as stack:
        files = []
        if sys.platform == "linux":
            for pid in pids:
                # One that was waited for is found by whoever looks next; so are all where the kernel is older
                # than 5.3, a sandbox forbids the call, or too many files are open.
                with suppress(OSError):
                    files.append(os.pidfd_open(pid))
                    stack.callback(os.close, files[-1])
        yield files


def _begin(supervisor: int, log: Path, run: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Become a process that has nothing of the supervisor's but what it has loaded."""
    os.setsid()
    if sys.platform == "linux":
        # End with the supervisor, even where that is killed without a chance to clean up.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            return
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    # The lock of the folder among them, which a child that outlives the supervisor must not keep.
    kept = sorted(given.fileno() for given in arguments if isinstance(given, socket.socket))
    for begin, end in pairwise([FIRST_OTHER_FILE - 1, *kept, os.sysconf("SC_OPEN_MAX")]):
        os.closerange(begin + 1, end)
    run(*arguments)
