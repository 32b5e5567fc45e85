"""The supervisor as whoever starts it sees it: a pipe that keeps it alive, and lines that it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import IO, Any, Self

from greenroom.errors import Misuse
from worker.checkout import CHECKOUT
from worker.embedded.stack_plan import SERVICE_START_SECONDS, StackPlan, plan_line

#: Seconds that the supervisor has to end everything.
STOP_PATIENCE = 20.0
#: To the GNU C library, which reads it when a process begins: what a thread gives back is of use to
#: all others at once. By itself it keeps some of it for that thread, up to 236 KB, and an uploading process,
#: which has a hundred threads, grows for hours.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


class SupervisorProcess:
    """A supervisor, which loads its libraries from the beginning, and runs a plan once it is given one.

    It ends with the block; all that it has started, too.
    """

    def __init__(self) -> None:
        self.messages: Queue[dict[str, Any]] = Queue()
        self._has_plan = False
        read_end, self._write_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.embedded"],
            cwd=CHECKOUT,
            env=_environment(),
            stdin=read_end,
            stdout=subprocess.PIPE,
            # Out of the terminal's reach: an interrupt is for us, and the pipe tells the supervisor.
            start_new_session=True,
        )
        os.close(read_end)

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self.end()

    def begin(self, plan: StackPlan) -> None:
        """Have it start everything."""
        self._has_plan = True
        os.write(self._write_end, plan_line(plan))
        if self._process.stdout is None:
            raise AssertionError("its output was asked for")
        threading.Thread(target=_listen, args=(self._process.stdout, self.messages), daemon=True).start()

    def await_ready(self, plan: StackPlan) -> dict[str, Any]:
        """What it says of its start, once everything runs.

        Raises:
            Misuse: it cannot, with the reason.
        """
        logs = Path(plan.state_dir) / "logs"
        try:
            first = self.messages.get(timeout=2 * SERVICE_START_SECONDS)
        except Empty:
            raise Misuse(f"The embedded stack did not start; see {logs}.") from None
        if "ready" not in first:
            raise Misuse(first.get("error") or f"The embedded stack ended; see {logs}.")
        ready: dict[str, Any] = first["ready"]
        return ready

    def end(self) -> None:
        """Have it end everything; an impatient second interrupt does not keep it from cleaning up."""
        if self._write_end < 0:
            return
        # The supervisor lives as long as this pipe.
        os.close(self._write_end)
        self._write_end = -1
        if not self._has_plan:
            # It has started nothing, and need not load the rest.
            self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()
        try:
            self._process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait(STOP_PATIENCE)


def _listen(output: IO[bytes], messages: Queue[dict[str, Any]]) -> None:
    with output:
        for line in output:
            messages.put(json.loads(line))
    messages.put({})


def _environment() -> dict[str, str]:
    """That of the stack: ours without any of Greenroom's settings, which it is told with its plan."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    return {**ALLOCATOR, **rest, "PYTHONPATH": str(CHECKOUT)}
