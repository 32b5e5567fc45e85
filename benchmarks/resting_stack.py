"""An embedded stack that does one file, says who it is, and rests until standard input ends.

``python -P benchmarks/resting_stack.py STATE FILE``, with PYTHONPATH naming the checkout that is measured. It
prints one line of JSON: ``{"supervisor": PID, "settings": {...}}``, these for commands that work beside it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from cli.embedded import RunRequest, get_ready, sandbox_key
from cli.embedded_plan import stack_plan
from greenroom.folder_items import items_of_paths
from greenroom.manifest import parse_plan
from worker.embedded.stack import embedded_stack
from worker.embedded.state_dir import StateDir

CHANNEL = "4915112345678"


def main(state: Path, file: Path) -> None:
    """Run one file through a stack of its own, and wait."""
    now = datetime.now(UTC)
    campaign = parse_plan(
        {"id": "first", "channel": CHANNEL, "send_at": now, "keep_until": now + timedelta(days=3)}
    )
    plan = stack_plan(state, workers=1, concurrency=2, sandbox=True, latency="0", media=[file])
    with embedded_stack(plan) as stack:
        get_ready(
            stack,
            RunRequest(campaign=campaign, items=items_of_paths([file]), api_key=sandbox_key(CHANNEL)),
        )
        settings = {
            "GREENROOM_DATABASE_URL": stack.settings.database_url.get_secret_value(),
            "GREENROOM_REDIS_URL": stack.settings.redis_url.get_secret_value(),
            "GREENROOM_SECRET_KEY_FILE": str(StateDir(folder=state).secret_key.absolute()),
            "GREENROOM_MEDIA_ROOTS": str(file.parent.absolute()),
        }
        (supervisor,) = psutil.Process().children()
        print(json.dumps({"supervisor": supervisor.pid, "settings": settings}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
