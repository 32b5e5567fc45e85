"""What a benchmark ran on, in half a line."""

from __future__ import annotations

from benchmarks.machine import describe


def host() -> str:
    """Processor, system, Python and day."""
    machine = describe()
    return f"{machine['processor']}; {machine['kernel']}; Python {machine['python']}; {machine['date']}"
