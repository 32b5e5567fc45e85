"""What a benchmark ran on, in half a line, without anything that would tell whose machine it is."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def host() -> str:
    """Cores, processor, Python and system."""
    cpu = "an unknown processor"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    return f"{os.cpu_count()} cores of {cpu}, Python {platform.python_version()}, {platform.system()}"
