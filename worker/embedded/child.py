"""A process that the supervisor keeps running, and ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Seconds that children have to end by themselves.
STOP_PATIENCE_SECONDS = 8.0
#: A child that dies so soon after its start has a fault that starting it again will not fix.
TOO_SOON = 2.0
TOO_OFTEN = 5
PR_SET_PDEATHSIG = 1


@dataclass(kw_only=True)
class Child:
    """A process that is kept running."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_deaths: int = 0

    def start(self) -> None:
        """Start it in a session of its own, so that its whole family can be ended at once."""
        self.started_at = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                # Not the checkout: a .env file there is another installation's.
                cwd=self.log.parent,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread
            )

    def dead(self) -> bool:
        """Whether it has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def signal_family(self, number: signal.Signals) -> None:
        """Signal it and all that it has started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


def end_process(children: Sequence[Child]) -> None:
    """Ask each to end, not its pool processes, which its own warm shutdown waits for; then insist."""
    for child in children:
        if child.process is not None:
            child.process.terminate()
    deadline = time.monotonic() + STOP_PATIENCE_SECONDS
    for child in children:
        if child.process is not None:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
    for child in children:
        child.signal_family(signal.SIGKILL)
        if child.process is not None:
            child.process.wait()


def _end_with_parent() -> None:
    """On Linux: end with the supervisor, even where that is killed without a chance to clean up."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
