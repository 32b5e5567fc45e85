"""The `greenroom` command as a process of its own: its words, and what it finds in its environment."""

from __future__ import annotations

import os
import sys

from worker.checkout import CHECKOUT

COMMAND = [sys.executable, "-m", "cli"]


def environment(**more: str) -> dict[str, str]:
    """The process's environment without any of Greenroom's settings."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    return {**rest, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "100", **more}
