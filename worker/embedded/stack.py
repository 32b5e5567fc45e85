"""The embedded stack as its user sees it: one context manager around the supervisor's process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

from greenroom.errors import Misuse
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from worker.embedded.stack_plan import StackPlan
from worker.embedded.supervisor_process import SupervisorProcess


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
    _messages: Queue[dict[str, Any]]

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
def embedded_stack(
    plan: StackPlan,
    supervisor: SupervisorProcess | None = None,
    *,
    meanwhile: Callable[[], None] | None = None,
) -> Iterator[Stack]:
    """Run the plan for as long as the block does; nothing of it is left running afterwards.

    Args:
        plan: what to run.
        supervisor: one that was started before, and has loaded its libraries meanwhile.
        meanwhile: what this process does while the stack starts.

    Raises:
        Misuse: it cannot be started, with the reason.
    """
    with supervisor or SupervisorProcess() as process:
        process.begin(plan)
        if meanwhile is not None:
            meanwhile()
        ready = process.await_ready(plan)
        yield Stack(
            settings=load_settings(ready["environment"], dotenv=None),
            sandbox=ready.get("sandbox"),
            flower=ready.get("flower"),
            _messages=process.messages,
        )
