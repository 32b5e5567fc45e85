"""What libraries would load beside themselves, and none of our processes uses.

Not for the schedulers' client, which lives in programs of others that may.
"""

from __future__ import annotations

import sys
from typing import Any


def leave_out_metrics() -> None:
    """Let redis-py take it that OpenTelemetry's metrics are not installed; traces need nothing of them.

    It loads them wherever they are: a tenth of what the command and the supervisor take to load, and memory
    of each process.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("opentelemetry.sdk.metrics", None)
