"""What beat does and how often. Every task of it may run twice at once, late, or not for a day."""

from __future__ import annotations

from typing import Any

from greenroom.settings import Settings
from greenroom.task_names import QUEUES, TICK_SECONDS, TaskName

FORESEE_EVERY = 30.0
REFRESH_EVERY = 60.0
RETIRE_EVERY = 60.0
VERIFY_EVERY = 300.0
PRUNE_EVERY = 3600.0
#: A tick that waited for its interval, and at least for so long, is not run any more.
SHORTEST_EXPIRY = 10.0


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Beat's schedule, intervals in seconds."""
    every = {
        # It asks for a sweep, and for starts and call-backs, where there are any (`tasks.runtime.tick`).
        TaskName.DISPATCH: min(settings.dispatch_every, TICK_SECONDS),
        TaskName.FORESEE: FORESEE_EVERY,
        TaskName.REFRESH: REFRESH_EVERY,
        TaskName.RETIRE: RETIRE_EVERY,
        TaskName.VERIFY: VERIFY_EVERY,
        TaskName.PRUNE: PRUNE_EVERY,
    }
    return {
        str(name): {
            "task": str(name),
            "schedule": seconds,
            "kwargs": {"tick": True} if name is TaskName.DISPATCH else {},
            "options": {
                "queue": str(QUEUES[name]),
                "argsrepr": f"every {seconds:g} s",
                # While no worker runs, ticks would pile up; a tick that is late is of no use.
                "expires": max(seconds, SHORTEST_EXPIRY),
                # Or it would listen for the answer of each.
                "ignore_result": True,
            },
        }
        for name, seconds in every.items()
    }
