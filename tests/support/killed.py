"""A worker's task in a process of its own, which is killed at a point: ``python -m tests.support.killed``.

Arguments: a task's name, the moment it is, and the point at which the process ends itself by SIGKILL, if any.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import worker  # makes the Celery app that tasks of others are sent by
from greenroom.clock import ManualClock
from greenroom.settings_loader import load_settings
from tasks import deliver as of_deliver
from tasks import foresee as of_foresee
from tasks import note_ready as of_note_ready
from tasks.runtime import risk_callbacks
from tasks.runtime.context import make_context

TASKS = {"deliver": of_deliver, "note_ready": of_note_ready, "foresee": of_foresee}
#: Where a task's functions are that are not in its own module.
ELSEWHERE = {"put_in_outbox of foresee": (risk_callbacks, "put_in_outbox")}
#: Which function of a task's module is the last one that is run, and whether it is run at all.
POINTS = {
    "before it is sent": ("deliver", "_send", False),
    "after it was sent": ("deliver", "_send", True),
    "before that is committed": ("deliver", "record_delivery", True),
    "after that is committed": ("deliver", "_write", True),
    "before what is to be told is committed": ("note_ready", "put_in_outbox", True),
    "after what is to be told is committed": ("note_ready", "announce_delivery", False),
    "before a risk is committed": ("foresee", "put_in_outbox of foresee", True),
    "after a risk is committed": ("foresee", "Foreseen", False),
}


def _killing(function: Callable[..., Any], *, run: bool) -> Callable[..., None]:
    def killed(*args: Any, **named: Any) -> None:
        if run:
            function(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    return killed


def main(name: str, moment: str, point: str = "") -> None:
    """Run the task, as far as it comes."""
    module = TASKS[name]
    if point:
        _, function, run = POINTS[point]
        place, function = ELSEWHERE.get(function, (module, function))
        setattr(place, function, _killing(getattr(place, function), run=run))
    context = make_context(load_settings(dotenv=None))
    getattr(module, name)(replace(context, clock=ManualClock(datetime.fromisoformat(moment))))


if __name__ == "__main__":
    assert worker.app is not None
    main(*sys.argv[1:])
