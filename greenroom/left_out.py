"""What libraries would load beside themselves, and none of our processes uses.

Not for the schedulers' client, which lives in programs of others that may.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def leave_out_metrics() -> None:
    """Let redis-py take it that OpenTelemetry's metrics are not installed; traces need nothing of them.

    It loads them wherever they are: a tenth of what the command and the supervisor take to load, and memory
    of each process.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("opentelemetry.sdk.metrics", None)


@contextmanager
def left_out(module: str) -> Iterator[None]:
    """Let what is loaded in the block take it that a module, which is there already, is not installed."""
    modules: dict[str, Any] = sys.modules
    there, modules[module] = modules[module], None
    try:
        yield
    finally:
        modules[module] = there
