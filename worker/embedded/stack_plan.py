"""What an embedded stack is to run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

#: Seconds that the sandbox, the broker and a worker may take to be ready.
SERVICE_START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """What to run.

    Attributes:
        state_dir: the stack's folder.
        workers: processes that upload.
        concurrency: processes that look at files.
        sandbox: whether to run our own stand-in for 360dialog.
        latency: the sandbox's answer time, for example ``"80ms"``.
        flower: whether to run Flower.
        environment: GREENROOM_* settings on top of the embedded ones.
    """

    state_dir: str
    workers: int
    concurrency: int
    sandbox: bool
    latency: str
    flower: bool
    environment: dict[str, str]


def plan_line(plan: StackPlan) -> bytes:
    """The plan as the supervisor's standard input wants it."""
    return json.dumps(asdict(plan)).encode() + b"\n"
