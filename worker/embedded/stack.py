"""The embedded stack as its user sees it: one context manager around the supervisor's process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from greenroom.errors import Misuse
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from worker.checkout import CHECKOUT
from worker.embedded.stack_plan import StackPlan, plan_line
from worker.embedded.supervisor import SERVICE_START_SECONDS

#: Seconds that the supervisor has to end everything.
STOP_PATIENCE = 20.0


@dataclass(kw_only=True)
class Stack:
    """A running embedded stack.

    Attributes:
        settings: what its workers run with; the same code path as in production.
        sandbox: the sandbox's address, or None.
        flower: Flower's address, or None.
    """

    settings: Settings
    sandbox: str | None
    flower: str | None
    _messages: Queue[dict[str, Any]] = field(default_factory=Queue)

    def news(self) -> list[str]:
        """Which parts died and were started again since the last call.

        Raises:
            Misuse: the stack has ended, with the reason.
        """
        restarted: list[str] = []
        while True:
            try:
                message = self._messages.get_nowait()
            except Empty:
                return restarted
            if "restarted" in message:
                restarted.append(str(message["restarted"]))
            else:
                raise Misuse(message.get("error") or "The embedded stack has ended; see its logs.")


@contextmanager
def embedded_stack(plan: StackPlan) -> Iterator[Stack]:
    """Run the plan for as long as the block does; nothing of it is left running afterwards.

    Raises:
        Misuse: it cannot be started, with the reason.
    """
    read_end, write_end = os.pipe()
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "worker.embedded.supervisor"],
        cwd=CHECKOUT,
        stdin=read_end,
        stdout=subprocess.PIPE,
        # Out of the terminal's reach: an interrupt is for us, and the pipe tells the supervisor.
        start_new_session=True,
    )
    os.close(read_end)
    try:
        os.write(write_end, plan_line(plan))
        if supervisor.stdout is None:
            raise AssertionError("its output was asked for")
        messages: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=_listen, args=(supervisor.stdout, messages), daemon=True).start()
        yield _ready(messages, plan)
    finally:
        # The supervisor lives as long as this pipe.
        os.close(write_end)
        _await_end(supervisor)


def _listen(output: IO[bytes], messages: Queue[dict[str, Any]]) -> None:
    with output:
        for line in output:
            messages.put(json.loads(line))
    messages.put({})


def _ready(messages: Queue[dict[str, Any]], plan: StackPlan) -> Stack:
    try:
        first = messages.get(timeout=2 * SERVICE_START_SECONDS)
    except Empty:
        raise Misuse(f"The embedded stack did not start; see {Path(plan.state_dir) / 'logs'}.") from None
    if "ready" not in first:
        raise Misuse(first.get("error") or f"The embedded stack ended; see {Path(plan.state_dir) / 'logs'}.")
    ready = first["ready"]
    return Stack(
        settings=load_settings(ready["environment"], dotenv=None),
        sandbox=ready.get("sandbox"),
        flower=ready.get("flower"),
        _messages=messages,
    )


def _await_end(supervisor: subprocess.Popen[bytes]) -> None:
    """Wait for the supervisor; an impatient second interrupt does not keep it from cleaning up."""
    try:
        supervisor.wait(STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        supervisor.terminate()
        supervisor.wait(STOP_PATIENCE)
